"""Lesions against background, two classes a voxel, after RSANet: cross-entropy weighted by how rare a lesion is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor, nn

from medattn_lite.data.patient_splits import Split
from medattn_lite.training.losses import RSANET_LESION_SHARE, LesionCrossEntropy, RegionDiceLoss, equal_cross_entropy
from medattn_lite.training.recipes.recipe import Settings, Variant
from medattn_lite.training.tasks.overlap import STATISTICS, Measures
from medattn_lite.training.tasks.segmentation import Segmentation
from medattn_lite.training.tasks.task import Prediction, Rows
from medattn_lite.training.tasks.threshold import ChannelThreshold, channel_of_lesions

SCORES = tuple(name for name in STATISTICS if "average" in name)


class Lesions(Segmentation):
    """One region, "lesion": whatever the mask holds above 0.

    Options of the recipe, beside those of `Segmentation`: `swapped`, the lesion weights the other way round;
    `weighted`, False counts all voxels alike; `dice_weight`, how much of the soft Dice loss is added; `batch_dice`,
    one Dice of all voxels of the batch (of a process, where several share it), in place of the mean over its windows.
    """

    more_options = MappingProxyType({
        **Segmentation.more_options, "weighted": True, "dice_weight": 0.0, "batch_dice": False,
    })  # fmt: skip

    counts_lesions = True
    topic = "MS lesions"
    whole_name = "lesion"
    cross_entropy: LesionCrossEntropy  # of the variant

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

    def for_variant(self, variant: Variant, settings: Settings, split: Split) -> Self:
        """This task with the variant's lesion weights."""
        task = super().for_variant(variant, settings, split)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the printed weights are odd stands in the recipe
            task.cross_entropy = LesionCrossEntropy(RSANET_LESION_SHARE, swapped=settings.options["swapped"])
        return task

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network; a threshold on one channel where it has none."""
        if not variant.network:
            return ChannelThreshold(channel_of_lesions(self.channels))
        return super().build(variant, trained)

    def fit_without_gradients(
        self, model: nn.Module, rows: Rows, predict: Callable[[Rows], list[Prediction]]
    ) -> None:
        """Finds the threshold on training rows."""
        if isinstance(model, ChannelThreshold):
            model.fit((self.images[row] for row in rows), (self.masks[row] for row in rows))  # one after another

    def network_options(self) -> dict[str, Any]:
        return {**super().network_options(), "num_classes": 2}

    def loss(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy of logits (B, 2, D, H, W), weighted by default: the mean over the rows, each a mean over its
        voxels; and the soft Dice loss of each row, where the option `dice_weight` asks for it.
        """
        loss: Callable[[Tensor, Tensor], Tensor] = equal_cross_entropy
        if self.option("weighted"):
            loss = self.cross_entropy.to(output.device)
        rows = [loss(logits[None], mask[None]) for logits, mask in zip(output, batch["mask"], strict=True)]
        share = self.option("dice_weight")
        if not share:
            return torch.stack(rows).mean()
        dice = RegionDiceLoss(whole_batch=self.option("batch_dice"))
        return torch.stack(rows).mean() + share * dice(output[:, 1:] - output[:, :1], batch["mask"])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of a lesion, (B, 1, D, H, W)."""
        return logits.softmax(1)[:, 1:]

    def notes(self) -> list[str]:
        """Adds what "lesion" stands for."""
        known = {"phantom": "lesion: white matter lesion of a phantom", "open-ms": "lesion: consensus of the raters",
                 "lgg": "lesion: FLAIR abnormality of a glioma, as slice stacks"}  # fmt: skip
        notes = ["published on this data set: mean Dice 0.82 by patient, 110 patients, a 2-D U-Net on a GPU at 256×256 "
                 "(Buda et al. 2019)"] if self.data == "lgg" else []  # fmt: skip
        return [known.get(self.data, "lesion: whatever the mask holds above 0"), *notes, *super().notes()]
