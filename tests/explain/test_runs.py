"""Every variant of every recipe can be opened again from the files that a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.user_images.run_maps import explain_sample, place_to_show
from medattn_lite.explain.user_images.runs import open_run
from medattn_lite.training.checkpoint import save_weights
from medattn_lite.training.plan import Plan
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import as_json, with_changes
from medattn_lite.training.run import build_variant, fold_files
from medattn_lite.training.tasks import recall_task

OPENED = [("grading", 4), ("presence", 3), ("source", 3), ("lesions", 10), ("fusion", 6), ("survival", 7),
          ("mechanisms", 14), ("presence-leak", 2), ("presence-cnns", 5)]  # fmt: skip


def write_run(recipe_name: str, folder: Path, fold: int = 1) -> dict[str, dict[str, torch.Tensor]]:
    """A run's files as `medattn train` leaves them half-way: settings and weights, of networks that learned nothing."""
    recipe = find_recipe(recipe_name)
    plan, settings = Plan(recipe_name, out=folder), recipe.at("smoke")
    folder.mkdir(parents=True)
    record = {"plan": plan.as_dict(), "settings": as_json(settings), "recipe": as_json(recipe)}
    (folder / "recipe.json").write_text(json.dumps(record))
    states = {}
    for variant in recipe.variants:
        if not variant.network:
            continue
        task = recall_task(recipe, settings, data="phantom", facts=None)
        task.settings = with_changes(task.settings, variant.settings)
        network = build_variant(plan, recipe, task, variant, fold)
        states[variant.name] = {name: value.clone() for name, value in network.state_dict().items()}
        if variant.trained:
            save_weights(network, fold_files(folder, variant.name, fold).weights)
    return states


@pytest.mark.parametrize(("recipe", "count"), OPENED)
def test_each_variant_s_network_comes_back_with_its_weights(recipe: str, count: int, tmp_path: Path) -> None:
    states = write_run(recipe, tmp_path / "run")
    assert len(states) == count
    for name, state in states.items():
        run = open_run(tmp_path / "run", variant=name)
        loaded = run.network.state_dict()
        assert loaded.keys() == state.keys() and all(torch.equal(loaded[key], value) for key, value in state.items())
        assert (run.variant.name, run.fold, run.network.training) == (name, 1, False)
        assert run.choice == "fold 1: the first with weights"
    first = open_run(tmp_path / "run")
    assert first.variant.name == next(iter(states))
    assert first.choice.startswith(f"variant {first.variant.name} and fold")


def test_the_best_weights_go_before_the_last(tmp_path: Path) -> None:
    write_run("grading", tmp_path / "run")
    folder = fold_files(tmp_path / "run", "P3D", 1).folder
    run = open_run(tmp_path / "run", variant="P3D")
    run.network.fc.bias.data.fill_(7.0)
    save_weights(run.network, folder / "best.safetensors")
    assert (open_run(tmp_path / "run", variant="P3D").network.fc.bias == 7).all()


def test_what_one_network_is_put_together_from_must_be_there(tmp_path: Path) -> None:
    write_run("fusion", tmp_path / "run")
    fold_files(tmp_path / "run", "SegResNet", 1).weights.unlink()
    assert open_run(tmp_path / "run").variant.name == "DynUNet"
    with pytest.raises(UserError, match="'Dual fusion' is not trained.*use DynUNet$"):
        open_run(tmp_path / "run", variant="Dual fusion")


@pytest.mark.parametrize("variant", ["DynUNet", "Dual fusion"])
def test_a_tumour_region_is_explained_in_windows(variant: str, tmp_path: Path) -> None:
    write_run("fusion", tmp_path / "run")
    run = open_run(tmp_path / "run", variant=variant)
    for parameter in run.network.parameters():  # a head that starts at zero has learned nothing to explain yet
        torch.nn.init.normal_(parameter) if not parameter.any() else None
    affine = np.array([[0, 0, 6.0, -60], [0, 6.0, 0, -80], [6.0, 0, 0, -50], [0, 0, 0, 1]])
    torch.manual_seed(0)
    image = torch.zeros(4, 18, 20, 20)
    image[:, 2:-2, 2:-2, 2:-2] = 100 + 10 * torch.randn(4, 14, 16, 16)
    sample = {"image": image, "affine": affine, "grid": None, "subject": "x", "source": "file",
              "channels": run.task.channels, "meta": {"voxel_size_mm": (6.0, 6.0, 6.0)}}  # fmt: skip
    at = affine[:3] @ [9, 10, 10, 1]
    result = explain_sample(run, sample, target="enhancing tumour" if "enhancing tumour" in run.task.regions else "2",
                            at=at)
    assert result.values.shape == (18, 20, 20) and result.values.any() and run.task.regions[2] in result.target
    assert all(0 <= place < length for place, length in zip(place_to_show(result, sample), (18, 20, 20), strict=True))
