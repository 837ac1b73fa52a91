"""What a task is: where images come from, what a batch holds, its loss, its predictions and its scores.

The trainer knows only this class; it never looks into a batch. A task holds its prepared images, in half precision, so
that a fold costs no second reading: of a large cohort on disk, see `image_store`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.data.patient_splits import Split, stratified_kfold
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.networks.registry import build
from medattn_lite.training.image_store import chained
from medattn_lite.training.recipes.recipe import Recipe, Settings, Variant
from medattn_lite.training.tasks.held_out import HeldOutCase
from medattn_lite.training.tasks.volumes import Sample, open_images, standardise

Prediction = dict[str, Any]
Batch = dict[str, Tensor]
Rows = Sequence[int] | np.ndarray  # numbers of a task's rows


class Task(ABC):
    """One kind of question, asked of one data set.

    Args:
        recipe: the protocol.
        settings: its numbers.
        data: name of the data set, "phantom" or one of `medattn_lite.data.NAMES`.
        root: its folder; None for phantoms.
        seed: of phantoms and splits.
        device: where phantoms are rendered.
        progress: show bars.

    Attributes:
        subjects: patient of every row; a row is what is predicted at once: a patient, or a slice.
        strata: class of every row, to spread over the folds.
        groups: what stays together in a split: the patient.
        start: number of the seed that is trained from, 0 for the first; patients and folds are the same for all.
        validates: whether training watches patients of its own to keep its best state.
        scores_validation: whether the chosen state's scores on those patients are kept, too.
        channels: names of the images' channels.
        class_names: of the classes, in the order of a network's outputs; empty where there are none.
        regions: of the masks, one name per channel; empty where none are learned.
        unit: what is explained at once: a "volume", "windows" of one, or its "slices".
        asks: what a network is asked about: a "class", a "region" or the "risk".
        topic: what is asked, in a few words, for titles.
        needs_place: whether images are cut around the tumour, so that a new one needs a mask or a point.
        signal_in_input: whether a phantom's signal is a set of voxels of the network's input; see `held_out_case`.
        counts_lesions: whether it looks for one kind of lesion, whose volumes and Dice by patient are worth a table.
        more_options: options that the task takes beside those of its recipe, with what they are if they are left out.
        masks: of every row, (R, D, H, W), where a task learns from masks.
        spacings: voxel size of every row in mm (D, H, W), None where unknown, where a task learns from masks.
        cases: what identifies the data, see `data_identity.identify`; None for phantoms.
        remarks: what a reader had to say about the data, and what was left out of them, in words.
    """

    device: str | torch.device
    subjects: list[str]
    strata: list[Any]
    channels: tuple[str, ...]
    cases: dict[str, dict[str, str]] | None
    remarks: list[str]
    class_names: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    unit: str = "volume"
    asks: str = "class"
    topic: str = "class of the image"
    needs_place: bool = False
    signal_in_input: bool = False
    counts_lesions: bool = False
    masks: Sequence[Tensor]
    spacings: list[tuple[float, ...] | None]
    # what holds one entry a row; see `joined`
    per_row: tuple[str, ...] = (
        "subjects", "strata", "images", "masks", "spacings", "shapes", "features", "marked_images", "training_labels",
    )  # fmt: skip
    start: int = 0
    validates: bool = False
    scores_validation: bool = False
    more_options: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        *,
        data: str = "phantom",
        root: Path | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = True,
    ) -> None:
        self.recipe, self.settings, self.data, self.root = recipe, settings, data, root
        self.seed, self.device, self.progress = seed, device, progress
        self.cases, self.remarks = None, []
        self.load()

    @abstractmethod
    def load(self) -> None:
        """Reads or makes all images; sets `subjects`, `strata` and `channels`."""

    @classmethod
    def from_record(
        cls, recipe: Recipe, settings: Settings, *, data: str, facts: Mapping[str, Any] | None, seed: int = 0
    ) -> Task:
        """Rebuilds a task from a run's record, without its images: for its networks, and to prepare new images.

        Args:
            recipe: the protocol.
            settings: as trained with.
            data: name of the data set.
            facts: of `about`, as the run's metrics keep them; None where phantoms are asked instead.
            seed: as trained with.
        """
        task = cls.__new__(cls)
        task.recipe, task.settings, task.data, task.root = recipe, settings, data, None
        task.seed, task.device, task.progress = seed, "cpu", False
        task.cases, task.remarks = None, []
        task.subjects, task.strata = [], []
        task.recall(facts)
        return task

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        """Sets what `load` would have found about the images, without them."""
        self.channels = tuple(open_images(self).channels if facts is None else facts["channels"])

    def option(self, name: str) -> Any:
        """One of `more_options`, as the settings have it."""
        return self.settings.options.get(name, self.more_options[name])

    @property
    def spacing_mm(self) -> Any:
        """Voxel size that images are brought to: the option of that name, or the phantoms' own; None leaves theirs."""
        wanted = self.settings.options.get("spacing_mm")
        return self.settings.phantom.get("spacing_mm") if wanted is None and self.data == "phantom" else wanted

    def prepare(self, sample: Sample) -> Sample:
        """A raw 3-D sample as this task's networks are given it; its affine says where it lies."""
        return self.crop(standardise(self, sample))

    def crop(self, sample: Sample) -> Sample:
        """The part of a standardised sample that a network is given: all of it, by default."""
        return sample

    @property
    def validates_start(self) -> bool:
        """Whether the untrained network is one of the states to choose from."""
        return False

    @property
    def groups(self) -> list[str]:
        """What a split keeps together, one per row."""
        return self.subjects

    def splits(self) -> list[Split]:
        """Cross-validation by patient: fold k is tested, fold k + 1 validates where the recipe stops early."""
        folds = stratified_kfold(self.groups, self.strata, self.settings.folds, self.seed)
        if not self.validates or len(folds) < 3:
            return folds
        held = [fold.test for fold in folds]
        valid = [held[(number + 1) % len(held)] for number in range(len(held))]
        return [
            Split(tuple(p for p in fold.train if p not in set(validation)), fold.test, validation)
            for fold, validation in zip(folds, valid, strict=True)
        ]

    def rows(self, split: Split, side: str) -> np.ndarray:
        """Rows of one side of a split."""
        return split.rows(side, self.groups)

    def at_start(self, start: int) -> Self:
        """This task for the training from another seed; the images are shared."""
        task = copy.copy(self)
        task.start = start
        return task

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Self:
        """This task with a variant's settings and fitted to a fold's training rows; the images are shared."""
        task = copy.copy(self)
        task.settings = settings
        return task

    def joined(self, other: Self) -> Self:
        """This task's rows and then those of the same task on other data: to fit on the first and test on the second.

        Args:
            other: with the same settings and channels, and none of this task's patients.

        Raises:
            UserError: the two do not fit each other.
        """
        task = copy.copy(self)
        for name in self.per_row:
            if hasattr(self, name):
                setattr(task, name, chained(getattr(self, name), getattr(other, name)))
        return task

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """Builds the variant's network; only the networks that it is composed of come trained.

        Args:
            variant: what to build.
            trained: role → network of the variants it needs.
        """
        options = {**self.settings.network_options(variant.network), **self.network_options(), **variant.options}
        return build(variant.network, **options)

    def network_options(self) -> dict[str, Any]:
        """Options that follow from the data."""
        return {"in_channels": len(self.channels)}

    @abstractmethod
    def batch(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> Batch:
        """Training images of some rows on the CPU, each changed at random with its own generator; first axis: row."""

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """The network's output for a batch."""
        return model(batch["image"])

    @abstractmethod
    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """One number, the mean over the rows of the batch."""

    def fit_without_gradients(  # noqa: B027 - nothing to fit, by default
        self, model: nn.Module, rows: Rows, predict: Callable[[Rows], list[Prediction]]
    ) -> None:
        """Fits what needs no gradients, after training or instead of it; nothing by default.

        Called on the variant's own task, before the fold's test rows are predicted.

        Args:
            model: of `build`, trained if the variant is.
            rows: the fold's training rows.
            predict: this task's predictions of some rows.
        """

    @abstractmethod
    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """What the network says of one whole row, as plain JSON values; with `subject` and the truth."""

    def quick_predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """What `quick_score` needs of `predict`, where the rest is slow to measure."""
        return self.predict(model, row, device)

    @abstractmethod
    def score(self, predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
        """Scores of predictions pooled over folds, with 95 % intervals by patient; `draws=0` leaves those out.

        A score that these predictions do not define (one class only, no death) is NaN.
        """

    @abstractmethod
    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """One number to choose a checkpoint by; higher is better."""

    @abstractmethod
    def compare(self, first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
        """Differences of scores, first minus second, on the same patients, with paired intervals."""

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """More about the predictions, as plain JSON values: a confusion matrix, scores patient by patient."""
        return {}

    def output_names(self, model: nn.Module) -> list[str]:
        """Names of what a network puts out, in order."""
        return list(self.class_names)

    def usual_class(self, output: Tensor) -> int:
        """The class to explain where none is asked for: the one predicted, over all rows of (N, K) logits."""
        return int(output.mean(dim=0).argmax())

    def in_words(self, output: Tensor, model: nn.Module) -> str:
        """What a network says of an image.

        Args:
            output: (1, K) of a volume, or (N, 2) of its slices.
            model: said it.
        """
        chances = output.softmax(dim=1)[0]
        best = int(chances.argmax())
        return f"{self.class_names[best]}, probability {float(chances[best]):.2f}"

    def extra_inputs(self, model: nn.Module) -> tuple[list[Tensor], list[str]]:
        """What a network takes beside a new image, and what a reader must know of it; nothing, by default.

        Raises:
            UserError: a new image alone cannot be prepared as this run's were.
        """
        return [], []

    def may_have_signal(self, label: int | None) -> bool:
        """Whether a phantom of this label can have something to find; asked before it is rendered."""
        return True

    def held_out_case(self, sample: Sample) -> HeldOutCase | None:
        """A phantom's raw sample as the network takes it, with the voxels that decide; None where there are none."""
        raise UserError(f"the signal of the recipe {self.recipe.name} is not a set of voxels of the network's input: "
                        "use a network of mechanisms, presence, lesions or fusion")  # fmt: skip

    def published(self) -> Mapping[str, Mapping[str, str]]:
        """Variant → score, as `score` names it → the paper's figure for what this task was asked; others as printed."""
        return self.recipe.published

    def about(self) -> dict[str, Any]:
        """What the data are, for the record: counts that a reader needs beside the scores."""
        return {"rows": len(self.subjects), "patients": len(set(self.subjects)), "channels": list(self.channels)}
