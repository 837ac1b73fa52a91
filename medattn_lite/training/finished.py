"""A run opened again, fold by fold, with its images: to be tested elsewhere, edited, or shipped.

What a run was trained with is read from its own `recipe.json` and from nowhere else: a recipe that was edited since
changes nothing about it.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from torch import nn

from medattn_lite.data.splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.experiment import build_variant
from medattn_lite.training.plan import Plan, best_weights, fold_folder
from medattn_lite.training.recipes import Recipe, Settings, Variant
from medattn_lite.training.recipes.recipe import recipe_from, settings_from, with_changes
from medattn_lite.training.tasks import Task


def recorded(run: Path, missing: str = "run medattn train first") -> tuple[Plan, Recipe, Settings]:
    """Plan, recipe and settings of a run, as they were when it began.

    The plan lies where the run lies and names all variants; it does not know the folder of the data.

    Args:
        run: its folder.
        missing: what to do if there is none.

    Raises:
        UserError: there is no run in this folder, or its record is damaged.
    """
    run = Path(run)
    record = _read(run / "recipe.json", f"{run} holds no run (no recipe.json): {missing}")
    names = {field.name for field in fields(Plan)} - {"root", "variants", "out"}
    plan = Plan(**{name: value for name, value in record["plan"].items() if name in names}, out=run)
    return plan, recipe_from(record["recipe"]), settings_from(record["settings"])


def read_run(run: Path) -> tuple[Plan, Recipe, Settings, dict[str, Any]]:
    """Plan, recipe, settings and `metrics.json` of a finished run.

    The plan's number of seeds is that of the metrics: a run may have been given more than it began with.

    Raises:
        UserError: there is none in this folder.
    """
    run = Path(run)
    for name in ("recipe.json", "metrics.json"):
        if not (run / name).is_file():
            raise UserError(f"{run} holds no finished run (no {name}): run medattn train first")
    metrics = _read(run / "metrics.json", "")
    plan, recipe, settings = recorded(run)
    plan = replace(plan, seeds=metrics.get("seeds", 1), first_folds=metrics.get("first_folds"))
    return plan, recipe, settings, metrics


def trained_network(
    plan: Plan, task: Task, variant: Variant, fold: int, split: Split, *, start: int = 0
) -> tuple[Task, nn.Module]:
    """The network of one fold with its trained weights, in eval mode, and the task as that fold sees it.

    Args:
        plan: of the run.
        task: the run's, or one of other data with the same channels.
        variant: of the run's recipe.
        fold: from 0.
        split: who is trained on and who is tested.
        start: number of the seed it was trained from, see `Plan.training_seeds`.
    """
    own = task.at_start(start).for_variant(variant, with_changes(task.settings, variant.settings), split)
    network = build_variant(plan, task.recipe, own, variant, fold)
    load_weights(network, best_weights(fold_folder(plan.folder, variant.name, fold, start=start)))
    return own, network.eval()


def _read(path: Path, missing: str) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(missing)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{path} is damaged: it is no JSON; copy the run again") from None
