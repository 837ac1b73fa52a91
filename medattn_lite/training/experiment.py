"""A recipe run whole: every variant on every fold, then scores pooled over the folds, and paired differences.

All variants see the same folds, seeds and patients. A fold that has its predictions is not trained again, so a
stopped run is started again with the same command, and more seeds add to what is there. A folder that holds another
run, or one that was begun on other patients, is left alone: everything is looked at before anything is written.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable
from medattn_lite.training.collect import collect
from medattn_lite.training.device import require_precision
from medattn_lite.training.environment_record import environment, write_json
from medattn_lite.training.lock import locked
from medattn_lite.training.plan import Plan
from medattn_lite.training.recipes import Recipe, Settings, Variant, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.run import Run, build_variant
from medattn_lite.training.run_identity import Claim
from medattn_lite.training.tasks import Task, open_task
from medattn_lite.training.tasks.task import Rows
from medattn_lite.training.trainer import SAVE_EVERY, Trainer, predict_rows

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Plan", "build_variant", "check_plan", "run_experiment"]


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
        UserError: an unknown recipe, variant or scale; a value out of its range; data that do not fit; or a folder
            with another run in it, or with this one on other data, or in which another process is at work.
    """
    recipe, settings, chosen = check_plan(plan)
    require_precision(accelerator.device, {"no": "fp32"}.get(accelerator.mixed_precision, accelerator.mixed_precision))
    main, now = accelerator.is_main_process, environment(accelerator)
    claim = Claim(plan, recipe, settings, now)
    claim.require_free()
    task = open_task(recipe, settings, data=plan.data, root=plan.root, seed=plan.seed, progress=progress and main,
                     device=accelerator.device)  # fmt: skip
    splits = _first(task.splits(), plan)
    folds = [_Fold(plan, task.at_start(start), settings, variant, number, split, accelerator, save_every,
                   progress and main)
             for start in range(plan.seeds) for number, split in enumerate(splits) for variant in chosen]  # fmt: skip
    claim.require_same_data(task)
    for fold in folds:
        fold.require_own_record()
    for fold in folds[: len(chosen)] if plan.changes else ():
        fold.try_out()
    if not main:
        accelerator.wait_for_everyone()
        return _train(folds, plan, recipe, task, settings, chosen, len(splits))
    with locked(plan.folder):
        claim.write(task)
        accelerator.wait_for_everyone()
        results = _train(folds, plan, recipe, task, settings, chosen, len(splits))
        run = Run(plan.folder)
        write_json(run.environment_file, now)
        _say_what_is_left_out(run, results)
        write_json(run.metrics_file, results)
    return results


def check_plan(plan: Plan) -> tuple[Recipe, Settings, list[Variant]]:
    """Looks at everything that can be checked without data and device.

    Returns:
        the recipe, its settings with the plan's changes, and the variants to run, those that they need among them.

    Raises:
        UserError: an unknown recipe, variant or scale, or a value out of its range.
    """
    recipe = find_recipe(plan.recipe)
    settings = with_changes(recipe.at(plan.scale, plan.data), {**(plan.changes or {}), **_given(folds=plan.folds)})
    chosen = _with_needs(recipe, [recipe.variant(name) for name in plan.variants] or list(recipe.variants))
    for variant in chosen:
        with_changes(settings, variant.settings)
    return recipe, settings, chosen


def _first(splits: list[Split], plan: Plan) -> list[Split]:
    if plan.first_folds is not None and plan.first_folds > len(splits):
        raise UserError(f"--first-folds {plan.first_folds}: there are {len(splits)} folds; give 1 to {len(splits)}, or "
                        "more --folds")
    return splits[: plan.first_folds]


def _train(
    folds: Sequence[_Fold], plan: Plan, recipe: Recipe, task: Task, settings: Settings, chosen: Sequence[Variant],
    count: int,
) -> dict[str, Any]:  # fmt: skip
    for fold in folds:
        if fold.files.is_done:
            fold.files.drop_state()  # which a process that was killed just then has left
        else:
            fold.run()
    return collect(plan, recipe, task, settings, chosen, count)


def _say_what_is_left_out(run: Run, results: dict[str, Any]) -> None:
    """A note where a command asks for less than `metrics.json` holds: the folds stay, the scores are of fewer."""
    try:
        before = run.metrics if run.is_finished else {}
    except UserError:  # damaged: written anew
        return
    lost = [f"{before[name]} {name} (now {results[name]})" for name in ("folds", "seeds")
            if isinstance(before.get(name), int) and before[name] > results[name]]
    lost += [name for name in before.get("variants", ()) if name not in results["variants"]]
    if lost:
        print(printable(f"note: {run.metrics_file} held {', '.join(lost)}, which this command leaves out; nothing of "
                        "it is deleted, the same command with all of it writes the scores again"), file=sys.stderr)


