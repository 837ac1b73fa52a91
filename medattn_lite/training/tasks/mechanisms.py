"""Grade of a phantom's whole head, for looking inside: every mechanism on the same heads, and two that must fail.

A variant with the option `shuffled` learns labels that were shuffled, and its checkpoint is chosen on labels
that were shuffled: the number of patients per class is kept and nothing else, so neither training nor the choice
knows who has which grade. Its maps are what maps look like without knowledge. It is tested on the true labels.

One with the option `marked` sees a scanner mark beside every head of high grade while it learns, and none when it is
tested: it learns the mark. Its predictions with the mark on high grades, and on low grades, are kept beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.data.patient_splits import Split
from medattn_lite.data.phantom.cohort import PhantomCohort
from medattn_lite.data.phantom.geometry import make_grid
from medattn_lite.data.phantom.scanner import stamp_mark
from medattn_lite.data.transforms import crop_or_pad, normalise
from medattn_lite.errors import UserError
from medattn_lite.evaluation.metrics import auc
from medattn_lite.networks.registry import build
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes.recipe import Settings, Variant
from medattn_lite.training.tasks.grading import Grading
from medattn_lite.training.tasks.held_out import HeldOutCase, whole_head_case
from medattn_lite.training.tasks.task import Batch, Prediction
from medattn_lite.training.tasks.volumes import Sample, open_images


class Mechanisms(Grading):
    """Low or high grade of phantoms from the whole head.

    Options of the recipe: `shuffled`, shuffled labels; `marked`, a scanner mark that goes with the label.

    Attributes:
        marked_images: the heads with the mark, (C, D, H, W) half precision each.
        training_labels: label of each row that training and the choice of a checkpoint see.
    """

    needs_place = False  # whole heads
    topic = "grade of the head"
    signal_in_input = True
    marked_images: ImageStore
    training_labels: list[int]

    def load(self) -> None:
        if self.data != "phantom":
            raise UserError(f"{self.data} does not know where its signal is: leave --data out, mechanisms is about "
                            "phantoms")  # fmt: skip
        cohort = open_images(self)
        assert isinstance(cohort, PhantomCohort), "asked for above"
        self.channels, self.class_names = tuple(cohort.channels), ("low grade", "high grade")
        self.subjects, self.strata, self.images, self.marked_images = [], [], ImageStore(), ImageStore()
        grid = make_grid(cohort.shape, cohort.spacing_mm)
        for index in range(len(cohort)):
            sample = cohort[index]
            marked, _ = stamp_mark(sample["image"], grid, self.channels)
            self.images.append(normalise(sample["image"]).cpu().half())
            self.marked_images.append(normalise(marked).cpu().half())
            self.subjects.append(sample["subject"])
            self.strata.append(int(sample["label"]))
        self.training_labels = list(self.strata)
        self.features = np.zeros((len(self.subjects), 0))

    def crop(self, sample: Sample) -> Sample:
        """The whole head: as large as the phantoms, around the middle of the image."""
        return crop_or_pad(sample, self.settings.size)

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Self:
        """The variant with its training labels: the true ones, or random ones in training and validation rows alike.

        Random labels follow from the seed, the start and the number of patients per class, and from nothing else.
        """
        task = super().for_variant(variant, settings, split)
        task.training_labels = list(self.strata)
        if settings.options.get("shuffled"):
            for side, name in enumerate(("train", "valid")):
                rows = task.rows(split, name)
                counts = sorted(self.strata[row] for row in rows)
                shuffled = np.random.default_rng([self.seed, self.start, side, len(rows)]).permutation(counts)
                for row, label in zip(rows, shuffled.tolist(), strict=True):
                    task.training_labels[row] = label
        return task

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, of the size that the settings give for its name, its network or its frame."""
        sizes = self.settings.network
        names = (variant.name, variant.network, variant.network.partition("+")[0])
        size: Mapping[str, Any] = next((sizes[name] for name in names if name in sizes), {})
        return build(variant.network, **{**size, **self.network_options(), **variant.options})

    def batch(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> Batch:
        """`image` (B, C, D, H, W) and `label` (B,), the training labels; half of the heads are mirrored left-right."""
        marked = self.settings.options.get("marked")
        images = []
        for row, generator in zip(rows, generators, strict=True):
            image = (self.marked_images if marked and self.strata[row] else self.images)[row].float()
            mirror = torch.rand((), generator=generator) < 0.5
            images.append(image.flip(-1) if mirror else image)
        return {"image": torch.stack(images), "label": torch.tensor([self.training_labels[row] for row in rows])}

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Probability of high grade without the mark; for a `marked` variant also with it."""
        prediction = super().predict(model, row, device)
        if self.settings.options.get("marked"):
            prediction["probability_marked"] = _high(model, self.marked_images[row].float(), device)
        return prediction

    def quick_predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """For the choice of a checkpoint: with the training label, which a `shuffled` variant draws at random."""
        return {**super().predict(model, row, device), "label": self.training_labels[row]}

    def may_have_signal(self, label: int | None) -> bool:
        """A low grade has no voxels of a high one."""
        return bool(label)

    def held_out_case(self, sample: Sample) -> HeldOutCase | None:
        """The whole head, with what only a high grade has."""
        return whole_head_case(sample, sample["signal"][0], output=1, name="high grade")

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The confusion matrix; and the AUC with the mark on the high grades, and on the low ones."""
        details = super().details(predictions)
        if predictions and "probability_marked" in predictions[0]:
            labels = np.array([row["label"] for row in predictions])
            without = np.array([row["probability"] for row in predictions])
            with_mark = np.array([row["probability_marked"] for row in predictions])
            details["auc_by_mark"] = {
                "on high grades": auc(labels, np.where(labels == 1, with_mark, without)),
                "on low grades": auc(labels, np.where(labels == 0, with_mark, without)),
                "on none": auc(labels, without),
            }
        return details


def _high(model: nn.Module, image: Tensor, device: torch.device) -> float:
    return float(model(image[None].to(device)).float().softmax(1)[0, 1])
