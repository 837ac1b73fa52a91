"""A recipe run whole: every variant on every fold, then scores pooled over the folds, and paired differences.

    runs/NAME/recipe.json  environment.json  metrics.json
    runs/NAME/VARIANT/fold-K/  log.csv  last.safetensors  best.safetensors  predictions.json

All variants see the same folds, seeds and patients. A fold that has its predictions is not trained again, so a
stopped run is started again with the same command. A folder that holds another run is left alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from medattn_lite.data.splits import Split
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.recipes import Recipe, Settings, Variant, find_recipe
from medattn_lite.training.recipes.recipe import as_json, with_changes
from medattn_lite.training.records import environment, write_json
from medattn_lite.training.tasks import Task, open_task
from medattn_lite.training.tasks.task import Prediction
from medattn_lite.training.trainer import SAVE_EVERY, Trainer, predict_rows

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        recipe: its name.
        scale: "smoke", "laptop" or "paper".
        data: name of a data set.
        root: its folder; None for phantoms.
        variants: names; empty for all.
        folds: parts of the cross-validation; None takes the recipe's.
        first_folds: how many of them to run; None runs all.
        seed: of phantoms, folds and training.
        changes: settings by name, in place of the recipe's.
        out: folder of the run.
    """

    recipe: str
    scale: str = "smoke"
    data: str = "phantom"
    root: Path | None = None
    variants: tuple[str, ...] = ()
    folds: int | None = None
    first_folds: int | None = None
    seed: int = 0
    changes: Mapping[str, Any] | None = None
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.out or Path("runs") / f"{self.recipe}-{self.data}-{self.scale}-{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """What makes this run another one; not where it lies."""
        record = {name: as_json(value) for name, value in vars(self).items() if name not in ("out", "root")}
        return record | {"root": None if self.root is None else Path(self.root).name}


def run_experiment(
    plan: Plan, *, accelerator: Accelerator, save_every: int = SAVE_EVERY, progress: bool = True
) -> dict[str, Any]:
    """Runs what is not done yet and writes `metrics.json`.

    Args:
        plan: what to run.
        accelerator: accelerate's; its processes share each batch and the predictions.
        save_every: steps from one saved state to the next.
        progress: show bars.

    Returns:
        the content of `metrics.json`.

    Raises:
        UserError: an unknown recipe, variant or scale; data that do not fit; or a folder with another run in it.
    """
    recipe = find_recipe(plan.recipe)
    settings = with_changes(recipe.at(plan.scale), {**(plan.changes or {}), **_given(folds=plan.folds)})
    chosen = _with_needs(recipe, [recipe.variant(name) for name in plan.variants] or list(recipe.variants))
    main = accelerator.is_main_process
    if main:
        _claim(plan, recipe, settings)
    accelerator.wait_for_everyone()
    show = progress and main
    task = open_task(recipe, settings, data=plan.data, root=plan.root, seed=plan.seed, progress=show,
                     device=accelerator.device)  # fmt: skip
    splits = task.splits()[: plan.first_folds]
    for number, split in enumerate(splits):
        for variant in chosen:
            fold = _Fold(plan, task, settings, variant, number, split, accelerator, save_every, show)
            if not fold.is_done:
                fold.run()
    results = collect(plan, recipe, task, settings, chosen, len(splits))
    if main:
        write_json(plan.folder / "environment.json", environment(accelerator))
        write_json(plan.folder / "metrics.json", results)
    return results


class _Fold:
    """One variant on one split."""

    def __init__(
        self, plan: Plan, task: Task, settings: Settings, variant: Variant, number: int, split: Split,
        accelerator: Accelerator, save_every: int, progress: bool,
    ) -> None:  # fmt: skip
        self.plan, self.task, self.variant, self.number, self.split = plan, task, variant, number, split
        self.settings = with_changes(settings, variant.settings)
        self.accelerator, self.save_every, self.progress = accelerator, save_every, progress
        self.folder = fold_folder(plan.folder, variant.name, number)

    @property
    def is_done(self) -> bool:
        return (self.folder / "predictions.json").is_file()

    def run(self) -> None:
        if self.progress:
            print(f"{self.variant.name}, fold {self.number + 1}")
        began, seed = time.monotonic(), self.plan.seed + self.number
        task = self.task.for_variant(self.variant, self.settings, self.split)
        model = build_variant(self.plan, self.task.recipe, task, self.variant, self.number, seed=seed)
        train = task.rows(self.split, "train")
        seconds, iterations = 0.0, 0
        if self.variant.trained:
            trainer = Trainer(task, self.settings, self.folder, self.accelerator, seed=seed,
                              save_every=self.save_every, progress=self.progress)  # fmt: skip
            valid = task.rows(self.split, "valid") if self.split.valid and task.validates else ()
            done = trainer.fit(model, train, valid)
            seconds, iterations = done.seconds, done.iteration
        task.settle(model, train, lambda rows: predict_rows(task, model, rows, self.accelerator))
        predictions = predict_rows(task, model, task.rows(self.split, "test"), self.accelerator)
        if self.accelerator.is_main_process:
            record = {
                "parameters": sum(p.numel() for p in model.parameters()), "iterations": iterations,
                "training_seconds": round(seconds, 1), "seconds": round(time.monotonic() - began, 1),
                "split": {side: sorted({task.subjects[row] for row in task.rows(self.split, side)})
                          for side in ("train", "valid", "test")},
                "predictions": predictions,
            }  # fmt: skip
            write_json(self.folder / "predictions.json", record)
            (self.folder / "state.safetensors").unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()


def build_variant(
    plan: Plan, recipe: Recipe, task: Task, variant: Variant, fold: int, *, seed: int | None = None
) -> nn.Module:
    """A variant's network with the weights of the variants it needs; its own weights are fresh from the seed."""
    import torch

    needed = {}
    for role, name in variant.needs.items():
        needed[role] = build_variant(plan, recipe, task, recipe.variant(name), fold)
        load_weights(needed[role], best_weights(fold_folder(plan.folder, name, fold)))
    torch.manual_seed(plan.seed + fold if seed is None else seed)
    return task.build(variant, needed)


