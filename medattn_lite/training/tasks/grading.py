"""Grade of a tumour from its volume: a crop around the annotated tumour, one label per patient.

Du et al. cut a 128³ box around the tumour that an expert had drawn, and mirrored low-grade images only. Both are
kept: a mask is needed to grade a new patient, and the mirroring is one class's privilege.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

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
from medattn_lite.training.tasks.binary import (
    binary_differences,
    binary_quick_score,
    binary_scores,
    confusion,
    log_likelihood,
)
from medattn_lite.training.tasks.clinical import standardised
from medattn_lite.training.tasks.features import FeatureLogistic, ImageWithFeatures, tumour_features
from medattn_lite.training.tasks.task import Batch, Prediction, Rows, Task
from medattn_lite.training.tasks.volumes import Sample, open_images, read_all


class Grading(Task):
    """Low or high grade; with the option `label="idh"` of lgg IDH wild type or mutant, of a BIDS tree its column's two.

    With the option `with_features` a network stands beside the regression on the tumour's features, which is fitted
    first and stays: the network learns what is left. Of its states, the untrained one among them, the one is kept that
    gives the validation patients' labels the highest likelihood, which few patients tell better than the AUC.
    """

    images: ImageStore
    features: np.ndarray  # (N, P) of the tumours
    scaled: Tensor  # (N, P), standardised on a fold's training rows
    regression: FeatureLogistic  # on the tumours' features, fitted first where a network stands beside it
    more_options = MappingProxyType({"with_features": False})
    topic = "grade of the tumour"
    validates = True
    scores_validation = True
    needs_place = True

    def load(self) -> None:
        dataset = open_images(self, **self._asked_label())
        self.channels = tuple(dataset.channels)
        self._require_two_classes({value for value in dataset.labels if value is not None})
        self.class_names = self._class_names(getattr(dataset, "classes", ()))
        self.subjects, self.strata, self.images, features = [], [], ImageStore(), []
        for sample in read_all(self, dataset, keep=lambda sample: sample.get("label") is not None):
            self.images.append(self.crop(sample)["image"].half())
            self.subjects.append(sample["subject"])
            self.strata.append(int(sample["label"]))
            features.append(tumour_features(sample))
        self.features = np.array(features)

    def _asked_label(self) -> dict[str, str]:
        """What the reader is asked for: grade or IDH of lgg, a column of a BIDS tree's table."""
        label = self.settings.options.get("label")
        if self.data == "bids":
            return {} if label is None else {"label": label}
        if label not in (None, "grade") and self.data != "lgg":
            raise UserError(f"{self.data} does not know {label}: leave --label out, or use --data lgg")
        return {"task": label or "grade"} if self.data == "lgg" else {}

    def _require_two_classes(self, classes: set[int]) -> None:
        if classes == {0, 1}:
            return
        listed = ", ".join(map(str, sorted(classes))) or "none"
        remedy = "use a data set with grades (phantom, brats, lgg)"
        if self.data == "bids":
            remedy = "name a column of participants.tsv with two values, --label COLUMN"
        elif self.data == "nifti":
            remedy = (f"write them as 0 and 1 in the column label of the table in {self.root}" if classes
                      else f"give the table in {self.root} a column label, 0 or 1 for each patient, or choose a recipe "
                      "that needs none (medattn train --list)")
        elif self.data == "images":
            remedy = "give it two folders of pictures, one for each class"
        raise UserError(f"grading needs the two classes 0 and 1, and the labels of {self.data} are: {listed}; {remedy}")

    def _class_names(self, names: Sequence[str]) -> tuple[str, ...]:
        """The data's own names of the two classes, where they have them."""
        if len(names) == 2:
            return tuple(names)
        return ("IDH wild type", "IDH mutant") if self.settings.options.get("label") == "idh" else (
            "low grade", "high grade")  # fmt: skip

    def recall(self, facts: Mapping[str, Any] | None) -> None:
        super().recall(facts)
        self.class_names = self._class_names(tuple((facts or {}).get("classes", ())))
        self.features = np.zeros((0, 1 + 2 * len(self.channels)))

    def crop(self, sample: Sample) -> Sample:
        """A window around the annotated tumour; around the middle of the image without one."""
        return crop_around(sample, self.settings.size)

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Self:
        """The tumours' features are standardised on the fold's training patients."""
        task = super().for_variant(variant, settings, split)
        train = task.rows(split, "train")
        task.scaled = standardised(self.features, train)
        task.regression = FeatureLogistic(self.features.shape[1])
        if task.option("with_features"):
            task.regression.fit(task.scaled[train], np.array(self.strata)[train])
        return task

    @property
    def validates_start(self) -> bool:
        """Whether the untrained network is one of those to choose from."""
        return self.option("with_features")

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, beside the features where they are asked for; a regression where it has none."""
        if not variant.network:
            return FeatureLogistic(self.features.shape[1])
        network = super().build(variant, trained)
        if not variant.settings.get("options", {}).get("with_features", self.option("with_features")):
            return network
        known = getattr(self, "regression", None)  # a run that is opened again reads it with the weights
        return ImageWithFeatures(network, copy.deepcopy(known) or FeatureLogistic(self.features.shape[1]))

    def fit_without_gradients(
        self, model: nn.Module, rows: Rows, predict: Callable[[Rows], list[Prediction]]
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
        batch = {"image": torch.stack(images), "label": torch.tensor([self.strata[row] for row in rows])}
        return {**batch, "features": self.scaled[list(rows)]} if self.option("with_features") else batch

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits (B, 2), of the image or of image and features."""
        return model(batch["image"], batch["features"]) if "features" in batch else model(batch["image"])

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of logits (B, 2)."""
        return F.cross_entropy(output, batch["label"])

    def predict(self, model: nn.Module, row: int, device: torch.device) -> Prediction:
        """Probability of class 1."""
        seen = [self.images[row].float()] if not isinstance(model, FeatureLogistic) else []
        seen += [self.scaled[row]] if isinstance(model, (FeatureLogistic, ImageWithFeatures)) else []
        logits = model(*(image_input[None].to(device) for image_input in seen)).float()
        return {"subject": self.subjects[row], "label": self.strata[row], "probability": float(logits.softmax(1)[0, 1])}

    def quick_score(self, predictions: Sequence[Prediction]) -> float:
        """See `binary_quick_score`; beside the features, minus the cross-entropy."""
        return log_likelihood(predictions) if self.option("with_features") else binary_quick_score(predictions)

    def extra_inputs(self, model: nn.Module) -> tuple[list[Tensor], list[str]]:
        """Beside a new image: the features of the training patients' mean tumour, 0 once standardised."""
        if not isinstance(model, ImageWithFeatures):
            return [], []
        return [torch.zeros(1, len(model.features.weight))], ["the tumour's features are those of the training "
                                                              "patients' mean, so that the map is of the image alone"]

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
