"""A finished run opened again, fold by fold, with its images: to be tested elsewhere, edited, or shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from medattn_lite.data.splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.experiment import Plan, best_weights, build_variant, fold_folder
from medattn_lite.training.recipes import Recipe, Settings, Variant, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import Task


def read_run(run: Path) -> tuple[Plan, Recipe, Settings, dict[str, Any]]:
    """Plan, recipe, settings and `metrics.json` of a finished run.

    The plan lies where the run lies and names all variants; it does not know the folder of the data.

    Raises:
        UserError: there is none in this folder.
    """
    run = Path(run)
    records = []
    for name in ("recipe.json", "metrics.json"):
        if not (run / name).is_file():
            raise UserError(f"{run} holds no finished run (no {name}): run medattn train first")
        records.append(json.loads((run / name).read_text(encoding="utf-8")))
    given = {key: value for key, value in records[0]["plan"].items() if key not in ("root", "variants")}
    plan = Plan(**given, out=run)
    recipe = find_recipe(plan.recipe)
    changes = {**(plan.changes or {}), **({"folds": plan.folds} if plan.folds else {})}
    return plan, recipe, with_changes(recipe.at(plan.scale), changes), records[1]


def trained_network(plan: Plan, task: Task, variant: Variant, fold: int, split: Split) -> tuple[Task, nn.Module]:
    """The network of one fold with its trained weights, in eval mode, and the task as that fold sees it.

    Args:
        plan: of the run.
        task: the run's, or one of other data with the same channels.
        variant: of the run's recipe.
        fold: from 0.
        split: who is trained on and who is tested.
    """
    own = task.for_variant(variant, with_changes(task.settings, variant.settings), split)
    network = build_variant(plan, task.recipe, own, variant, fold)
    load_weights(network, best_weights(fold_folder(plan.folder, variant.name, fold)))
    return own, network.eval()