class _Fold:
    """One variant on one split, from the seed of the task's start."""

    def __init__(
        self, plan: Plan, task: Task, settings: Settings, variant: Variant, number: int, split: Split,
        accelerator: Accelerator, save_every: int, progress: bool,
    ) -> None:  # fmt: skip
        self.plan, self.task, self.variant, self.number, self.split = plan, task, variant, number, split
        self.settings = with_changes(settings, variant.settings)
        self.accelerator, self.progress = accelerator, progress
        self.files = Run(plan.folder).fold(variant.name, number, start=task.start)
        self.seed = plan.training_seeds[task.start] + number
        self.trainer = Trainer(task, self.settings, self.files.folder, accelerator, seed=self.seed,
                               save_every=save_every, progress=progress)  # fmt: skip

    def require_own_record(self) -> None:
        """Raises a UserError if the predictions that lie there are damaged, or not of this fold and these patients."""
        self.files.require_files()
        if not self.files.is_done:
            return
        record = self.files.record()
        ours = {"variant": self.variant.name, "fold": self.number, "seed": self.seed}
        changed = [name for name, value in ours.items() if record.get(name, value) != value]
        patients = {subject for side in record["split"].values() for subject in side}
        if changed or patients != set(self.task.subjects):
            what = f"of another {changed[0]}" if changed else "of other patients"
            raise UserError(f"{self.files.predictions} holds predictions {what}: {self.files.remedy}")

    def try_out(self) -> None:
        """Shows the untrained network one image, before anything is written: settings of the user's may not fit it.

        Raises:
            UserError: they do not; those of the recipe do, and are not tried.
        """
        if not (self.variant.network and self.variant.trained) or self.variant.needs or self.files.is_done:
            return
        task = self.task.for_variant(self.variant, self.settings, self.split)
        try:
            model = build_variant(self.plan, self.task.recipe, task, self.variant, self.number, seed=self.seed).eval()
            batch = task.batch([int(task.rows(self.split, "train")[0])], [torch.Generator().manual_seed(0)])
            with torch.no_grad():
                task.loss(task.forward(model, batch).float(), batch)
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            if isinstance(error, UserError):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"{self.variant.name} cannot take these settings ({reason[:160]}): change --set") from None

    def run(self) -> None:
        began = time.monotonic()
        if self.progress:
            print(f"{self.variant.name}, fold {self.number + 1}, seed {self.seed}")
        task = self.trainer.task = self.task.for_variant(self.variant, self.settings, self.split)
        model = build_variant(self.plan, self.task.recipe, task, self.variant, self.number, seed=self.seed)
        train = task.rows(self.split, "train")
        valid: Rows = ()
        seconds, iterations, chosen = 0.0, 0, 0
        if self.variant.trained:
            valid = task.rows(self.split, "valid") if self.split.valid and task.validates else ()
            done = self.trainer.fit(model, train, valid)
            seconds, iterations = done.seconds, done.iteration
            chosen = done.best_iteration if len(valid) and math.isfinite(done.best) else iterations
        task.fit_without_gradients(model, train, lambda rows: predict_rows(task, model, rows, self.accelerator))
        predictions = predict_rows(task, model, task.rows(self.split, "test"), self.accelerator)
        watched = predict_rows(task, model, valid, self.accelerator, quick=True) if task.scores_validation else []
        if self.accelerator.is_main_process:
            self.files.keep({
                "variant": self.variant.name, "fold": self.number, "seed": self.seed,
                "parameters": sum(p.numel() for p in model.parameters()), "iterations": iterations,
                "chosen_step": chosen,
                "training_seconds": round(seconds, 1), "seconds": round(time.monotonic() - began, 1),
                "split": {side: sorted({task.subjects[row] for row in task.rows(self.split, side)})
                          for side in ("train", "valid", "test")},
                "predictions": predictions, "validation": watched,
            })  # fmt: skip
        self.accelerator.wait_for_everyone()


def _with_needs(recipe: Recipe, chosen: Sequence[Variant]) -> list[Variant]:
    """The chosen variants and those they need, in the recipe's order."""
    names = {variant.name for variant in chosen}
    for variant in reversed(recipe.variants):
        if variant.name in names:
            names |= set(variant.needs.values())
    return [variant for variant in recipe.variants if variant.name in names]


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
