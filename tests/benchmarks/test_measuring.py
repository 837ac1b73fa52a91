"""What a benchmark may be believed for: nothing unequal is timed, ratios and exponents are right, no record is lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.attention import NonLocal
from tests.attention.support import features
from tests.benchmarks import run
from tests.benchmarks.counting import operations_of
from tests.benchmarks.entries import entries, growth
from tests.benchmarks.entries.attention import beside, exact_cases
from tests.benchmarks.machine import Peaks
from tests.benchmarks.measuring import Case, Entry, Record, measure, memory_of, require_equal
from tests.benchmarks.missing import importable
from tests.benchmarks.page import curves, digits, markdown

FIELDS = ["work", "peer", "device", "threads", "ours", "theirs", "unit", "ratio", "low", "high", "memory_ours",
          "memory_theirs", "limit", "exponent"]  # fmt: skip


def case(work: str, seconds: float, theirs: float | None = None, **options: object) -> Case:
    """A case that takes exactly so long, by a clock of its own."""
    ours, other = (lambda: None), (lambda: None)
    return Case(work, "a peer", ours, None if theirs is None else other, memory="", most=3,
                seconds=lambda run: seconds if run is ours else theirs, **options)  # fmt: skip


def test_the_ratio_is_ours_by_theirs_and_the_exponent_the_slope_of_log_time_over_log_size() -> None:
    small, large = measure(iter([case("a", 1.0, 4.0, size=10, series="s"), case("b", 8.0, 4.0, size=20, series="s")]))
    assert (small.ours, small.theirs, small.ratio, small.exponent) == (1000, 4000, 0.25, None)
    assert (large.ratio, large.low, large.high) == (2, 2, 2)
    assert large.exponent == pytest.approx(3)  # twice the size, eight times the time


def test_series_and_numbers_of_threads_do_not_mix_in_an_exponent() -> None:
    made = [case("a", 1.0, size=10, series="s"), case("b", 1.0, size=20, series="t"),
            case("c", 1.0, size=20, series="s", threads=2)]  # fmt: skip
    assert [one.exponent for one in measure(iter(made))] == [None, None, None]


def test_what_is_not_the_same_is_timed_only_where_that_is_said() -> None:
    unequal = Case("a", "a peer", lambda: 1.0, lambda: 2.0, memory="", most=1)
    with pytest.raises(ValueError, match="a: ours and theirs are 5.0e-01 apart"):
        next(measure(iter([unequal])))
    assert next(measure(iter([Case(**{**vars(unequal), "is_equal": False})]))).ratio > 0


def test_without_a_peer_there_is_no_ratio() -> None:
    (record,) = measure(iter([case("a", 1.0)]))
    assert record.theirs is record.ratio is record.low is record.memory_ours is None


def test_a_comparison_that_disagrees_is_not_timed() -> None:
    block, x = NonLocal(16, zero_init=False), features(3)
    other = copy.deepcopy(block)
    torch.nn.init.zeros_(other.output.weight)
    timed = []
    made = next(beside("non-local", "another", block, other, x))
    with pytest.raises(ValueError, match="non-local, forward: ours and theirs are .* apart"):
        next(measure(iter([Case(**{**vars(made), "seconds": lambda run: timed.append(run) or 1.0})])))
    assert timed == []
    records = list(measure(beside("non-local", "itself", block, copy.deepcopy(block), x, most=1)))
    assert [one.memory_ours == one.memory_theirs for one in records] == [True, True]
    assert all(one.limit > 0 for one in records)


@pytest.mark.parametrize("theirs", [np.array([1.0, 2.1]), np.array([1.0, np.nan]), np.array([[1.0, 2.0]])])
def test_other_numbers_nan_and_other_shapes_are_not_equal(theirs: np.ndarray) -> None:
    require_equal("sum", (np.array([1.0, 2.0]), 3), (torch.tensor([1.0, 2.0]), 3.0), close=1e-6)
    with pytest.raises(ValueError, match="sum: ours"):
        require_equal("sum", np.array([1.0, 2.0]), theirs, close=1e-3)


def test_memory_is_counted_in_tensors_or_in_python() -> None:
    assert memory_of(lambda: torch.zeros(2**18) + 1, "tensors") == pytest.approx(2.0)  # the zeros, and the sum
    assert memory_of(lambda: np.zeros(2**20, np.uint8), "python") == pytest.approx(1.0, rel=0.01)
    assert memory_of(lambda: None, "") is None


def test_the_limit_is_the_longer_of_computing_and_moving() -> None:
    peaks = Peaks(product=1e9, convolution=2e9, half=8e9, bandwidth=1e8)
    assert peaks.milliseconds(operations=2e9, moved=1e6) == 1000
    assert peaks.milliseconds(operations=2e6, moved=1e8) == 1000
    assert peaks.milliseconds(operations=None, moved=None) is None


def test_operations_of_fused_attention_are_counted_there_and_back() -> None:
    q = torch.randn(1, 1, 64, 8, requires_grad=True)
    attend = lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q)  # noqa: E731
    assert operations_of(attend) == 2 * 2 * 64 * 64 * 8
    assert operations_of(lambda: attend().sum().backward()) > 2.9 * operations_of(attend)


def test_every_entry_has_its_own_name_and_its_own_works() -> None:
    for device in ("cpu", "cuda"):
        every = list(entries(device))
        starts = [start for one in every for start in one.starts]
        assert len({one.name for one in every}) == len(every)
        assert [(a, b) for a in starts for b in starts if a is not b and a.startswith(b)] == []


def test_exact_attention_in_bf16_gives_the_rows_of_the_formula() -> None:
    there, back = exact_cases("cpu")
    require_equal("exact", there.ours(), there.theirs(), close=there.close)
    assert back.ours().abs().max() > 0


def test_operations_are_counted_at_sizes_that_no_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SIDES", (8,))
    by_work = {one.work: one for one in growth.counted()}
    assert len(by_work) == 6  # three blocks, 8³ and 64³
    matrix, fused = (by_work[f"growth: non-local, {way}, 64³, counted"] for way in ("with its matrix", "fused"))
    assert matrix.memory_ours > 2 * 4 * 64**6 / 2**20 > 100 * fused.memory_ours
    assert fused.exponent == pytest.approx(2, abs=0.1)
    assert by_work["growth: RSA, 64³, counted"].exponent < 4 / 3


def test_a_missing_peer_is_none() -> None:
    assert importable("no_such_library_at_all") is None
    assert importable("math", "sqrt")(4) == 2


def record(work: str, **changes: object) -> Record:
    facts = {"work": work, "peer": "p", "device": "cpu", "threads": 1, "ours": 1.0, "theirs": 2.0, "unit": "ms",
             "ratio": 0.5, "low": 0.4, "high": 0.6}  # fmt: skip
    return Record(**{**facts, **changes})


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Two entries that note when they are measured; the second fails while its name is in the list."""
    seen: list[str] = []

    def made(name: str) -> Iterator[Record]:
        seen.append(name)
        if name == "two" and seen.count("two") == 1:
            raise RuntimeError("no luck")
        yield record(f"{name}: x", ours=float(len(seen)))

    every = [Entry(name, name.title(), (f"{name}:",), lambda name=name: made(name)) for name in ("one", "two")]
    monkeypatch.setattr(run, "entries", lambda device: iter(every))
    monkeypatch.setattr(run, "MACHINE", Entry("machine", "M", ("machine:",), lambda: made("machine")))
    monkeypatch.setattr(run, "machine_records", lambda device: [record("machine: y")])
    monkeypatch.chdir(tmp_path)
    return seen


