"""The scores of a finished run, from the predictions of its folds: what `metrics.json` holds.

Three kinds of spread are kept apart: an interval over patients (bootstrap of the first seed's predictions), the folds
(each fold's score, their mean and standard deviation), and the seeds (the same patients and folds, trained again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medattn_lite.evaluation.intervals import Interval
from medattn_lite.training.plan import Plan
from medattn_lite.training.recipes import Recipe, Settings, Variant
from medattn_lite.training.recipes.recipe import as_json
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import Task
from medattn_lite.training.tasks.task import Prediction


def collect(
    plan: Plan, recipe: Recipe, task: Task, settings: Settings, variants: Sequence[Variant], folds: int
) -> dict[str, Any]:
    """The record of a run.

    Args:
        plan: of the run.
        recipe: its protocol.
        task: scores predictions.
        settings: of the recipe, without the variants' changes.
        variants: that were run.
        folds: how many were run.
    """
    rows: dict[str, list[list[Prediction]]] = {}  # variant → seed → predictions of all folds
    table: dict[str, Any] = {}
    for variant in variants:
        starts = [_records(plan, variant, folds, start) for start in range(plan.seeds)]
        rows[variant.name] = [_pooled(records) for records in starts]
        table[variant.name] = _scores(task, starts[0], rows[variant.name][0])
        if plan.seeds > 1:
            table[variant.name] |= _over_seeds(task, plan, starts, rows[variant.name])
    differences = [
        _difference(task, plan, pair, rows) for pair in recipe.comparisons if all(name in rows for name in pair)
    ]
    return {
        **plan.as_dict(), "paper": recipe.paper, "summary": recipe.summary, "folds": folds,
        "training_seeds": list(plan.training_seeds), "data_facts": task.about(), "settings": as_json(settings),
        "variants": table, "comparisons": differences, "guesses": list(recipe.guesses),
        "published": as_json(task.published()),
    }  # fmt: skip


def _records(plan: Plan, variant: Variant, folds: int, start: int) -> list[dict[str, Any]]:
    return [Run(plan.folder).fold(variant.name, number, start=start).record() for number in range(folds)]


def _pooled(records: Sequence[Mapping[str, Any]]) -> list[Prediction]:
    return [{**row, "fold": number} for number, record in enumerate(records) for row in record["predictions"]]


def _scores(task: Task, records: Sequence[Mapping[str, Any]], rows: Sequence[Prediction]) -> dict[str, Any]:
    """One variant from one seed."""
    by_fold = [_numbers(task.score(record["predictions"], draws=0)) for record in records]
    scores = {
        "parameters": records[0]["parameters"],
        "iterations": [record["iterations"] for record in records],
        "chosen_steps": [record.get("chosen_step", record["iterations"]) for record in records],
        "training_seconds": [record["training_seconds"] for record in records],
        "pooled": _intervals(task.score(rows)),
        "folds": by_fold,
        "mean_over_folds": _mean_over(by_fold),
    }
    watched = [_numbers(task.score(record["validation"], draws=0)) for record in records if record.get("validation")]
    if watched:
        scores |= {"validation_folds": watched, "validation_mean_over_folds": _mean_over(watched)}
    return scores | task.details(rows)


def _over_seeds(
    task: Task, plan: Plan, starts: Sequence[Sequence[Mapping[str, Any]]], rows: Sequence[Sequence[Prediction]]
) -> dict[str, Any]:
    """One variant from every seed: its pooled scores, the steps that were chosen, and the mean over the seeds."""
    by_seed: dict[str, dict[str, Any]] = {}
    for seed, records, seed_rows in zip(plan.training_seeds, starts, rows, strict=True):
        steps = [record.get("chosen_step", record["iterations"]) for record in records]
        by_seed[str(seed)] = {"pooled": _intervals(task.score(seed_rows)), "chosen_steps": steps}
    scores = [{name: interval["value"] for name, interval in of_seed["pooled"].items()} for of_seed in by_seed.values()]
    return {"by_seed": by_seed, "over_seeds": _mean_over(scores, count="seeds")}


def _difference(
    task: Task, plan: Plan, pair: tuple[str, str], rows: Mapping[str, Sequence[Sequence[Prediction]]]
) -> dict[str, Any]:
    """Two variants on the same patients: the interval from the first seed, and each seed's own."""
    first, second = pair
    by_seed = [_intervals(task.compare(left, right)) for left, right in zip(rows[first], rows[second], strict=True)]
    difference: dict[str, Any] = {"first": first, "second": second, "difference": by_seed[0]}
    if plan.seeds > 1:
        difference["by_seed"] = {
            str(seed): interval for seed, interval in zip(plan.training_seeds, by_seed, strict=True)
        }
        scores = [{name: interval["value"] for name, interval in intervals.items()} for intervals in by_seed]
        difference["over_seeds"] = _mean_over(scores, count="seeds")
    return difference


def _intervals(scores: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_dict() for name, interval in scores.items()}


def _numbers(scores: Mapping[str, Interval]) -> dict[str, float]:
    return {name: interval.value for name, interval in scores.items()}


def _mean_over(parts: Sequence[Mapping[str, float]], *, count: str = "folds") -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the folds, or seeds, that could be scored."""
    out = {}
    for name in parts[0]:
        values = np.array([part[name] for part in parts if part.get(name) is not None and np.isfinite(part[name])])
        if len(values):
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            out[name] = {"mean": float(values.mean()), "sd": spread, count: len(values)}
    return out
