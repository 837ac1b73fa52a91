"""The page of a comparison: differences with intervals over seeds and patients, and what was not run says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.escaping import without_tags
from medattn_lite.mechanism_comparison import PLANS
from medattn_lite.mechanism_comparison.page import write_page
from medattn_lite.mechanism_comparison.page_text import page_text
from medattn_lite.mechanism_comparison.results import collect, difference
from medattn_lite.mechanism_comparison.store import Row, TaskStore, plain
from medattn_lite.plots.alt import alt_text
from medattn_lite.plots.mechanisms import mechanism_panels
from medattn_lite.training.environment_record import write_json
from tests.mechanism_comparison.test_comparison import TINY, toy, toy_plan

SEEDS = range(4)
FIGURES = Path(__file__).resolve().parents[2] / "figures"


@pytest.fixture
def records(tmp_path):
    """se is better than the plain network by much, eca by nothing; the control of eca is there, se's is not."""
    cohort, store = toy(n=200), TaskStore(tmp_path / "out", toy_plan())
    store.begin(cohort)
    labels = cohort.labels[list(cohort.test)].numpy()
    patients = np.random.default_rng(0).normal(size=len(labels))
    strengths = ((Row("none", 8), 0.5), (Row("se", 8), 4.0), (Row("eca", 8), 0.5), (plain(9), 0.5))
    for place, (row, strength) in enumerate(strengths):
        for seed in SEEDS:
            rng = np.random.default_rng([seed, place])
            scores = 1 / (1 + np.exp(-(strength * (labels - 0.5) + patients + rng.normal(0, 0.3, len(labels)))))
            store.keep_cell(row, seed, {
                "mechanism": row.mechanism, "width": row.width, "seed": seed, "parameters": 1000, "score": 0.6,
                "predictions": scores.tolist(),
            })  # fmt: skip
    return tmp_path / "out"


def test_what_makes_a_difference_leaves_out_0_and_what_makes_none_does_not(records):
    [task] = collect(records)["tasks"].values()
    se, eca = (task["rows"][name]["difference"] for name in ("se", "eca"))
    assert se["low"] > 0.1 and se["survives_holm"] and se["seeds"] == 4 and se["units"] == 100
    assert eca["low"] < 0 < eca["high"] and not eca["survives_holm"]
    assert "difference" not in task["rows"]["none"]
    assert collect(records)["family"] == {"differences": 2, "leave out 0": 1, "survive Holm": 1}


def test_each_mechanism_is_compared_with_the_plain_control_of_its_size(records):
    rows = collect(records)["tasks"]["toy"]["rows"]
    assert rows["eca"]["control"] == "none-w9"
    assert rows["se"]["difference_to_control"]["low"] > 0.1
    assert rows["none-w9"]["wider"] and rows["none-w9"]["difference"]["seeds"] == 4


def test_the_plain_networks_score_says_how_many_seeds_it_is_of(records, tmp_path):
    write_json(tmp_path / "found.json", collect(records))
    page = page_text(json.loads((tmp_path / "found.json").read_text(encoding="utf-8")), picture="x.png")
    row = next(line for line in page.splitlines() if "plain network: its score" in line)
    assert re.search(r"\d\.\d{3}; 4 seeds, \d\.\d{3} to \d\.\d{3}; n = 100 ", row), row


def test_only_seeds_of_both_are_compared(records):
    (records / "toy" / "cells" / "none" / "seed-3.json").unlink()
    assert collect(records)["tasks"]["toy"]["rows"]["se"]["difference"]["seeds"] == 3


def test_what_was_not_run_and_what_is_not_defined_says_so(records, tmp_path):
    results = collect(records)
    assert results["tasks"]["toy"]["missing"]["iam"] == "not defined in 2-D"
    assert results["tasks"]["toy"]["missing"]["cbam"] == "not run"
    text = page_text(json.loads(json.dumps(results)), picture="page.png")
    [line] = [line for line in text.splitlines() if line.startswith("| CBAM")][:1]
    assert line.count("not run") == 5  # and in the four tasks of the package, of which there is no record
    assert "| mechanism | toy, AUC | grade | presence | lesions | lgg |" in text
    assert "not defined in 2-D" in text and "not measured" in text


def test_the_page_is_written_from_its_record_and_again_the_same(records, tmp_path):
    write_json(records / "toy" / "costs.json", {"none": {
        "parameters": 1000, "multiplications": 5_000_000, "kept_bytes": 2048, "time": 1.0, "time_low": 1.0,
        "time_high": 1.0, "device": "cpu"}})  # fmt: skip
    page, record, picture = write_page(records, tmp_path / "page.md", controls=tmp_path / "none.json")
    text = page.read_text(encoding="utf-8")
    assert "**+" in text and "\\*" in text and "| 5.0 (×1.00) | 2 (×1.00) |" in text
    assert text == page_text(json.loads(record.read_text()), picture=picture.name)
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = write_page(records, page, controls=tmp_path / "none.json")[0]
    assert again.read_text(encoding="utf-8") == text


def test_a_page_of_the_users_is_not_replaced(records, tmp_path):
    mine = tmp_path / "mine.md"
    mine.write_text("# My notes\n")
    with pytest.raises(UserError, match="nothing was replaced"):
        write_page(records, mine)
    (tmp_path / "other.json").write_text('{"my": 1}')
    with pytest.raises(UserError, match="is not a record"):
        write_page(records, tmp_path / "other.md")
    assert mine.read_text() == "# My notes\n" and not (tmp_path / "other.md").exists()


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(UserError, match="there are no records"):
        collect(tmp_path)


def test_dice_is_compared_where_something_is_marked():
    rng = np.random.default_rng(0)
    first = rng.uniform(0.5, 0.9, (4, 30))
    second = first - 0.1
    rows = [[*row, None] for row in first], [[*row, None] for row in second]
    interval = difference(list(range(31)), None, *rows)
    assert interval.value == pytest.approx(0.1) and interval.units == 30


def test_the_picture_says_in_words_what_it_shows(records):
    from medattn_lite.evaluation import Interval

    figure = mechanism_panels({"toy: AUC": {"se": Interval(0.2, 0.1, 0.3), "iam": "not defined in 2-D", "cbam": None}})
    text = alt_text(figure)
    assert "se +0.200, from +0.100 to +0.300" in text and "iam not defined in 2-D" in text and "cbam not run" in text
    with pytest.raises(ValueError, match="at least one task"):
        mechanism_panels({})


def test_the_command_runs_from_images_to_page(tmp_path, capsys):
    sets = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    words = ["compare", "--tasks", "presence", "--mechanisms", "eca", "--seeds", "1", "--out", str(tmp_path / "out"),
             *sets, "--page", str(tmp_path / "page.md")]  # fmt: skip
    assert main([*words, "--quiet"]) == 0
    assert "3 trained, 0 found" in capsys.readouterr().out
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "1 seed, 3 are needed for an interval" in text or "too few" in text
    assert main([*words, "--quiet"]) == 0
    assert "0 trained, 3 found" in capsys.readouterr().out


def test_the_page_of_the_repository_is_that_of_its_record():
    results = json.loads((FIGURES / "mechanisms.json").read_text(encoding="utf-8"))
    text = (FIGURES / "mechanisms.md").read_text(encoding="utf-8")
    assert text == without_tags(page_text(results, picture="mechanisms.png"))
    assert (FIGURES / "mechanisms.png").is_file()
    today = {name: plan.as_dict() for name, plan in PLANS.items()}
    for name, task in results["tasks"].items():
        assert json.loads(json.dumps(today[name])) == task["plan"], "made with the settings that stand in the package"
