"""Lesions against background, two classes a voxel, after RSANet: cross-entropy weighted by how rare a lesion is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from medattn_lite.data.patient_splits import Split
from medattn_lite.training.losses import RSANET_LESION_SHARE, LesionCrossEntropy
from medattn_lite.training.recipes.recipe import Settings, Variant
from medattn_lite.training.tasks.overlap import STATISTICS, Measures
from medattn_lite.training.tasks.segmentation import Segmentation

SCORES = tuple(name for name in STATISTICS if "average" in name)


class Lesions(Segmentation):
    """One region, "lesion": whatever the mask holds above 0.

    Options of the recipe, beside those of `Segmentation`: `swapped`, the lesion weights the other way round.
    """

    def find_regions(self, labels: Sequence[int]) -> tuple[str, ...]:
        return ("lesion",)

    def to_regions(self, mask: Tensor) -> Tensor:
        return (mask > 0).to(torch.uint8)

    link = "softmax"

    def channel_of(self, region: str) -> int:
        """The first channel is background."""
        return 1 + super().channel_of(region)

    def find_measures(self, *, distances: bool) -> Measures:
        return {name: ("lesion", name) for name in SCORES}

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Lesions:
        """This task with the variant's lesion weights."""
        own = super().for_variant(variant, settings, split)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the printed weights are odd stands in the recipe
            own.cross_entropy = LesionCrossEntropy(RSANET_LESION_SHARE, swapped=settings.options["swapped"])
        return own

    def network_options(self) -> dict[str, Any]:
        return {**super().network_options(), "num_classes": 2}

    def loss(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Weighted cross-entropy of logits (B, 2, D, H, W): the mean over the rows, each a mean over its voxels."""
        loss = self.cross_entropy.to(output.device)
        rows = [loss(own[None], mask[None]) for own, mask in zip(output, batch["mask"], strict=True)]
        return torch.stack(rows).mean()

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of a lesion, (B, 1, D, H, W)."""
        return logits.softmax(1)[:, 1:]

    def notes(self) -> list[str]:
        """Adds what "lesion" stands for."""
        known = {"phantom": "lesion: white matter lesion of a phantom", "open-ms": "lesion: consensus of the raters",
                 "lgg": "lesion: FLAIR abnormality of a glioma, as slice stacks"}  # fmt: skip
        return [known.get(self.data, "lesion: whatever the mask holds above 0"), *super().notes()]
