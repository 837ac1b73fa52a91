"""The page of results says what was run, marks what the data tell apart, and never calls a phantom a patient."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.evaluation.results import page


def interval(value, low, high):
    return {"value": value, "low": low, "high": high, "units": 79}


RECORD = {
    "recipe": "grading", "scale": "laptop", "data": "lgg", "seed": 4, "folds": 5, "summary": "low or high",
    "data_facts": {"patients": 79, "rows": 79, "channels": ["pre"], "classes": {"low": 37, "high": 42}, "notes": [],
                   "best_possible_c_index": {"all": {**interval(0.79, 0.73, 0.84)}}},
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
                  "c index: all 0.790 [0.730, 0.840] (n 79)", "5 folds or splits, seed 4",
                  "a laptop (cpu, fp32), torch 2.13.0", "| P3D | 1,234,567 | 0.610 [0.500, 0.700] (n 79) | 15 |",
                  "| P3D + IAM | 2 | — | 0 |", "| P3D | 84.04 % |", "- reduction: 16"):  # fmt: skip
        assert words in text, words
    assert "notes" not in text
    again = tmp_path / "again.md"
    assert main(["results", "--keep", str(keep), "--out", str(again)]) == 0
    assert again.read_text() == text


def test_only_a_difference_outside_its_interval_is_marked(run, tmp_path):
    main(["results", str(run), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "results.md")])
    text = (tmp_path / "results.md").read_text()
    assert "| P3D + IAM − P3D | 0.100 [-0.100, 0.300] (n 79) |" in text
    assert "| P3D − other | **0.200 [0.100, 0.300]**‡ (n 79) |" in text


def test_a_transfer_shows_every_patient_beside_the_threshold(run, tmp_path):
    scores = {"dice_by_patient": {"p07": 0.08, "p19": 0.5}}
    transfer = {"tested_on": "open-ms", "lesion_ml": {"p07": 1.3, "p19": 50.1}, "variants": {"U-Net": scores},
                "flair_threshold": {"best_on_tested": scores}}  # fmt: skip
    (run / "transfer-open-ms.json").write_text(json.dumps(transfer))
    main(["results", str(run), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "results.md")])
    text = (tmp_path / "results.md").read_text()
    assert "on 2 real patients of open-ms" in text and "|  | p07, 1.3 mL | p19, 50.1 mL |" in text
    assert "| U-Net | 0.080 | 0.500 |" in text and "| FLAIR threshold, best on tested | 0.080 | 0.500 |" in text


def test_tables_without_images_have_their_section_with_control_and_medians(tmp_path):
    table = {
        "patients": 494, "deaths": 247, "median_follow_up_days": 846.0, "left_out": {"second scan of a patient": 6},
        "missing": {}, "c_index": {"age": {"columns": 1, "C-index": interval(0.7, 0.66, 0.74)}},
        "differences": [{"first": "all", "second": "age", "C-index": interval(0.05, 0.01, 0.09)}],
        "shuffled_outcomes": {"shuffles": 10, "mean": 0.497, "sd": 0.02},
        "kaplan_meier": {"IDH": {"groups": {"mutant": {"patients": 103, "deaths": 11, "median_days":
                         interval(None, 2191.0, None)}}, "log_rank": {"p_value": 1e-9}}},
    }  # fmt: skip
    record = {"what": "Cox", "folds": 5, "repeats": 5, "seed": 0, "tables": {"UCSF": table}}
    (tmp_path / "tables.json").write_text(json.dumps(record))
    text = page(tmp_path, command="medattn results")
    for words in ("### UCSF", "494 patients, 247 deaths", "6 second scan of a patient", "C-index 0.497 (sd 0.020)",
                  "| age | 1 | 0.700 [0.660, 0.740] (n 79) |", "| all − age | **0.050 [0.010, 0.090]**‡ (n 79) |",
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
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "no metrics.json" in lines[0] and "no record" in lines[1]
    assert not (tmp_path / "out.md").exists()
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "x.json").write_text("{}")
    with pytest.raises(UserError, match="not a record of a run"):
        page(tmp_path / "keep", command="")


def test_the_page_in_figures_is_what_its_records_make(monkeypatch):
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    folder = Path("figures/results")
    assert Path("figures/results.md").read_text() == page(folder, command="medattn results")


def record_of(folder, **changes):
    folder.mkdir(exist_ok=True)
    (folder / "a.json").write_text(json.dumps({**RECORD, **changes}))
    return page(folder, command="medattn results")


def test_settings_that_differ_from_the_recipe_are_in_the_heading_and_in_words(tmp_path):
    text = record_of(tmp_path / "a", changes={"subjects": 400, "options": {"label": "idh", "clinical": True}}, folds=1,
                     first_folds=1, settings={"folds": 5, "options": {"label": "idh"}})  # fmt: skip
    assert "## Grading · lgg (real patients), idh · `laptop` · changed settings" in text
    assert "**not the recipe's settings at this scale:** subjects 400, clinical True" in text and "1 of 5 folds" in text
    assert "changed settings" not in record_of(tmp_path / "b", changes={"options": {"label": "idh"}})


def with_folds(first, second):
    """Two variants whose folds have these AUCs, pooled 0.6 and 0.7 whatever they are."""
    def own(values, pooled):
        mean = {"mean": sum(values) / len(values), "sd": 0.1, "folds": len(values)}
        return {"parameters": 1, "pooled": {"AUC": interval(pooled, 0.5, 0.8)}, "mean_over_folds": {"AUC": mean},
                "folds": [{"AUC": value} for value in values]}  # fmt: skip

    return {"P3D + IAM": own(first, 0.6), "P3D": own(second, 0.7)}


def test_the_mean_over_folds_stands_beside_a_pooled_score_where_it_is_another_figure(tmp_path):
    text = record_of(tmp_path / "a", variants=with_folds([0.5, 0.9], [0.6, 0.8]))
    assert "| P3D + IAM | 0.700 (sd 0.100) |" in text and "pooled over folds" in text
    assert "| P3D + IAM − P3D | 0.000 (sd 0.141) |" in text, "mean of the folds' differences -0.1 and 0.1"
    assert "mean over folds (sd" not in record_of(tmp_path / "b", variants=with_folds([0.6, 0.6], [0.7, 0.7]))


def test_several_seeds_have_a_table_of_their_own(tmp_path):
    variants = with_folds([0.6, 0.6], [0.7, 0.7])
    for variant in variants.values():
        variant["by_seed"] = {
            str(seed): {"pooled": {"AUC": interval(0.5 + seed / 1e4, 0, 1)}} for seed in (0, 1000, 2000)
        }
        variant["over_seeds"] = {"AUC": {"mean": 0.6, "sd": 0.1, "seeds": 3}}
    pair = {"first": "P3D + IAM", "second": "P3D", "difference": {"AUC": interval(0.1, -0.1, 0.3)},
            "by_seed": {"0": {"AUC": interval(0.1, 0, 1)}, "1000": {"AUC": interval(-0.2, 0, 1)}},
            "over_seeds": {"AUC": {"mean": -0.05, "sd": 0.21, "seeds": 2}}}  # fmt: skip
    text = record_of(tmp_path / "a", variants=variants, comparisons=[pair], training_seeds=[0, 1000, 2000])
    assert "trained from 3 seeds per fold" in text
    assert "| P3D | 0.600 (sd 0.100): 0.500, 0.600, 0.700 |" in text
    assert "| P3D + IAM − P3D | -0.050 (sd 0.210): 0.100, -0.200 |" in text


def test_the_page_prints_the_papers_figures_for_what_was_run_and_names_the_rest(tmp_path):
    published = {"P3D": {"AUC": "84.04 %", "validation AUC": "89.52 %", "AUC, highest grade": "1 %"}}
    text = record_of(tmp_path / "a", published=published)
    assert "| P3D | 84.04 % |" in text and "did not measure: validation AUC; AUC, highest grade." in text
    assert "89.52" not in text
    variants = with_folds([0.6, 0.6], [0.7, 0.7])
    variants["P3D"]["validation_mean_over_folds"] = {"AUC": {"mean": 0.9, "sd": 0.05, "folds": 2}}
    text = record_of(tmp_path / "b", published=published, variants=variants)
    assert "| P3D | 0.900 (sd 0.050) |" in text and "| P3D | 84.04 % | 89.52 % |" in text


def test_comparisons_are_counted_and_only_some_survive_the_correction(tmp_path):
    pairs = [{"first": f"a{number}", "second": "b", "difference": {"AUC": interval(0.1, low, 0.3)}}
             for number, low in enumerate([0.08, 0.001, 0.001, -0.1])]  # fmt: skip
    text = record_of(tmp_path / "a", comparisons=pairs)
    assert "holds 4 differences" in text and "3 leave out 0" in text and "1 survive Holm" in text
    assert "| a0 − b | **0.100 [0.080, 0.300]**‡ (n 79) |" in text
    assert "| a1 − b | **0.100 [0.001, 0.300]** (n 79) |" in text
    assert "| a3 − b | 0.100 [-0.100, 0.300] (n 79) |" in text
