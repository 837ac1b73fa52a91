"""Survival at smoke scale, on phantoms and on real patients."""

from __future__ import annotations

import json
import math

import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.data.readers.registry import open_dataset
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task, recall_task

RECIPE = find_recipe("survival")
SCORES = ["C-index", "C-index within folds", "Brier at one year", "integrated Brier", "AUC at one year"]


def test_the_published_numbers_stand_at_paper_scale():
    settings = RECIPE.at("paper")
    assert (settings.size, settings.batch_size, settings.epochs, settings.folds) == ((64, 64, 64), 64, 200, 10)
    assert (settings.learning_rate, settings.weight_decay, settings.final_rate, settings.cosine_epochs) == (
        1e-4,
        1e-6,
        1e-6,
        10,
    )
    assert (settings.optimiser, settings.sharpness, settings.network) == ("adamp", 0.05, {})
    assert settings.options["whole"] == (78, 120, 120) and settings.options["noise_probability"] == 0.3


def test_a_smoke_run_scores_every_variant_and_comparison(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["train", "survival", "--out", str(folder), "--device", "cpu"]) == 0
    record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert list(record["variants"]) == [variant.name for variant in RECIPE.variants]
    for variant in record["variants"].values():
        assert list(variant["pooled"]) == SCORES
        assert all(score["value"] is not None for score in variant["pooled"].values())
        assert variant["risk_groups"]["low risk"]["patients"] + variant["risk_groups"]["high risk"]["patients"] == 12
    assert [(pair["first"], pair["second"]) for pair in record["comparisons"]] == list(RECIPE.comparisons)
    assert record["variants"]["clinical"]["iterations"] == [0, 0]
    facts = record["data_facts"]
    assert facts["best_possible_c_index"]["all"]["value"] > 0.6 and facts["deaths"] >= 1
    assert "clinical (4 parameters)" in capsys.readouterr().out
    for path in folder.glob("*/fold-*/predictions.json"):
        fold = json.loads(path.read_text(encoding="utf-8"))
        assert not set(fold["split"]["train"]) & set(fold["split"]["test"])
        for row in fold["predictions"]:
            curve = row["survival"]
            assert all(0 <= low <= high <= 1 for high, low in zip(curve, curve[1:], strict=False))
            later = [alive for day, alive in zip(row["days"], curve, strict=True) if day >= 365 and alive < 1]
            assert min(row["risk"], 600) == pytest.approx(min(-math.log(max(later[0], 1e-300)), 600), rel=1e-3)


@pytest.mark.parametrize("end_point, grades, patients, deaths", [("overall", "all", 80, 23), ("one-year", "all", 80, 5),
                                                                 ("overall", "highest", 43, 16)])  # fmt: skip
def test_real_patients_have_the_deaths_that_the_table_says(real_data, monkeypatch, end_point, grades, patients, deaths):
    settings = with_changes(RECIPE.at("smoke"), {"options": {"end_point": end_point, "grades": grades}})
    root = real_data / "kaggle_3m"
    picture = torch.rand(3, 32, 32, 32)
    with monkeypatch.context() as patch:  # follow-up comes from the tables; the images are not needed here
        dataset = open_dataset("lgg", root)
        patch.setattr("medattn_lite.training.tasks.survival.read_all", lambda task, data, keep: (
            {"image": picture, "subject": case.subject, "time": case.time, "event": case.event,
             "meta": {**case.meta, "voxel_size_mm": (6.0,) * 3}} for case in dataset.cases))  # fmt: skip
        task = open_task(RECIPE, settings, data="lgg", root=root, progress=False)
    facts = task.about()
    assert (facts["patients"], facts["deaths"]) == (patients, deaths)
    clinical = {"age", "IDH mutation"} | ({"high grade"} if grades == "all" else set())
    assert set(facts["clinical_missing"]) == clinical
    assert facts["clinical_missing"]["IDH mutation"] <= 4 and facts["clinical_missing"]["age"] <= 1


def test_real_patients_train_and_score(real_data, tmp_path):
    from pathlib import Path
    from shutil import copytree

    root = tmp_path / "lgg"
    cases = open_dataset("lgg", real_data / "kaggle_3m").cases
    few = [case for case in cases if case.event][:4] + [case for case in cases if case.event is False][:6]
    for case in few:
        copytree(next(iter(case.images.values())), root / case.case)
    for name in ("cases.csv", "data.csv"):
        Path(root / name).write_bytes((real_data / "kaggle_3m" / name).read_bytes())
    folder = tmp_path / "run"
    assert main(["train", "survival", "--data", "lgg", "--root", str(root), "--out", str(folder), "--device", "cpu",
                 "--set", "intensity=histogram", "--variants", "SE-ResNeXt-50 + clinical,clinical"]) == 0  # fmt: skip
    record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert record["data_facts"]["patients"] == 10 and record["data_facts"]["channels"] == ["pre", "flair", "post"]
    assert record["comparisons"][0]["difference"]["C-index"]["value"] is not None


@pytest.mark.parametrize(("end_point", "grades", "wanted"), [
    ("overall", "all", "0.733 [0.7124, 0.7540]"), ("overall", "highest", "0.551 [0.5174, 0.5807]"),
    ("one-year", "all", "0.606 [0.5665, 0.6459]"), ("one-year", "highest", "0.55 [0.5073, 0.5918]")])  # fmt: skip
def test_a_run_stands_beside_the_decks_figures_of_its_own_end_point_and_grades(end_point, grades, wanted):
    settings = with_changes(RECIPE.at("smoke"), {"options": {"end_point": end_point, "grades": grades}})
    printed = recall_task(RECIPE, settings, data="phantom", facts=None).published()["SE-ResNeXt-50"]
    assert printed["C-index"] == wanted and len(printed) == 8
    assert ("C-index, overall, all grades" in printed) == ((end_point, grades) != ("overall", "all"))
