"""The mutants can be planted, and the program that plants them tells caught, survived and unjudged apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.mutant import Mutant
from tests.mutants.page import page_of
from tests.mutants.planted import MUTANTS
from tests.mutants.running import (
    Misplanted,
    environment_of,
    fingerprint,
    judge,
    named_tests,
    place_of,
    require_green,
)
from tests.mutants.warm import WarmPytest

ROOT = Path(__file__).resolve().parents[2]
TOY = Mutant("sign", "toy", "adds instead of subtracting", "return a - b", "return a + b", ("test_toy.py",))


def test_every_mutant_stands_once_in_the_package_and_names_its_tests() -> None:
    problems = []
    for mutant in MUTANTS:
        try:
            place_of(mutant, ROOT / "medattn_lite")
            named_tests(mutant, ROOT / "tests")
        except Misplanted as problem:
            problems.append(str(problem))
    assert problems == []


def test_there_are_sixty_mutants_in_every_room() -> None:
    rooms = {"attention", "networks", "data", "phantom", "evaluation", "survival", "training", "tasks", "explain",
             "plots", "widgets", "course", "audit", "cli"}  # fmt: skip
    assert len({one.name for one in MUTANTS}) == len(MUTANTS) >= 60
    assert {one.room for one in MUTANTS} == rooms


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A checkout of one function and a test that calls it with numbers for which a sign matters, or does not."""
    (tmp_path / "medattn_lite").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "medattn_lite" / "toy.py").write_text("def minus(a, b):\n    return a - b\n")
    return tmp_path


def write_test(toy: Path, claim: str) -> None:
    text = f"from medattn_lite.toy import minus\n\n\ndef test_minus():\n    assert {claim}\n"
    (toy / "tests" / "test_toy.py").write_text(text)
    (toy / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow\n    browser\n    network\n")


def test_a_mutant_is_caught_by_a_test_that_can_fail_and_survives_one_that_cannot(toy: Path) -> None:
    write_test(toy, "minus(3, 1) == 2")
    result = judge(TOY, toy)
    assert (result["outcome"], result["file"]) == ("caught", "medattn_lite/toy.py")
    assert result["caught_by"] == "tests/test_toy.py::test_minus"
    assert "a - b" in (toy / "medattn_lite" / "toy.py").read_text()
    write_test(toy, "minus(3, 0) == 3")
    assert judge(TOY, toy)["outcome"] == "survived"


def test_a_process_that_is_forked_judges_the_files_as_they_lie_there_now(toy: Path) -> None:
    write_test(toy, "minus(3, 1) == 2")
    with WarmPytest(toy, environment_of(toy), cpu_seconds=20, libraries=("json", "no_such_library")) as pytest:
        for _ in range(2):
            require_green([TOY], toy, pytest=pytest)
            result = judge(TOY, toy, pytest=pytest)
            assert (result["outcome"], result["caught_by"]) == ("caught", "tests/test_toy.py::test_minus")
            assert result["cpu_seconds"] > 0
        write_test(toy, "minus(3, 0) == 3")
        assert judge(TOY, toy, pytest=pytest)["outcome"] == "survived"
        (toy / "tests" / "test_toy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
        assert "no end" in judge(TOY, toy, pytest=pytest)["caught_by"]


def test_what_cannot_be_judged_is_said(toy: Path) -> None:
    write_test(toy, "minus(3, 1) == 5")
    with pytest.raises(Misplanted, match="do not pass without it"):
        require_green([TOY], toy)
    with pytest.raises(Misplanted, match="nowhere"):
        judge(Mutant("gone", "toy", "", "return a * b", "return a", ("test_toy.py",)), toy)
    with pytest.raises(Misplanted, match="is not Python"):
        judge(Mutant("broken", "toy", "", "return a - b", "return a -", ("test_toy.py",)), toy)
    with pytest.raises(Misplanted, match="names 0 test files"):
        judge(Mutant("untested", "toy", "", "return a - b", "return a", ("test_other.py",)), toy)
    with pytest.raises(Misplanted, match="pytest ended with 5"):
        judge(Mutant("unchosen", "toy", "", "return a - b", "return a", ("test_toy.py",), "nothing_like_it"), toy)
    (toy / "medattn_lite" / "twice.py").write_text("def minus(a, b):\n    return a - b\n")
    with pytest.raises(Misplanted, match=r"toy.py 1×, twice.py 1×"):
        place_of(TOY, toy / "medattn_lite")


def test_the_page_counts_what_was_run_and_names_survivors() -> None:
    other = Mutant("other", "toy", "another mistake", "x", "y", ("test_toy.py",))
    left = Mutant("left", "toy", "a third", "x", "z", ("test_toy.py",))
    caught = {"file": "medattn_lite/toy.py", "outcome": "caught", "caught_by": "tests/t.py::a[b|c]"}
    survived = {"file": "medattn_lite/toy.py", "outcome": "survived", "caught_by": ""}
    record = {
        "sign": {**vars(TOY), **caught, "fingerprint": fingerprint(TOY)},
        "other": {**vars(other), **survived, "fingerprint": fingerprint(other)},
        "left": {**vars(left), **caught, "fingerprint": "of an older text"},
    }
    page = page_of(record, [TOY, other, left])
    assert "**1 of 2 caught (50%).** 1 of 3 planted were not run." in page
    assert "| toy | 3 | 2 | 1 |" in page
    assert "| toy | another mistake | `toy.py` | **survived** | — |" in page
    assert "`t.py::a[b\\|c]`" in page
