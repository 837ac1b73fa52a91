"""A run's folder: the one file that knows what lies where, and the one way to open a run again.

    runs/NAME/recipe.json  environment.json  metrics.json  transfer-DATA.json
    runs/NAME/VARIANT/fold-K/            log.csv  last.safetensors  best.safetensors  predictions.json
    runs/NAME/VARIANT/start-S/fold-K/    the same from further seeds, S = 1, 2, …

What a run was trained with is read from its own `recipe.json` and from nowhere else: a recipe that was edited since
changes nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.data.patient_splits import Split
from medattn_lite.errors import UserError
from medattn_lite.training.plan import Plan
from medattn_lite.training.recipes import Recipe, Settings, Variant
from medattn_lite.training.recipes.recipe import recipe_from, settings_from, with_changes

if TYPE_CHECKING:
    from torch import nn

    from medattn_lite.training.tasks.task import Task

STATE, LOG, LAST, BEST = "state.safetensors", "log.csv", "last.safetensors", "best.safetensors"
_TRAIN = "run medattn train first"


@dataclass(frozen=True)
class FoldFiles:
    """The files of one variant, trained on one fold from one seed."""

    folder: Path

    @property
    def predictions(self) -> Path:
        """What the network says of the test patients; it is written last."""
        return self.folder / "predictions.json"

    @property
    def is_done(self) -> bool:
        """Whether the fold is trained and its test patients are predicted."""
        return self.predictions.is_file()

    @property
    def weights(self) -> Path:
        """The weights a fold is used with: the best by validation, or the last."""
        best = self.folder / BEST
        return best if best.is_file() else self.folder / LAST

    @property
    def remedy(self) -> str:
        """What to do where a file of the fold is damaged."""
        return f"delete {self.folder} and run the same medattn train again, which trains this fold anew"

    def require_files(self) -> None:
        """Raises a UserError if a folder lies where one of the files belongs."""
        for name in (self.predictions.name, STATE, LOG, LAST, BEST):
            if (self.folder / name).is_dir():
                raise UserError(f"{self.folder / name} is a folder where a file belongs: {self.remedy}")

    def record(self) -> dict[str, Any]:
        """What `predictions.json` holds.

        Raises:
            UserError: it is missing or damaged.
        """
        missing = f"there is no {self.predictions}: let the run end first (the same medattn train goes on)"
        record = read_object(self.predictions, remedy=self.remedy, missing=missing)
        rows, split = record.get("predictions"), record.get("split")
        whole = isinstance(rows, list) and all(isinstance(row, dict) and isinstance(row.get("subject"), str)
                                               for row in rows)  # fmt: skip
        numbers = all(isinstance(record.get(name), (int, float)) and not isinstance(record[name], bool)
                      for name in ("parameters", "iterations", "training_seconds"))  # fmt: skip
        sides = isinstance(split, dict) and all(isinstance(patients, list) for patients in split.values())
        if not (whole and numbers and sides):
            raise UserError(f"{self.predictions} is damaged, it holds no predictions of a fold: {self.remedy}")
        return record

    def keep(self, record: Mapping[str, Any]) -> None:
        """Writes `predictions.json`; the state that training went on from is not needed any more."""
        write_json(self.predictions, record, sealed=True)
        self.drop_state()

    def drop_state(self) -> None:
        """Deletes the state that training goes on from; a fold that is done needs it no more."""
        (self.folder / STATE).unlink(missing_ok=True)


def fold_files(folder: Path, variant: str, fold: int, *, start: int = 0) -> FoldFiles:
    """The files of a fold.

    Args:
        folder: of the run.
        variant: its name.
        fold: from 0.
        start: number of the seed, from 0; see `Plan.training_seeds`.
    """
    variant_folder = folder / variant
    return FoldFiles((variant_folder / f"start-{start}" if start else variant_folder) / f"fold-{fold}")


def remedy_for(path: Path) -> str:
    """What to do where a file of weights is damaged: in a run the whole fold goes, whose predictions they made."""
    from medattn_lite.training.checkpoint import ANEW

    return FoldFiles(path.parent).remedy if path.parent.name.startswith("fold-") else ANEW


class Run:
    """A run, as it was recorded.

    Args:
        folder: that `medattn train` wrote.
        missing: what to do if there is no run in it, for the message.
    """

    def __init__(self, folder: Path, missing: str = _TRAIN) -> None:
        self.folder, self._missing = Path(folder), missing

    @property
    def record_file(self) -> Path:
        """Plan, settings, recipe and data, as they were when the run began."""
        return self.folder / "recipe.json"

    @property
    def metrics_file(self) -> Path:
        """The scores, written when the run ends."""
        return self.folder / "metrics.json"

    @property
    def environment_file(self) -> Path:
        """Computer and versions, written when the run ends."""
        return self.folder / "environment.json"

    @cached_property
    def record(self) -> dict[str, Any]:
        """What `recipe.json` holds.

        Raises:
            UserError: there is no run in this folder, or its record is damaged.
        """
        remedy = "copy it again from where it is whole, or choose another folder with --out and train anew"
        record = read_object(self.record_file, remedy=remedy,
                             missing=f"{self.folder} holds no run (no recipe.json): {self._missing}")  # fmt: skip
        if not all(isinstance(record.get(part), dict) for part in ("plan", "settings", "recipe")):
            raise UserError(f"{self.record_file} is damaged, it holds no plan, settings and recipe: {remedy}")
        return record

    @cached_property
    def plan(self) -> Plan:
        """Plan of the run. It lies where the run lies, names all variants, and does not know the folder of the data."""
        names = {field.name for field in fields(Plan)} - {"root", "variants", "out"}
        values = {name: value for name, value in self.record["plan"].items() if name in names}
        return self._whole(lambda: Plan(**values, out=self.folder))

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, as it was when the run began."""
        return self._whole(lambda: recipe_from(self.record["recipe"]))

    @cached_property
    def settings(self) -> Settings:
        """The settings, as they were when the run began."""
        return self._whole(lambda: settings_from(self.record["settings"]))

    @property
    def is_finished(self) -> bool:
        """Whether its scores are written."""
        return self.metrics_file.is_file()

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What `metrics.json` holds.

        Raises:
            UserError: the run has not ended, or the file is damaged.
        """
        again = "run the same medattn train again, which writes it anew from the predictions"
        missing = f"{self.folder} holds no finished run (no metrics.json): {self._missing}"
        content = read_object(self.metrics_file, remedy=again, missing=missing)
        parts = (("variants", dict), ("data_facts", dict), ("folds", int))
        if not all(isinstance(content.get(name), kind) for name, kind in parts):
            raise UserError(f"{self.metrics_file} is damaged, it holds no scores of a run: {again}")
        return content

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What `environment.json` holds."""
        return read_object(self.environment_file, remedy="run the same medattn train again, which writes it anew")

    def transfer_file(self, data: str) -> Path:
        """What the run's networks were found to do on another data set."""
        return self.folder / f"transfer-{data}.json"

    def results(self) -> dict[str, Any]:
        """What a page of results is made of: the metrics, with the environment and the tests on other data.

        Raises:
            UserError: the run has not ended, or one of its files is damaged.
        """
        again = "run the same medattn train again, which writes it anew"
        record = read_object(self.metrics_file, remedy=again, missing=f"{self.folder} has no metrics.json: let it end "
                             "first (the same medattn train goes on)")
        if self.environment_file.is_file():
            record["environment"] = read_object(self.environment_file, remedy=again)
        carried = "delete it, and test the run on the other data again"
        transfers = [read_object(path, remedy=carried) for path in sorted(self.folder.glob("transfer-*.json"))]
        return {**record, "transfers": transfers} if transfers else record

    @property
    def finished_plan(self) -> Plan:
        """The plan, with the seeds and folds that were run in the end: a run may be given more than it began with."""
        metrics = self.metrics
        return replace(self.plan, seeds=metrics.get("seeds", 1), first_folds=metrics.get("first_folds"))

    def fold(self, variant: str, number: int, *, start: int = 0) -> FoldFiles:
        """The files of a fold."""
        return fold_files(self.folder, variant, number, start=start)

    def folds_with_weights(self, variant: Variant) -> list[int]:
        """Folds in which a variant's network, and all that it is composed of, has weights."""
        if not variant.network:
            return []
        parts = [*([variant.name] if variant.trained else []), *variant.needs.values()]
        numbers = {path.name.removeprefix("fold-") for name in parts for path in (self.folder / name).glob("fold-*")}
        return sorted(int(number) for number in numbers if number.isdecimal()
                      and all(self.fold(name, int(number)).weights.is_file() for name in parts))  # fmt: skip

    def network(self, task: Task, variant: Variant, fold: int, *, start: int = 0) -> nn.Module:
        """A variant's network with its trained weights, in eval mode.

        Args:
            task: the run's, as it sees this variant; without images where `recall_task` rebuilt it.
            variant: of the run's recipe.
            fold: from 0.
            start: number of the seed, see `Plan.training_seeds`.
        """
        from medattn_lite.training.checkpoint import load_weights

        network = build_variant(self.plan, task.recipe, task, variant, fold)
        if variant.trained:
            files = self.fold(variant.name, fold, start=start)
            load_weights(network, files.weights, remedy=files.remedy)
        return network.eval()

    def trained_on(
        self, task: Task, variant: Variant, fold: int, split: Split, *, start: int = 0
    ) -> tuple[Task, nn.Module]:
        """The network of one fold, and the task as that fold sees it.

        Args:
            task: the run's, with images, or one of other data with the same channels.
            variant: of the run's recipe.
            fold: from 0.
            split: who is trained on and who is tested.
            start: number of the seed it was trained from.
        """
        task_of_fold = task.at_start(start).for_variant(variant, with_changes(task.settings, variant.settings), split)
        return task_of_fold, self.network(task_of_fold, variant, fold, start=start)

    def _whole(self, made: Any) -> Any:
        """What is made of a part of the record; a part that does not fit is one line."""
        try:
            return made()
        except UserError:  # it has its own words
            raise
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise UserError(f"{self.record_file} is damaged or of another version ({error}): copy it again from where "
                            "it is whole, or choose another folder with --out and train anew") from None


def build_variant(
    plan: Plan, recipe: Recipe, task: Task, variant: Variant, fold: int, *, seed: int | None = None
) -> nn.Module:
    """A variant's network with the weights of the variants it needs; its own weights are fresh from the seed.

    The variants it needs are those that were trained from the same start, `task.start`.
    """
    import torch

    from medattn_lite.training.checkpoint import load_weights

    needed = {}
    for role, name in variant.needs.items():
        needed[role] = build_variant(plan, recipe, task, recipe.variant(name), fold)
        files = fold_files(plan.folder, name, fold, start=task.start)
        load_weights(needed[role], files.weights, remedy=files.remedy)
    torch.manual_seed(plan.seed + fold if seed is None else seed)
    return task.build(variant, needed)
