"""A recipe run whole: every variant on every fold, then scores pooled over the folds, and paired differences.

All variants see the same folds, seeds and patients. A fold that has its predictions is not trained again, so a
stopped run is started again with the same command, and more seeds add to what is there. A folder that holds another
run is left alone. `medattn_lite.training.plan` says what lies where.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from medattn_lite.data.splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.collect import collect
from medattn_lite.training.plan import Plan, best_weights, fold_folder
from medattn_lite.training.recipes import Recipe, Settings, Variant, find_recipe
from medattn_lite.training.recipes.recipe import as_json, with_changes
from medattn_lite.training.records import environment, write_json
from medattn_lite.training.tasks import Task, open_task
from medattn_lite.training.trainer import SAVE_EVERY, Trainer, predict_rows

if TYPE_CHECKING:
    from accelerate import Accelerator


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
    for start in range(plan.seeds):
        for number, split in enumerate(splits):
            for variant in chosen:
                own = task.at_start(start)
                fold = _Fold(plan, own, settings, variant, number, split, accelerator, save_every, show)
                if not fold.is_done:
                    fold.run()
    results = collect(plan, recipe, task, settings, chosen, len(splits))
    if main:
        write_json(plan.folder / "environment.json", environment(accelerator))
        write_json(plan.folder / "metrics.json", results)
    return results


class _Fold:
    """One variant on one split, from the seed of the task's start."""

    def __init__(
        self, plan: Plan, task: Task, settings: Settings, variant: Variant, number: int, split: Split,
        accelerator: Accelerator, save_every: int, progress: bool,
    ) -> None:  # fmt: skip
        self.plan, self.task, self.variant, self.number, self.split = plan, task, variant, number, split
        self.settings = with_changes(settings, variant.settings)
        self.accelerator, self.save_every, self.progress = accelerator, save_every, progress
        self.folder = fold_folder(plan.folder, variant.name, number, start=task.start)

    @property
    def is_done(self) -> bool:
        return (self.folder / "predictions.json").is_file()

    def run(self) -> None:
        began, seed = time.monotonic(), self.plan.training_seeds[self.task.start] + self.number
        if self.progress:
            print(f"{self.variant.name}, fold {self.number + 1}, seed {seed}")
        task = self.task.for_variant(self.variant, self.settings, self.split)
        model = build_variant(self.plan, self.task.recipe, task, self.variant, self.number, seed=seed)
        train = task.rows(self.split, "train")
        seconds, iterations, chosen, valid = 0.0, 0, 0, ()
        if self.variant.trained:
            trainer = Trainer(task, self.settings, self.folder, self.accelerator, seed=seed,
                              save_every=self.save_every, progress=self.progress)  # fmt: skip
            valid = task.rows(self.split, "valid") if self.split.valid and task.validates else ()
            done = trainer.fit(model, train, valid)
            seconds, iterations = done.seconds, done.iteration
            chosen = done.best_iteration if len(valid) and done.best_iteration else iterations
        task.settle(model, train, lambda rows: predict_rows(task, model, rows, self.accelerator))
        predictions = predict_rows(task, model, task.rows(self.split, "test"), self.accelerator)
        watched = predict_rows(task, model, valid, self.accelerator, quick=True) if task.scores_validation else []
        if self.accelerator.is_main_process:
            record = {
                "parameters": sum(p.numel() for p in model.parameters()), "iterations": iterations,
                "chosen_step": chosen, "seed": seed,
                "training_seconds": round(seconds, 1), "seconds": round(time.monotonic() - began, 1),
                "split": {side: sorted({task.subjects[row] for row in task.rows(self.split, side)})
                          for side in ("train", "valid", "test")},
                "predictions": predictions, "validation": watched,
            }  # fmt: skip
            write_json(self.folder / "predictions.json", record)
            (self.folder / "state.safetensors").unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()


def build_variant(
    plan: Plan, recipe: Recipe, task: Task, variant: Variant, fold: int, *, seed: int | None = None
) -> nn.Module:
    """A variant's network with the weights of the variants it needs; its own weights are fresh from the seed.

    The variants it needs are those that were trained from the same start, `task.start`.
    """
    import torch

    needed = {}
    for role, name in variant.needs.items():
        needed[role] = build_variant(plan, recipe, task, recipe.variant(name), fold)
        load_weights(needed[role], best_weights(fold_folder(plan.folder, name, fold, start=task.start)))
    torch.manual_seed(plan.seed + fold if seed is None else seed)
    return task.build(variant, needed)


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
            before, now = ({k: v for k, v in r[part].items() if k not in ("variants", "first_folds", "seeds")}
                           for r in (there, ours))  # fmt: skip
            other = [name for name in now if before.get(name) != now[name]]
            if other:
                raise UserError(f"{plan.folder} holds another run (its {other[0]} differs): choose another --out")
        before, now = ({own["name"]: own for own in r["recipe"]["variants"]} for r in (there, ours))
        changed = [name for name in before if name in now and before[name] != now[name]]
        if changed:
            raise UserError(f"{plan.folder} was begun when the recipe's {changed[0]!r} was another: "
                            "choose another --out")
        return
    if plan.folder.exists() and any(plan.folder.iterdir()):
        raise UserError(f"{plan.folder} is not empty and holds no run: choose another --out")
    write_json(path, record)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
