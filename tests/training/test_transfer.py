"""External tests: every recipe's run on another cohort, and what a fold learned carried over with its weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import NAMES, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task
from medattn_lite.training.transfer import averaged, transfer

SMALL = {"survival": ["SE-ResNeXt-50 Cox", "clinical", "outline", "SE-ResNeXt-50 risk + clinical"],
         "grading": ["P3D", "tumour features"], "presence": ["ResNeSAt"], "fusion": ["DynUNet"],
         "lesions": ["U-Net"]}  # fmt: skip


def trained(recipe: str, folder: Path) -> Path:
    words = ["--first-folds", "1", "--device", "cpu", "--quiet", "--out", str(folder)]
    assert main(["train", recipe, *words, "--variants", ",".join(SMALL[recipe])]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("recipe", list(SMALL))
def test_a_run_of_each_recipe_is_tested_on_another_scanner(recipe, tmp_path, capsys):
    folder = trained(recipe, tmp_path / "run")
    words = ["study", "transfer", str(folder), "--data", "phantom", "--scanner", "B", "--seed", "5", "--subjects", "8"]
    assert main([*words, "--device", "cpu"]) == 0
    assert "scanner B, seed 5" in capsys.readouterr().out
    result = json.loads((folder / "transfer-phantom-B.json").read_text())
    own = json.loads((folder / "metrics.json").read_text())
    assert list(result["variants"]) == list(own["variants"]) and result["data_facts"]["patients"] == 8
    for name, scores in result["variants"].items():
        assert scores["pooled"] and set(scores["pooled"]) <= set(own["variants"][name]["pooled"])
    assert main(["results", str(folder), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "page.md")]) == 0
    assert "on 8 p" in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize("recipe", ["survival", *(
    pytest.param(name, marks=pytest.mark.slow) for name in NAMES if "leak" not in name and name != "survival")])
def test_every_value_that_a_task_keeps_by_row_is_joined(recipe):
    tasks = []
    for seed, count in ((0, 21), (1, 23)):  # numbers that nothing else in a task has
        settings = with_changes(find_recipe(recipe).at("smoke"), {"subjects": count})
        tasks.append(open_task(find_recipe(recipe), settings, seed=seed, progress=False))
    lengths = [len(task.subjects) for task in tasks]
    both = tasks[0].joined(tasks[1])
    for name, value in vars(tasks[0]).items():
        if isinstance(value, (list, np.ndarray, torch.Tensor)) and len(value) == lengths[0]:
            assert len(getattr(both, name)) == sum(lengths), f"{name} belongs in per_row"
    assert both.subjects == tasks[0].subjects + tasks[1].subjects and len(tasks[0].subjects) == lengths[0]


def test_clinical_values_of_new_patients_are_scaled_as_the_training_patients_are():
    recipe = find_recipe("survival")
    settings = with_changes(recipe.at("smoke"), {"options": {"clinical": True}})
    source, other = (open_task(recipe, settings, seed=seed, progress=False) for seed in (0, 1))
    other.facts = [{**facts, "age_years": facts["age_years"] + 30} for facts in other.facts]
    both, variant = source.joined(other), recipe.variant("clinical")
    own = both.for_variant(variant, settings, Split(tuple(source.subjects), tuple(other.subjects)))
    alone = source.for_variant(variant, settings, Split(tuple(source.subjects), ()))
    age = source.clinical_names.index("age")
    assert torch.equal(own.clinical[: len(source.subjects)], alone.clinical)
    assert float(own.clinical[len(source.subjects) :, age].mean()) > 1


def test_answers_of_several_networks_are_averaged_by_patient():
    folds = [[{"subject": "a", "label": 1, "probability": value, "survival": [1.0, value], "event": True}]
             for value in (0.25, 0.75)]  # fmt: skip
    (row,) = averaged(folds)
    assert row == {"subject": "a", "label": 1, "probability": 0.5, "survival": [1.0, 0.5], "event": True}


def test_patients_of_the_run_are_no_external_test(tmp_path):
    folder = tmp_path / "run"
    assert main(["train", "survival", "--variants", "outline", "--device", "cpu", "--quiet", "--out", str(folder)]) == 0
    for seed in (None, 0):
        with pytest.raises(UserError, match="phantoms of another --seed"):
            transfer(folder, data="phantom", scanner="B", seed=seed, progress=False)
    found = transfer(folder, data="phantom", scanner="B", seed=3, subjects=60, progress=False)
    assert found["data_facts"]["patients"] == 60 and found["scanner"] == "B"
    value = found["variants"]["outline"]["pooled"]["C-index"]
    assert 0 < value["low"] < value["value"] < value["high"] < 1
