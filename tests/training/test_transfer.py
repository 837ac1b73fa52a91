"""External tests: every recipe's run on another cohort, and what a fold learned carried over with its weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import NAMES, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import open_task
from medattn_lite.training.transfer import _predict, _require_apart, averaged, transfer

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
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(result["variants"]) == list(metrics["variants"]) and result["data_facts"]["patients"] == 8
    for name, scores in result["variants"].items():
        assert scores["pooled"] and set(scores["pooled"]) <= set(metrics["variants"][name]["pooled"])
    assert main(["results", str(folder), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "page.md")]) == 0
    assert "on 8 p" in (tmp_path / "page.md").read_text()


def test_each_seed_is_tested_and_its_lesions_are_counted(tmp_path, capsys):
    folder = tmp_path / "run"
    words = ["--first-folds", "1", "--seeds", "2", "--device", "cpu", "--quiet", "--out", str(folder)]
    assert main(["train", "lesions", *words, "--variants", "U-Net", "threshold"]) == 0
    words = ["study", "transfer", str(folder), "--data", "phantom", "--scanner", "B", "--seed", "5", "--subjects", "2"]
    assert main([*words, "--device", "cpu"]) == 0
    result = json.loads((folder / "transfer-phantom-B.json").read_text())
    network, threshold = result["variants"]["U-Net"], result["variants"]["threshold"]
    assert [one["seed"] for one in network["by_seed"]] == list(Run(folder).finished_plan.training_seeds)
    assert [one["seed"] for one in threshold["by_seed"]] == [0]  # nothing in it depends on the seed
    assert network["by_seed"][0]["dice_by_patient"] == network["dice_by_patient"]
    assert network["by_seed"][1]["dice_by_patient"] != network["dice_by_patient"]
    for patient, counts in network["by_seed"][1]["lesions_by_patient"].items():
        assert 0 <= counts["detected"] <= counts["lesions"] and counts["lesions"] > 0 and patient in result["lesion_ml"]
    capsys.readouterr()
    assert main(["results", str(folder), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "page.md")]) == 0
    page = (tmp_path / "page.md").read_text()
    assert "By seed and patient" in page and "U-Net, mean over 2 seeds" in page


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
    variant_task = both.for_variant(variant, settings, Split(tuple(source.subjects), tuple(other.subjects)))
    alone = source.for_variant(variant, settings, Split(tuple(source.subjects), ()))
    age = source.clinical_names.index("age")
    assert torch.equal(variant_task.clinical[: len(source.subjects)], alone.clinical)
    assert float(variant_task.clinical[len(source.subjects) :, age].mean()) > 1


class Untrained:
    """Stands for a run whose networks are as they start: whatever else is known, a fold learned beside its weights."""

    def trained_on(self, task, variant, fold, split, *, start=0):
        of_fold = task.at_start(start).for_variant(variant, with_changes(task.settings, variant.settings), split)
        torch.manual_seed(fold)
        needed = {role: of_fold.build(task.recipe.variant(name), {}) for role, name in variant.needs.items()}
        return of_fold, of_fold.build(variant, needed).eval()


class Leaky(Untrained):
    """The same, but what a fold learns beside its weights it learns of the tested patients, too."""

    def trained_on(self, task, variant, fold, split, *, start=0):
        of_fold, model = super().trained_on(task, variant, fold, split, start=start)
        of_fold.rows = lambda split, side: np.arange(len(of_fold.subjects))
        return of_fold, model


def with_truth_of_others(task):
    """The same patients, each with the outcome or class of the next one."""
    changed, order = copy.copy(task), np.roll(np.arange(len(task.subjects)), -1)
    for name in ("strata", "time", "event", "survived", "died", "training_labels"):
        if hasattr(task, name):
            values = getattr(task, name)
            setattr(changed, name, [values[row] for row in order] if isinstance(values, list) else values[order])
    if hasattr(task, "facts"):
        changed.facts = [{**facts, **{name: task.facts[row][name] for name in ("time", "event")}}
                         for facts, row in zip(task.facts, order, strict=True)]  # fmt: skip
    return changed


def first_patients(task, count):
    changed = copy.copy(task)
    for name in task.per_row:
        if hasattr(task, name):
            setattr(changed, name, getattr(task, name)[:count])
    return changed


def told(rows):
    """Predictions without the truth that stands beside them."""
    return [{name: value for name, value in row.items() if name not in ("time", "event", "label")} for row in rows]


@pytest.mark.parametrize(("recipe", "name"), [
    ("survival", "clinical"), ("survival", "outline"), ("grading", "tumour features"),
    *(pytest.param(*values, marks=pytest.mark.slow) for values in (
        ("survival", "SE-ResNeXt-50 Cox"), ("survival", "SE-ResNeXt-50 risk + clinical"), ("presence", "ResNeSAt")))])
def test_nothing_is_learned_from_the_patients_of_an_external_test(recipe, name):
    chosen = find_recipe(recipe)
    variant = chosen.variant(name)
    settings = with_changes(chosen.at("smoke"), {"subjects": 16, "options": {"clinical": True}})
    source, tested = (open_task(chosen, settings, seed=seed, progress=False) for seed in (0, 1))

    def predictions(tested, run=None):
        return _predict(run or Untrained(), source, source.joined(tested), variant, 2, torch.device("cpu"))

    results, others = predictions(tested), predictions(with_truth_of_others(tested))
    assert [row["subject"] for row in results[0]] == list(tested.subjects) and len(results) == 2
    assert [told(rows) for rows in others] == [told(rows) for rows in results]  # not from their outcomes
    truth = ("time", "event", "label")
    assert [[row.get(name) for name in truth] for row in others[0]] != [[row.get(name) for name in truth]
                                                                        for row in results[0]]  # fmt: skip
    fewer = predictions(first_patients(tested, 5))
    assert [told(rows) for rows in fewer] == [told(rows[:5]) for rows in results]  # nor from their images and values
    if name != "ResNeSAt":  # whose networks learn nothing beside their weights
        leaky = [predictions(one, Leaky()) for one in (tested, with_truth_of_others(tested))]
        assert [told(rows) for rows in leaky[0]] != [told(rows) for rows in leaky[1]], "this would notice nothing"


@pytest.mark.parametrize(
    ("subjects", "regions", "message"),
    [
        (["c", "b"], ("WT",), r"b is a patient of both \(1 in all\): test on others"),
        (["b", "a", "c", "a"], ("WT",), r"a is a patient of both \(2 in all\)"),
        (["c", "d"], ("WT", "ET"), "the run knows the regions WT, lgg WT, ET: test on data with the same ones"),
        (["c", "d"], (), "the run knows the regions WT, lgg : test on data"),
        (["c", "d"], ("WT",), None),
    ],
)
def test_patients_of_both_cohorts_and_other_regions_are_refused(subjects, regions, message):
    source = SimpleNamespace(subjects=["a", "b", "a"], regions=("WT",), data="brats")
    tested = SimpleNamespace(subjects=subjects, data="lgg", regions=regions)
    if message is None:
        _require_apart(source, tested)
        return
    with pytest.raises(UserError, match=message):
        _require_apart(source, tested)


def test_answers_of_several_networks_are_averaged_by_patient():
    folds = [[{"subject": "a", "label": 1, "probability": value, "survival": [1.0, value], "event": True}]
             for value in (0.25, 0.75)]  # fmt: skip
    (row,) = averaged(folds)
    assert row == {"subject": "a", "label": 1, "probability": 0.5, "survival": [1.0, 0.5], "event": True}


def test_patients_of_the_run_are_no_external_test(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    assert main(["train", "survival", "--variants", "outline", "--device", "cpu", "--quiet", "--out", str(folder)]) == 0
    for seed in (None, 0):
        with pytest.raises(UserError, match="phantoms of another --seed"):
            transfer(folder, data="phantom", scanner="B", seed=seed, progress=False)
    result = transfer(folder, data="phantom", scanner="B", seed=3, subjects=60, progress=False)
    assert result["data_facts"]["patients"] == 60 and result["scanner"] == "B"
    value = result["variants"]["outline"]["pooled"]["C-index"]
    assert 0 < value["low"] < value["value"] < value["high"] < 1

    def with_one_of_the_run(*words, seed, **options):
        task = open_task(*words, seed=seed, **options)
        task.subjects = [*task.subjects[:-1], "phantom-again"] if seed else ["phantom-again", *task.subjects[1:]]
        return task

    monkeypatch.setattr("medattn_lite.training.transfer.open_task", with_one_of_the_run)
    before = sorted(folder.iterdir())
    with pytest.raises(UserError, match=r"phantom-again is a patient of both \(1 in all\)"):
        transfer(folder, data="phantom", seed=4, subjects=8, progress=False)
    assert sorted(folder.iterdir()) == before
