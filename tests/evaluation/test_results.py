"""The page of results says what was run, marks what the data tell apart, and never calls a phantom a patient."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.evaluation.results import page


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


RECORD = {
    "recipe": "grading", "scale": "laptop", "data": "lgg", "seed": 4, "folds": 5, "summary": "low or high",
    "data_facts": {"patients": 79, "rows": 79, "channels": ["pre"], "classes": {"low": 37, "high": 42}, "notes": [],
                   "best_possible_c_index": {"all": {**interval(0.79, 0.73, 0.84), "units": 79}}},
    "variants": {
        "P3D": {"parameters": 1234567, "training_seconds": [10.0, 20.0], "pooled": {"AUC": interval(0.61, 0.5, 0.7)}},
        "P3D + IAM": {"parameters": 2, "training_seconds": [], "pooled": {"AUC": interval(None, None, None)}},
    },
    "comparisons": [
        {"first": "P3D + IAM", "second": "P3D", "difference": {"AUC": interval(0.1, -0.1, 0.3)}},
        {"first": "P3D", "second": "other", "difference": {"AUC": interval(0.2, 0.1, 0.3)}},
    ],
    "published": {"P3D": {"AUC": "84.04 %"}}, "guesses": ["reduction: 16"],
    "environment": {"device_name": "a laptop", "device": "cpu", "precision": "fp32", "torch": "2.13.0"},
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "grading-lgg"
    folder.mkdir(parents=True)
    record = {key: value for key, value in RECORD.items() if key != "environment"}
    (folder / "metrics.json").write_text(json.dumps(record))
    (folder / "environment.json").write_text(json.dumps(RECORD["environment"]))
    return folder


def test_the_page_names_data_patients_folds_seed_and_device(run, tmp_path):
    keep, out = tmp_path / "keep", tmp_path / "results.md"
    assert main(["results", str(run), "--keep", str(keep), "--out", str(out)]) == 0
    text = out.read_text()
    for words in ("lgg (real patients) · `laptop`", "79 patients", "37 low, 42 high",
                  "c index: all 0.790 [0.730, 0.840]", "5 folds or splits, seed 4",
                  "a laptop (cpu, fp32), torch 2.13.0", "| P3D | 1,234,567 | 0.610 [0.500, 0.700] | 15 |",
                  "| P3D + IAM | 2 | — | 0 |", "| P3D | 84.04 % |", "- reduction: 16"):  # fmt: skip
        assert words in text, words
    assert "notes" not in text
    again = tmp_path / "again.md"
    assert main(["results", "--keep", str(keep), "--out", str(again)]) == 0
    assert again.read_text() == text


def test_only_a_difference_outside_its_interval_is_marked(run, tmp_path):
    main(["results", str(run), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "results.md")])
    text = (tmp_path / "results.md").read_text()
    assert "| P3D + IAM − P3D | 0.100 [-0.100, 0.300] |" in text
    assert "| P3D − other | **0.200 [0.100, 0.300]** |" in text


def test_a_transfer_shows_every_patient_beside_the_threshold(run, tmp_path):
    own = {"dice_by_patient": {"p07": 0.08, "p19": 0.5}}
    transfer = {"tested_on": "open-ms", "lesion_ml": {"p07": 1.3, "p19": 50.1}, "variants": {"U-Net": own},
                "flair_threshold": {"best_on_tested": own}}  # fmt: skip
    (run / "transfer-open-ms.json").write_text(json.dumps(transfer))
    main(["results", str(run), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "results.md")])
    text = (tmp_path / "results.md").read_text()
    assert "on 2 real patients of open-ms" in text and "|  | p07, 1.3 mL | p19, 50.1 mL |" in text
    assert "| U-Net | 0.080 | 0.500 |" in text and "| FLAIR threshold, best on tested | 0.080 | 0.500 |" in text


def test_tables_without_images_have_their_section_with_control_and_medians(tmp_path):
    own = {
        "patients": 494, "deaths": 247, "median_follow_up_days": 846.0, "left_out": {"second scan of a patient": 6},
        "missing": {}, "c_index": {"age": {"columns": 1, "C-index": interval(0.7, 0.66, 0.74)}},
        "differences": [{"first": "all", "second": "age", "C-index": interval(0.05, 0.01, 0.09)}],
        "shuffled_outcomes": {"shuffles": 10, "mean": 0.497, "sd": 0.02},
        "kaplan_meier": {"IDH": {"groups": {"mutant": {"patients": 103, "deaths": 11, "median_days":
                         interval(None, 2191.0, None)}}, "log_rank": {"p_value": 1e-9}}},
    }  # fmt: skip
    record = {"what": "Cox", "folds": 5, "repeats": 5, "seed": 0, "tables": {"UCSF": own}}
    (tmp_path / "tables.json").write_text(json.dumps(record))
    text = page(tmp_path, command="medattn results")
    for words in ("### UCSF", "494 patients, 247 deaths", "6 second scan of a patient", "C-index 0.497 (sd 0.020)",
                  "| age | 1 | 0.700 [0.660, 0.740] |", "| all − age | **0.050 [0.010, 0.090]** |",
                  "| IDH | mutant | 103 | 11 | not reached [2191, not reached] | < 0.001 |"):  # fmt: skip
        assert words in text, words


def test_a_phantom_is_called_synthetic(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({**RECORD, "data": "phantom"}))
    assert "phantom (synthetic)" in page(tmp_path, command="medattn results")
    assert "real patients) ·" not in page(tmp_path, command="medattn results")


def test_what_is_missing_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    words = ["--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "out.md")]
    assert main(["results", str(tmp_path / "run"), *words]) == 2
    assert main(["results", *words]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "no metrics.json" in said[0] and "no record" in said[1]
    assert not (tmp_path / "out.md").exists()
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "x.json").write_text("{}")
    with pytest.raises(UserError, match="no record of a run"):
        page(tmp_path / "keep", command="")


def test_the_page_in_figures_is_what_its_records_make(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    folder = Path("figures/results")
    assert Path("figures/results.md").read_text() == page(folder, command="medattn results")
