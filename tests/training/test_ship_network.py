"""What goes into the package is a fold that was run on phantoms and still predicts what it predicted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.evaluation.metrics import auc
from medattn_lite.explain import open_run
from medattn_lite.networks import trained
from medattn_lite.survival.concordance import harrell_c
from medattn_lite.training.checkpoint import read_facts
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.grading import GRADING
from medattn_lite.training.run import Run
from medattn_lite.training.ship_network import _round_to_half, ship


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "grading"
    command = ["train", "grading", "--variants", "P3D + IAM", "--first-folds", "2", "--seeds", "2", "--out", str(out)]
    assert main([*command, "--device", "cpu"]) == 0
    return out


def test_a_fold_is_shipped_and_loads_as_it_was(run, tmp_path, monkeypatch):
    ship(run, {"small": "P3D + IAM"}, fold=1, folder=tmp_path)
    monkeypatch.setattr(trained, "FOLDER", tmp_path)
    trained.trained_facts.cache_clear()
    network = trained.load_trained("small")
    record = json.loads((run / "P3D + IAM" / "fold-1" / "predictions.json").read_text())
    assert list(network.tested) == record["split"]["test"] and network.classes == ("low grade", "high grade")
    assert network.facts["scores"]["accuracy"]["units"] == len(record["predictions"])
    assert network.network(torch.zeros(1, len(network.channels), *network.size)).shape == (1, 2)
    trained.trained_facts.cache_clear()


def test_beside_shipped_weights_stand_the_chosen_step_every_seed_and_the_command_that_makes_them(run, tmp_path):
    ship(run, {"small": "P3D + IAM"}, fold=1, folder=tmp_path)
    facts = json.loads((tmp_path / "small.json").read_text())
    assert facts["command"] == ("medattn train grading --scale smoke --variants 'P3D + IAM' --seed 0 --seeds 2 "
                                "--first-folds 2")
    folders = [run / "P3D + IAM" / "fold-1", run / "P3D + IAM" / "start-1" / "fold-1"]
    kept = [read_facts(folder / "best.safetensors") for folder in folders]
    best = max((0, 1), key=lambda start: kept[start]["score"])
    assert facts["training_seed"] == Run(run).finished_plan.training_seeds[best] and facts["seed"] == 0  # the phantoms'
    assert facts["chosen_step"] == kept[best]["iteration"]
    assert facts["trained_steps"] >= facts["chosen_step"] >= 1
    assert list(facts["scores_by_seed"]) == ["1", "1001"]
    second = facts["scores_by_seed"]["1001"]["scores"]["AUC"]["value"]
    metrics = json.loads((run / "P3D + IAM" / "start-1" / "fold-1" / "predictions.json").read_text())
    assert second == pytest.approx(auc([row["label"] for row in metrics["predictions"]],
                                       [row["probability"] for row in metrics["predictions"]]))  # fmt: skip


@pytest.mark.parametrize("better", [0, 1])
def test_the_seed_with_the_best_validation_score_is_shipped_in_half_precision(run, tmp_path, monkeypatch, better):
    def facts_of(path, **named):
        return {**read_facts(path, **named), "score": float(("start-1" in path.parts) == better)}

    monkeypatch.setattr("medattn_lite.training.ship_network.read_facts", facts_of)
    (path,) = ship(run, {"small": "P3D + IAM"}, fold=1, folder=tmp_path)
    folder = run / "P3D + IAM" / ("start-1/fold-1" if better else "fold-1")
    whole, shipped = load_file(folder / "best.safetensors"), load_file(path)
    assert path.stat().st_size < 0.6 * (folder / "best.safetensors").stat().st_size
    assert {str(tensor.dtype) for tensor in shipped.values()} <= {"torch.float16", "torch.int64"}
    for name, tensor in whole.items():
        assert torch.equal(shipped[name].float(), tensor.half().float()), name
    monkeypatch.setattr(trained, "FOLDER", tmp_path)
    trained.trained_facts.cache_clear()
    network = trained.load_trained("small").network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    trained.trained_facts.cache_clear()


def test_weights_beyond_half_precision_are_refused():
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, 1e5)
    with pytest.raises(UserError, match="half precision"):
        _round_to_half(model)


def test_what_else_the_run_holds_of_the_fold_stands_beside_the_weights(tmp_path):
    out = tmp_path / "survival"
    command = ["train", "survival", "--variants", "ResNet-50-CBAM,outline,clinical", "--first-folds", "1"]
    assert main([*command, "--out", str(out), "--device", "cpu"]) == 0
    ship(out, {"small": "ResNet-50-CBAM"}, folder=tmp_path)
    facts = json.loads((tmp_path / "small.json").read_text())
    predictions = json.loads((out / "outline" / "fold-0" / "predictions.json").read_text())["predictions"]
    event, time, risk = (np.array([row[name] for row in predictions]) for name in ("event", "time", "risk"))
    assert list(facts["other_variants"]) == ["clinical", "outline"]
    assert facts["other_variants"]["outline"]["C-index"]["value"] == pytest.approx(harrell_c(event, time, risk))


def test_a_recipe_that_was_edited_since_changes_nothing_about_a_run(run, tmp_path, monkeypatch):
    before, settings = Run(run).recipe, Run(run).settings
    assert (before, settings) == (GRADING, GRADING.at("smoke"))
    other = replace(GRADING.at("smoke"), size=(20, 40, 40), network={"layers": (1, 1, 1, 1), "width": 16})
    variants = tuple(replace(variant, network="p3d") for variant in GRADING.variants if variant.name == "P3D + IAM")
    edited = replace(GRADING, scales={"smoke": other}, variants=variants)
    monkeypatch.setattr("medattn_lite.training.recipes.grading.GRADING", edited)
    assert find_recipe("grading") == edited
    recipe, after = Run(run).recipe, Run(run).settings
    assert (recipe, after) == (before, settings)
    opened = open_run(run, variant="P3D + IAM", fold=0)
    assert opened.task.settings.size == (16, 32, 32) and opened.network.built_from["options"]["width"] == 8
    assert ship(run, {"small": "P3D + IAM"}, folder=tmp_path)


def test_weights_that_do_not_give_the_predictions_of_the_run_are_refused(run, tmp_path):
    path = run / "P3D + IAM" / "fold-0" / "predictions.json"
    good = path.read_text()
    record = json.loads(good)
    del record["sha256"]
    record["predictions"][0]["probability"] += 0.1
    path.write_text(json.dumps(record))
    try:
        with pytest.raises(UserError, match="do not give what the run predicted"):
            ship(run, {"small": "P3D + IAM"}, folder=tmp_path)
    finally:
        path.write_text(good)
    assert not list(tmp_path.iterdir())


def test_runs_on_patients_and_unfinished_runs_are_refused(run, tmp_path):
    with pytest.raises(UserError, match="holds no finished run"):
        ship(tmp_path, {"small": "P3D + IAM"}, folder=tmp_path)
    for name in ("recipe.json", "environment.json", "metrics.json"):
        record = json.loads((run / name).read_text())
        if name == "recipe.json":
            record["plan"]["data"] = "lgg"
            del record["sha256"]
        (tmp_path / name).write_text(json.dumps(record))
    with pytest.raises(UserError, match="only networks trained on phantoms"):
        ship(tmp_path, {"small": "P3D + IAM"}, folder=tmp_path)


def test_the_folds_that_the_command_asked_for_are_those_of_the_run_read_again(tmp_path):
    out = tmp_path / "run"
    assert main(["train", "grading", "--variants", "tumour features", "--folds", "4", "--out", str(out),
                 "--device", "cpu"]) == 0  # fmt: skip
    run = Run(out)
    assert (run.finished_plan.folds, run.settings.folds, run.metrics["folds"]) == (4, 4, 4)
