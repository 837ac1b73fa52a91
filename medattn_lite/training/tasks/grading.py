"""Grade of a tumour from its volume: a crop around the annotated tumour, one label a patient.

Du et al. cut a 128³ box around the tumour that an expert had drawn, and mirrored low-grade images only. Both are
kept: a mask is needed to grade a new patient, and the mirroring is one class's privilege.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.data.patient_splits import Split
from medattn_lite.data.transforms import crop_around
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes.recipe import Settings, Variant
from medattn_lite.training.tasks.binary import binary_differences, binary_quick_score, binary_scores, confusion
from medattn_lite.training.tasks.clinical import standardised
from medattn_lite.training.tasks.task import Batch, Prediction, Task
from medattn_lite.training.tasks.tumour_features import FeatureLogistic, tumour_features
from medattn_lite.training.tasks.volumes import Sample, open_images, read_all


class Grading(Task):
    """Low or high grade; or, with the option `label="idh"` on data that know it, IDH wild type or mutant."""

    validates = True
    scores_validation = True
    needs_place = True

    def load(self) -> None:
        label = self.settings.options.get("label", "grade")
        if label != "grade" and self.data != "lgg":
            raise UserError(f"{self.data} does not know {label}: leave --label out, or use --data lgg")
        dataset = open_images(self, **({"task": label} if self.data == "lgg" else {}))
        self.channels = tuple(dataset.channels)
        known = [value for value in dataset.labels if value is not None]
        if len(set(known)) != 2:
            raise UserError(f"grading needs two classes and {self.data} has {sorted(set(known))}: use a data set with "
                            "grades (phantom, brats, lgg)")
        self.class_names = self._class_names()
        self.subjects, self.strata, self.images, features = [], [], ImageStore(), []
        for sample in read_all(self, dataset, keep=lambda sample: sample.get("label") is not None):
            self.images.append(self.cut(sample)["image"].half())
            self.subjects.append(sample["subject"])
            self.strata.append(int(sample["label"]))
            features.append(tumour_features(sample))
        self.features = np.array(features)

    def _class_names(self) -> tuple[str, str]:
        idh = self.settings.options.get("label") == "idh"
        return ("IDH wild type", "IDH mutant") if idh else ("low grade", "high grade")

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        super().recall(facts)
        self.class_names = self._class_names()
        self.features = np.zeros((0, 1 + 2 * len(self.channels)))

    def cut(self, sample: Sample) -> Sample:
        """A window around the annotated tumour; around the middle of the image without one."""
        return crop_around(sample, self.settings.size)

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Grading:
        """The tumours' features are standardised on the fold's training patients."""
        own = super().for_variant(variant, settings, split)
        own.scaled = standardised(self.features, own.rows(split, "train"))
        return own

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network; a logistic regression where it has none."""
        return super().build(variant, trained) if variant.network else FeatureLogistic(self.features.shape[1])

    def settle(
        self, model: nn.Module, rows: Sequence[int], predict: Callable[[Sequence[int]], list[Prediction]]
    ) -> None:
        """Fits the model without images on training rows."""
        if isinstance(model, FeatureLogistic):
            model.fit(self.scaled[rows], np.array(self.strata)[rows])

    def batch(self, rows: Sequence[int], generators: Sequence[torch.Generator]) -> Batch:
        """`image` (B, C, D, H, W) and `label` (B,); classes in the option `flip_classes` are mirrored left-right."""
        flipped = self.settings.options.get("flip_classes", (0,))
        images = []
        for row, generator in zip(rows, generators, strict=True):
            image = self.images[row].float()
            mirror = torch.rand((), generator=generator) < 0.5
            images.append(image.flip(-1) if mirror and self.strata[row] in flipped else image)
        return {"image": torch.stack(images), "label": torch.tensor([self.strata[row] for row in rows])}

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of logits (B, 2)."""
        return F.cross_entropy(output, batch["label"])

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Probability of class 1."""
        seen = self.scaled[row] if isinstance(model, FeatureLogistic) else self.images[row].float()
        logits = model(seen[None].to(device)).float()
        return {"subject": self.subjects[row], "label": self.strata[row], "probability": float(logits.softmax(1)[0, 1])}

    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """See `binary_quick_score`."""
        return binary_quick_score(predictions)

    def score(self, predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
        """See `binary_scores`."""
        return binary_scores(predictions, draws=draws)

    def compare(self, first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
        """See `binary_differences`."""
        return binary_differences(first, second)

    def details(self, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """The confusion matrix."""
        return {"confusion": confusion(predictions, self.class_names)}

    def about(self) -> dict[str, Any]:
        """Patients by class."""
        counts = {name: self.strata.count(number) for number, name in enumerate(self.class_names)}
        return {**super().about(), "classes": counts}