def test_an_interrupted_run_goes_on_and_only_replaces_what_it_measures(
    two: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "figures")]
    assert run.main(out) == 1
    assert "two FAILED: RuntimeError: no luck" in capsys.readouterr().out
    assert run.main(out) == 0 and two == ["one", "two", "two"]
    assert "finished before: cpu machine, cpu one" in capsys.readouterr().out
    assert run.main([*out, "--only", "one"]) == 0
    kept = json.loads((tmp_path / "figures" / "benchmarks.json").read_text())
    assert [(one["work"], one["ours"]) for one in kept] == [("machine: y", 1.0), ("one: x", 4.0), ("two: x", 3.0)]
    assert all(list(one) == FIELDS for one in kept)
    assert run.main(out) == 0 and two[-2:] == ["one", "two"]  # a finished run starts anew


def test_a_record_of_another_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="entry own: 'other: x' starts with none"):
        run.merged([], [record("other: x")], Entry("own", "Own", ("own:",), lambda: iter(())), "cpu")


@pytest.mark.parametrize(("value", "shown"), [
    (1363.0, "1,400"), (239.4, "240"), (21.34, "21"), (0.406, "0.41"), (0.4, "0.40"), (9.96, "10"), (0.0, "0"),
    (0.0451, "0.045"), (float("nan"), "nan"),
])
def test_a_measured_number_has_two_digits_and_no_exponent(value: float, shown: str) -> None:
    assert digits(value) == shown


def test_the_page_in_the_repository_is_that_of_its_records(tmp_path: Path) -> None:
    assert markdown(run.read(run.FIGURES / "benchmarks.json")) == (run.FIGURES / "benchmarks.md").read_text("utf-8")
    (tmp_path / "benchmarks.json").write_text("[]", encoding="utf-8")
    assert run.main(["--page", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "benchmarks.md").read_text("utf-8").startswith("# Benchmarks")


def test_an_unknown_entry_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--only", "nothing"])
    assert "there is no entry 'nothing': use one of machine, rsa" in capsys.readouterr().err


def test_the_page_says_how_near_we_are_and_the_curves_are_those_of_growth() -> None:
    rows = [record("growth: RSA, 8³", ours=4.0, limit=1.0, memory_ours=3.0, exponent=1.234),
            record("growth: RSA, 8³, counted", ours=7.0, unit="10⁹ operations", ratio=None, theirs=None)]  # fmt: skip
    page = markdown(rows)
    assert "| growth: RSA, 8³ | p | 4.0 ms | 2.0 ms | 0.50 [0.40, 0.60] | 3.00 | – | 25% | 1.23 |" in page
    assert "| growth: RSA, 8³, counted | p | 7.00 10⁹ operations | – | – |" in page
    assert curves(rows) == {"time, ms": {"RSA": {512: 4.0}}, "memory, MiB": {"RSA": {512: 3.0}},
                            "operations, 10⁹": {"RSA": {512: 7.0}}}  # fmt: skip
