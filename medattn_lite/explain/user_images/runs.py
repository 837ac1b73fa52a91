"""A finished run, or a network that ships, opened again: its task without the images, and its trained weights.

    run = open_run(Path("runs/grading-phantom-laptop-0"), variant="P3D + IAM")
    run = open_shipped("grade_p3d_iam")
    run.network          in eval mode
    run.task.prepare(sample)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.networks.bundle import is_bundle, load_bundle
from medattn_lite.networks.trained import load_trained, trained_names
from medattn_lite.training.recipes import Recipe, Variant, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import Task, recall_task, recall_trained


@dataclass(frozen=True)
class TrainedRun:
    """One variant of a run, trained on one fold.

    Attributes:
        folder: of the run; None for a network that ships.
        recipe: its protocol.
        variant: its network.
        fold: number of the fold, as in the folder's name.
        task: without images; prepares new ones.
        network: in eval mode.
        choice: what a user should know of this network: what was taken because nothing was asked for, or what it
            was trained on; "" for nothing.
    """

    folder: Path | None
    recipe: Recipe
    variant: Variant
    fold: int
    task: Task
    network: nn.Module
    choice: str = ""


def open_run(
    folder: Path, *, variant: str | None = None, fold: int | None = None, device: torch.device | str = "cpu"
) -> TrainedRun:
    """Builds a run's network and reads its weights.

    Args:
        folder: that `medattn train` wrote.
        variant: name; None for the first one that has weights.
        fold: number; None for the first that has weights.
        device: where the network goes.

    Raises:
        UserError: no run, no such variant or fold, one without a network or without weights yet, or a run of real
            data that has not ended.
    """
    missing = f"name a folder that medattn train wrote, or a network that ships ({', '.join(trained_names())})"
    run = Run(folder, missing)
    recipe, plan = run.recipe, run.plan
    task = recall_task(recipe, run.settings, data=plan.data, facts=_facts(run), seed=plan.seed)
    chosen, number = _choose(run, variant, fold)
    task.settings = with_changes(task.settings, chosen.settings)
    network = run.network(task, chosen, number)
    taken = [
        words for words, option in ((f"variant {chosen.name}", variant), (f"fold {number}", fold)) if option is None
    ]
    choice = f"{' and '.join(taken)}: the first with weights" if taken else ""
    return TrainedRun(folder, recipe, chosen, number, task, network.to(device), choice)


def open_shipped(name: str, *, device: torch.device | str = "cpu") -> TrainedRun:
    """Opens a network of `load_trained`, or of a bundle, like a trained run: with the task that prepares images for it.

    Args:
        name: one of `trained_names()`, or a folder that `medattn export` wrote.
        device: where the network goes.

    Raises:
        UserError: there is no such network.
    """
    trained = load_bundle(name) if is_bundle(name) else load_trained(name)
    facts = trained.facts
    try:
        recipe = find_recipe(facts["recipe"])
        task = recall_trained(facts)
        variant, fold = recipe.variant(facts["variant"]), facts["fold"]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{name} does not say what its network was trained for, or in another version's words: get it "
                        "again") from error  # fmt: skip
    on = "phantoms" if facts["data"] == "phantom" else facts["data"]
    return TrainedRun(None, recipe, variant, fold, task, trained.network.to(device),
                      f"{variant.name}, trained on {on}: for learning, not for patients")  # fmt: skip


def _choose(run: Run, name: str | None, fold: int | None) -> tuple[Variant, int]:
    recipe, folder = run.recipe, run.folder
    trained = {variant.name: folds for variant in recipe.variants if (folds := run.folds_with_weights(variant))}
    if not trained:
        raise UserError(f"{folder} has no trained network yet: let medattn train go on")
    if name is not None and not recipe.variant(name).network:
        raise UserError(f"{name!r} has no network that looks at an image: use --variant with {', '.join(trained)}")
    if name is not None and name not in trained:
        raise UserError(f"variant {name!r} is not trained in {folder}: use {', '.join(trained)}")
    variant = recipe.variant(name or next(iter(trained)))
    folds = trained[variant.name]
    if fold is not None and fold not in folds:
        raise UserError(f"fold {fold} of {variant.name!r} is not trained in {folder}: use {', '.join(map(str, folds))}")
    return variant, folds[0] if fold is None else fold


def _facts(run: Run) -> Mapping[str, Any] | None:
    """What the run knows of its data; None for phantoms that are still trained on, which can be asked themselves."""
    if not run.is_finished and run.plan.data == "phantom":
        return None
    if not run.is_finished:
        raise UserError(f"{run.folder} has not ended, and only its end writes down the channels: let medattn train go "
                        "on")
    return run.metrics["data_facts"]