def fold_folder(folder: Path, variant: str, fold: int) -> Path:
    """Where a fold of a variant lies."""
    return folder / variant / f"fold-{fold}"


def best_weights(folder: Path) -> Path:
    """The weights a fold is used with: the best by validation, or the last."""
    best = folder / "best.safetensors"
    return best if best.is_file() else folder / "last.safetensors"


def collect(
    plan: Plan, recipe: Recipe, task: Task, settings: Settings, variants: Sequence[Variant], folds: int
) -> dict[str, Any]:
    """The scores of a finished run, from the predictions of its folds."""
    rows: dict[str, list[Prediction]] = {}
    table: dict[str, Any] = {}
    for variant in variants:
        path = [fold_folder(plan.folder, variant.name, number) / "predictions.json" for number in range(folds)]
        records = [json.loads(own.read_text(encoding="utf-8")) for own in path]
        rows[variant.name] = [{**row, "fold": number} for number, own in enumerate(records)
                              for row in own["predictions"]]  # fmt: skip
        by_fold = [_numbers(task.score(own["predictions"], draws=0)) for own in records]
        table[variant.name] = {
            "parameters": records[0]["parameters"],
            "iterations": [own["iterations"] for own in records],
            "training_seconds": [own["training_seconds"] for own in records],
            "pooled": _intervals(task.score(rows[variant.name])),
            "folds": by_fold,
            "mean_over_folds": _mean_over(by_fold),
            **task.details(rows[variant.name]),
        }
    differences = [
        {"first": first, "second": second, "difference": _intervals(task.compare(rows[first], rows[second]))}
        for first, second in recipe.comparisons
        if first in rows and second in rows
    ]
    return {
        **plan.as_dict(), "paper": recipe.paper, "summary": recipe.summary, "folds": folds,
        "data_facts": task.about(), "settings": as_json(settings), "variants": table, "comparisons": differences,
        "guesses": list(recipe.guesses), "published": as_json(recipe.published),
    }  # fmt: skip


def _with_needs(recipe: Recipe, chosen: Sequence[Variant]) -> list[Variant]:
    """The chosen variants and those they need, in the recipe's order."""
    names = {variant.name for variant in chosen}
    for variant in reversed(recipe.variants):
        if variant.name in names:
            names |= set(variant.needs.values())
    return [variant for variant in recipe.variants if variant.name in names]


def _claim(plan: Plan, recipe: Recipe, settings: Settings) -> None:
    """Writes what is run, or finds the same there."""
    record = {"plan": plan.as_dict(), "settings": as_json(settings), "recipe": as_json(recipe)}
    path = plan.folder / "recipe.json"
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        ours = json.loads(json.dumps(record))
        for part in ("settings", "plan"):
            before, now = ({k: v for k, v in r[part].items() if k not in ("variants", "first_folds")}
                           for r in (there, ours))  # fmt: skip
            other = [name for name in now if before.get(name) != now[name]]
            if other:
                raise UserError(f"{plan.folder} holds another run (its {other[0]} differs): choose another --out")
        return
    if plan.folder.exists() and any(plan.folder.iterdir()):
        raise UserError(f"{plan.folder} is not empty and holds no run: choose another --out")
    write_json(path, record)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _intervals(scores: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_dict() for name, interval in scores.items()}


def _numbers(scores: Mapping[str, Interval]) -> dict[str, float]:
    return {name: interval.value for name, interval in scores.items()}


def _mean_over(folds: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the folds that could be scored."""
    out = {}
    for name in folds[0]:
        values = np.array([fold[name] for fold in folds if name in fold and np.isfinite(fold[name])])
        if len(values):
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            out[name] = {"mean": float(values.mean()), "sd": spread, "folds": len(values)}
    return out
