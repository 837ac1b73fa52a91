"""Puts one trained fold of a run into the package, with how it was made and what it scores on its test subjects.

    medattn study ship runs/mechanisms-phantom-laptop-0 grade_p3d_iam="P3D + IAM"

The weights are those of the seed that is best on the validation subjects, or of the first where the recipe has none;
what each seed scores on the test subjects stands beside them, so that one training cannot pass for all. Only of
phantoms: weights that patients' images made may hold more of them than anyone can say. The weights must give the
predictions that the run wrote down before they are rounded to half precision, which halves the files; the scores are
those of the rounded weights.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.networks.trained import FOLDER
from medattn_lite.training.checkpoint import read_facts, save_weights
from medattn_lite.training.environment_record import write_json
from medattn_lite.training.plan import Plan
from medattn_lite.training.recipes.recipe import as_json
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import Task, open_task
from medattn_lite.training.tasks.task import Rows

LIMIT = 4 * 2**20  # bytes per file
CHECKED = 4  # test rows whose predictions must be those that the run wrote down


def ship(run: Path, chosen: Mapping[str, str], *, fold: int = 0, folder: Path = FOLDER) -> list[Path]:
    """Writes NAME.safetensors and NAME.json of one fold.

    Args:
        run: folder of a finished run on phantoms.
        chosen: what `load_trained` will call it → variant of the run's recipe.
        fold: from 0.
        folder: where to.

    Returns:
        the files of weights.

    Raises:
        UserError: the run is not finished or not of phantoms, weights are too large, or they do not give the
            predictions that the run wrote down; what was shipped before that stays.
    """
    opened = Run(run)
    plan, recipe, settings, environment = (opened.finished_plan, opened.recipe, opened.settings, opened.environment)
    if plan.data != "phantom":
        raise UserError(f"{run} was trained on {plan.data}: only networks trained on phantoms go into the package")
    starts = {variant: _best_start(opened, variant, fold) for variant in chosen.values()}
    records = {variant: opened.fold(variant, fold, start=start).record() for variant, start in starts.items()}
    task = open_task(recipe, settings, seed=plan.seed, progress=False)
    split, written = task.splits()[fold], []
    for name, variant in chosen.items():
        start = starts[variant]
        task_of_fold, model = opened.trained_on(task, recipe.variant(variant), fold, split, start=start)
        rows = task_of_fold.rows(split, "test")
        _check(task_of_fold, model, rows[:CHECKED], records[variant]["predictions"][:CHECKED])
        _round_to_half(model)
        predictions = _predicted(task_of_fold, model, rows)
        weights = folder / f"{name}.safetensors"
        save_weights(model, weights, half=True)
        if weights.stat().st_size > LIMIT:
            size = weights.stat().st_size / 2**20
            weights.unlink()
            raise UserError(f"{variant} takes {size:.1f} MiB, more than {LIMIT / 2**20:.0f}: train a smaller one")
        weights.chmod(0o644)
        facts: dict[str, Any] = {
            "name": name, **as_json(model.built_from), "recipe": recipe.name, "variant": variant, "scale": plan.scale,
            "data": plan.data, "fold": fold, "seed": plan.seed,
            "training_seed": plan.training_seeds[start],
            "settings": as_json(task_of_fold.settings),
            "channels": list(task_of_fold.channels), "classes": task_of_fold.output_names(model),
            "subjects": records[variant]["split"],
            "scores": {key: value.as_dict() for key, value in task_of_fold.score(predictions).items()},
            "scores_by_seed": _scores_by_seed(opened, task_of_fold, variant, fold),
            "other_variants": _scores_of_other_variants(opened, task, chosen.values(), fold),
            "details": task_of_fold.details(predictions), "parameters": records[variant]["parameters"],
            "chosen_step": _chosen_step(opened, variant, fold, start=start),
            "trained_steps": records[variant]["iterations"],
            "command": _command(plan, variant), "environment": environment,
        }  # fmt: skip
        write_json(folder / f"{name}.json", facts)
        written.append(weights)
    return written


def _best_start(run: Run, variant: str, fold: int) -> int:
    """The number of the seed with the highest validation score; 0 where none was kept or only one was trained."""
    starts = range(len(run.finished_plan.training_seeds))
    folds = [run.fold(variant, fold, start=start) for start in starts]
    facts = [read_facts(files.weights, remedy=files.remedy) for files in folds]
    scores = [float(kept["score"]) for kept in facts if kept.get("score") is not None]
    return scores.index(max(scores)) if len(scores) == len(facts) and all(map(math.isfinite, scores)) else 0


def _round_to_half(model: torch.nn.Module) -> None:
    """Rounds weights and buffers to numbers that half precision holds; they stay in single precision."""
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
            if not tensor.isfinite().all():
                raise UserError("the weights hold numbers beyond 65,504, which half precision cannot: train it anew")


def _scores_by_seed(run: Run, task: Task, variant: str, fold: int) -> dict[str, dict[str, Any]]:
    """Seed → scores on the test subjects, and the step that was chosen."""
    by_seed = {}
    for start, seed in enumerate(run.finished_plan.training_seeds):
        record = run.fold(variant, fold, start=start).record()
        scores = {name: interval.as_dict() for name, interval in task.score(record["predictions"]).items()}
        by_seed[str(seed + fold)] = {"chosen_step": _chosen_step(run, variant, fold, start=start), "scores": scores}
    return by_seed


def _scores_of_other_variants(run: Run, task: Task, chosen: Collection[str], fold: int) -> dict[str, dict[str, Any]]:
    """Variant → scores on the test subjects, of what else the run holds of this fold: controls, from the first seed."""
    by_variant = {}
    for variant in run.recipe.variants:
        files = run.fold(variant.name, fold)
        if variant.name not in chosen and files.is_done:
            scores = task.score(files.record()["predictions"])
            by_variant[variant.name] = {name: interval.as_dict() for name, interval in scores.items()}
    return by_variant


def _chosen_step(run: Run, variant: str, fold: int, *, start: int = 0) -> int:
    """The step whose weights are used, as their own file says: the best by validation, or the last."""
    files = run.fold(variant, fold, start=start)
    return int(read_facts(files.weights, remedy=files.remedy)["iteration"])


@torch.no_grad()
def _predicted(task: Any, model: torch.nn.Module, rows: Rows) -> list[dict[str, Any]]:
    """Predictions of rows, as a run writes them down."""
    return json.loads(json.dumps([task.predict(model, int(row), torch.device("cpu")) for row in rows]))


def _check(task: Any, model: torch.nn.Module, rows: Rows, expected: Sequence[dict[str, Any]]) -> None:
    for ours, theirs in zip(_predicted(task, model, rows), expected, strict=True):
        if not _nearly_equal(ours, theirs):
            raise UserError(f"the weights do not give what the run predicted for {theirs['subject']}: run it anew")


def _nearly_equal(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return all(_nearly_equal(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(_nearly_equal, first, second))
    if isinstance(first, float):
        return math.isclose(first, second, rel_tol=1e-3, abs_tol=1e-4)
    if isinstance(first, int) and not isinstance(first, bool):
        return abs(first - second) <= max(2, 0.001 * abs(second))  # voxels at the threshold
    return first == second


def _command(plan: Plan, variant: str) -> str:
    """What trains this network again, on the same folds and seeds."""
    changes = dict(plan.changes or {})
    changes |= changes.pop("options", {})
    words = ["medattn", "train", plan.recipe, "--scale", plan.scale, "--variants", variant, "--seed", str(plan.seed)]
    for name, value in (("--seeds", plan.seeds if plan.seeds > 1 else None), ("--folds", plan.folds),
                        ("--first-folds", plan.first_folds)):  # fmt: skip
        words += [] if value is None else [name, str(value)]
    for key, value in changes.items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study ship",
                                     description=__doc__.splitlines()[0])  # fmt: skip
    parser.add_argument("run", type=Path)
    parser.add_argument("chosen", nargs="+", metavar="NAME=VARIANT")
    parser.add_argument("--fold", type=int, default=0)
    options = parser.parse_args(arguments)
    wrong = [pair for pair in options.chosen if "=" not in pair]
    if wrong:
        raise UserError(f"{wrong[0]!r}: say NAME=VARIANT, such as grade_p3d_iam='P3D + IAM'")
    for path in ship(options.run, dict(pair.split("=", 1) for pair in options.chosen), fold=options.fold):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
