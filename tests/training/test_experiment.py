"""Whole runs: folds by patient, the same for every variant, gone on with after a stop, kept apart from others."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from medattn_lite.errors import UserError
from medattn_lite.training import experiment
from medattn_lite.training.experiment import Plan, run_experiment
from medattn_lite.training.recipes.recipe import with_changes
from tests.training.toy import TOY, ToyTask, settings


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr(experiment, "find_recipe", lambda name: TOY)
    monkeypatch.setattr(experiment, "open_task", lambda recipe, changed, **options: ToyTask(recipe, changed, **options))


def run(folder, **changes):
    return run_experiment(Plan("toy", out=folder, **changes), accelerator=Accelerator(cpu=True), progress=False)


def test_a_cpu_trains_in_fp32_alone_and_nothing_is_written_before(tmp_path):
    cpu = SimpleNamespace(device=torch.device("cpu"), mixed_precision="bf16", is_main_process=True)
    with pytest.raises(UserError, match="bf16 needs a GPU"):
        run_experiment(Plan("toy", out=tmp_path / "run"), accelerator=cpu, progress=False)
    assert not (tmp_path / "run").exists()


def test_the_record_holds_pooled_scores_folds_means_and_paired_differences(tmp_path):
    results = run(tmp_path / "run")
    assert results == json.loads((tmp_path / "run" / "metrics.json").read_text())
    for name in ("A", "B"):
        variant = results["variants"][name]
        pooled = variant["pooled"]["AUC"]
        assert pooled["low"] <= pooled["value"] <= pooled["high"] and pooled["units"] == 24
        folds = [fold["AUC"] for fold in variant["folds"]]
        assert variant["mean_over_folds"]["AUC"]["mean"] == pytest.approx(np.mean(folds)) and len(folds) == 2
    [pair] = results["comparisons"]
    scores = [results["variants"][name]["pooled"]["accuracy"]["value"] for name in ("A", "B")]
    assert pair["difference"]["accuracy"]["value"] == pytest.approx(scores[0] - scores[1])
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["device"] == "cpu" and environment["precision"] == "fp32"


def test_every_patient_is_tested_once_and_never_trained_on_in_that_fold(tmp_path):
    run(tmp_path / "run")
    tested = {}
    for variant in ("A", "B"):
        for fold in (0, 1):
            record = json.loads((tmp_path / "run" / variant / f"fold-{fold}" / "predictions.json").read_text())
            predicted = [row["subject"] for row in record["predictions"]]
            assert not set(predicted) & set(record["split"]["train"])
            tested.setdefault(variant, []).append(predicted)
    assert tested["A"] == tested["B"]
    assert sorted(sum(tested["A"], [])) == sorted(f"toy-{index}" for index in range(24))


def test_a_run_is_gone_on_with_and_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        with monkeypatch.context() as patch:
            fit = experiment.Trainer.fit
            folds = []

            def interrupted(trainer, model, *rows):
                folds.append(trainer.folder)
                if len(folds) == 3:
                    raise KeyboardInterrupt
                return fit(trainer, model, *rows)

            patch.setattr(experiment.Trainer, "fit", interrupted)
            run(tmp_path / "again")
    first = tmp_path / "again" / "A" / "fold-0" / "last.safetensors"
    written = first.stat().st_mtime_ns
    again = run(tmp_path / "again")
    assert first.stat().st_mtime_ns == written
    for results in (whole, again):
        for variant in results["variants"].values():
            del variant["training_seconds"]
    assert again == whole


def test_a_folder_with_another_run_or_with_other_files_is_left_alone(tmp_path):
    run(tmp_path / "run", variants=("A",))
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    with pytest.raises(UserError, match="holds another run .its seed differs"):
        run(tmp_path / "run", seed=1)
    with pytest.raises(UserError, match="its learning_rate differs|its changes differs"):
        run(tmp_path / "run", changes={"learning_rate": 0.5})
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no run"):
        run(tmp_path / "mine")


def test_variants_change_settings_and_unknown_ones_are_named(tmp_path):
    results = run(tmp_path / "run", variants=("B",))
    assert list(results["variants"]) == ["B"] and results["comparisons"] == []
    log = (tmp_path / "run" / "B" / "fold-0" / "log.csv").read_text().splitlines()
    assert log[1].split(",")[3] == "0.001"
    with pytest.raises(UserError, match="no variant 'C': use A, B"):
        run(tmp_path / "other", variants=("C",))


def test_validation_patients_are_neither_trained_on_nor_tested():
    task = ToyTask(TOY, settings(folds=4))
    task.validates = True
    for split in task.splits():
        sides = [set(split.train), set(split.valid), set(split.test)]
        assert all(sides) and len(set.union(*sides)) == 24 == sum(map(len, sides))


def test_settings_need_one_budget_and_options_are_merged():
    with pytest.raises(UserError, match="epochs or in iterations"):
        settings(epochs=3)
    first = replace(settings(), options={"a": 1, "b": 2})
    assert with_changes(first, {"options": {"b": 3}, "folds": 7}).options == {"a": 1, "b": 3}


def test_more_seeds_train_the_same_patients_again_and_their_spread_stands_beside_the_interval(tmp_path):
    one = run(tmp_path / "run")
    first = tmp_path / "run" / "A" / "fold-0" / "last.safetensors"
    written = first.stat().st_mtime_ns
    three = run(tmp_path / "run", seeds=3)
    assert first.stat().st_mtime_ns == written, "the first seed is not trained again"
    assert one["training_seeds"] == [0] and three["training_seeds"] == [0, 1000, 2000]
    for name in ("A", "B"):
        before, variant = one["variants"][name], three["variants"][name]
        assert variant["pooled"] == before["pooled"] and "over_seeds" not in before
        values = [seed["pooled"]["AUC"]["value"] for seed in variant["by_seed"].values()]
        assert variant["over_seeds"]["AUC"] == {"mean": pytest.approx(np.mean(values)), "seeds": 3,
                                                "sd": pytest.approx(np.std(values, ddof=1))}  # fmt: skip
        tested = [[row["subject"] for row in json.loads(path.read_text())["predictions"]]
                  for path in sorted((tmp_path / "run" / name).glob("**/fold-1/predictions.json"))]  # fmt: skip
        assert len(tested) == 3 and tested[0] == tested[1] == tested[2]
    weights = {(path / "last.safetensors").read_bytes() for path in (tmp_path / "run" / "A").glob("**/fold-0")}
    assert len(weights) == 3, "each seed gives another network"
    [pair] = three["comparisons"]
    differences = [by_score["accuracy"]["value"] for by_score in pair["by_seed"].values()]
    assert pair["over_seeds"]["accuracy"]["mean"] == pytest.approx(np.mean(differences))
    with pytest.raises(UserError, match="1 to 1000"):
        run(tmp_path / "none", seeds=0)


def test_a_run_records_the_step_that_was_chosen_and_the_scores_it_was_chosen_by(tmp_path, monkeypatch):
    class Watched(ToyTask):
        validates = scores_validation = True
        at_validation = iter((0.1, 0.9, 0.2))

        def quick_score(self, predictions):
            return next(self.at_validation)

    monkeypatch.setattr(experiment, "open_task", lambda recipe, changed, **options: Watched(recipe, changed, **options))
    results = run(tmp_path / "run", variants=("A",), folds=3, first_folds=1, changes={"valid_every": 5})
    variant = results["variants"]["A"]
    assert variant["iterations"] == [30] and variant["chosen_steps"] == [20]  # 8 patients, 2 steps per epoch
    record = json.loads((tmp_path / "run" / "A" / "fold-0" / "predictions.json").read_text())
    assert [row["subject"] for row in record["validation"]] and record["chosen_step"] == 20
    assert variant["validation_mean_over_folds"]["accuracy"]["folds"] == 1


def test_a_run_that_was_begun_with_another_recipe_is_not_gone_on_with(tmp_path, monkeypatch):
    run(tmp_path / "run", first_folds=1)
    other = replace(TOY.variants[0], options={"channels": 5})
    monkeypatch.setattr(experiment, "find_recipe", lambda name: replace(TOY, variants=(other, *TOY.variants[1:])))
    with pytest.raises(UserError, match="recipe's 'A' was another"):
        run(tmp_path / "run")
