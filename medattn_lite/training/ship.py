"""Puts one trained fold of a run into the package, with how it was made and what it scores on its test subjects.

    python -m medattn_lite.training.ship runs/grading-phantom-laptop-0 --variant "P3D + IAM" --name p3d_iam

Only of phantoms: weights that patients' images made may hold more of them than anyone can say. Before anything is
written, the weights are read back and must give the predictions that the run wrote down.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from medattn_lite.errors import UserError
from medattn_lite.networks.trained import FOLDER
from medattn_lite.training.checkpoint import load_weights, save_weights
from medattn_lite.training.experiment import Plan, best_weights, build_variant, fold_folder
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import as_json, with_changes
from medattn_lite.training.records import write_json
from medattn_lite.training.tasks import open_task

LIMIT = 4 * 2**20  # bytes a file
CHECKED = 4  # test rows predicted anew


def ship(run: Path, *, variant: str, fold: int = 0, name: str, folder: Path = FOLDER) -> Path:
    """Writes NAME.safetensors and NAME.json.

    Args:
        run: folder of a finished run on phantoms.
        variant: of the run's recipe.
        fold: from 0.
        name: what `load_trained` will call it.
        folder: where to.

    Returns:
        the file of weights.

    Raises:
        UserError: the run is not finished or not of phantoms, the weights are too large, or they do not give the
            predictions that the run wrote down.
    """
    environment = _read(run / "environment.json")
    plan = Plan(**{**_read(run / "recipe.json")["plan"], "root": None, "out": run})
    if plan.data != "phantom":
        raise UserError(f"{run} was trained on {plan.data}: only networks trained on phantoms go into the package")
    recipe = find_recipe(plan.recipe)
    settings = with_changes(recipe.at(plan.scale), {**(plan.changes or {})})
    if plan.folds:
        settings = with_changes(settings, {"folds": plan.folds})
    chosen = recipe.variant(variant)
    predictions = _read(fold_folder(run, variant, fold) / "predictions.json")
    task = open_task(recipe, settings, seed=plan.seed, progress=False)
    split = task.splits()[fold]
    own = task.for_variant(chosen, with_changes(settings, chosen.settings), split)
    model = build_variant(plan, recipe, own, chosen, fold).eval()
    load_weights(model, best_weights(fold_folder(run, variant, fold)))
    _check(own, model, own.rows(split, "test")[:CHECKED], predictions["predictions"][:CHECKED])
    weights = folder / f"{name}.safetensors"
    save_weights(model, weights)
    if weights.stat().st_size > LIMIT:
        size = weights.stat().st_size / 2**20
        weights.unlink()
        raise UserError(f"{variant} takes {size:.1f} MiB, more than {LIMIT / 2**20:.0f}: train a smaller one")
    facts: dict[str, Any] = {
        "name": name, **as_json(model.built_from), "recipe": recipe.name, "variant": variant, "scale": plan.scale,
        "data": plan.data, "fold": fold, "seed": plan.seed, "settings": as_json(own.settings),
        "channels": list(own.channels), "classes": list(_outputs(own)), "subjects": predictions["split"],
        "scores": {key: value.as_dict() for key, value in own.score(predictions["predictions"]).items()},
        "details": own.details(predictions["predictions"]), "parameters": predictions["parameters"],
        "iterations": predictions["iterations"], "command": _command(plan), "environment": environment,
    }  # fmt: skip
    write_json(folder / f"{name}.json", facts)
    return weights


def _check(task: Any, model: torch.nn.Module, rows: Sequence[int], expected: Sequence[dict[str, Any]]) -> None:
    with torch.no_grad():
        found = [task.predict(model, int(row), torch.device("cpu")) for row in rows]
    for ours, theirs in zip(json.loads(json.dumps(found)), expected, strict=True):
        if not _alike(ours, theirs):
            raise UserError(f"the weights do not give what the run predicted for {theirs['subject']}: run it anew")


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-4)
    if isinstance(one, int) and not isinstance(one, bool):
        return abs(one - other) <= max(2, 0.001 * abs(other))  # voxels at the threshold
    return one == other


def _outputs(task: Any) -> Sequence[str]:
    """Names of what the network puts out."""
    for attribute in ("class_names", "regions"):
        if hasattr(task, attribute):
            return getattr(task, attribute)
    return [f"interval {number + 1}" for number in range(len(task.breaks) - 1)]


def _command(plan: Plan) -> str:
    changes = "".join(f" --set {key}={value}" for key, value in (plan.changes or {}).items())
    return f"medattn train {plan.recipe} --scale {plan.scale} --seed {plan.seed}{changes}"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"there is no {path}: let the run end first (the same medattn train goes on)")
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m medattn_lite.training.ship", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--name", required=True)
    given = parser.parse_args(arguments)
    try:
        print(ship(given.run, variant=given.variant, fold=given.fold, name=given.name))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
