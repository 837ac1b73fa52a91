"""Tumour regions by two networks and what joins them: soft Dice loss over overlapping regions, a sigmoid each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Generator, Tensor, nn

from medattn_lite.data.region_masks import known_regions, tumour_regions
from medattn_lite.networks.registry import build
from medattn_lite.training.augmentation import random_flip, random_intensity, random_rotation
from medattn_lite.training.losses import RegionDiceLoss
from medattn_lite.training.recipes.recipe import Variant
from medattn_lite.training.tasks.overlap import Measures
from medattn_lite.training.tasks.segmentation import Segmentation

# Which of the recipe's network options each network takes; what joins both takes all.
_OWN = {"dynunet": ("filters",), "segresnet": ("init_filters",)}


class Fusion(Segmentation):
    """Whole tumour, tumour core and enhancing tumour; the whole tumour alone where masks know no more."""

    validates = True
    topic = "tumour regions"

    def find_regions(self, labels: Sequence[int]) -> tuple[str, ...]:
        return known_regions(labels)

    def to_regions(self, mask: Tensor) -> Tensor:
        return tumour_regions(mask, self.regions)

    def find_measures(self, *, distances: bool) -> Measures:
        """Dice of each region, mean over patients, and its 95 % Hausdorff distance."""
        out = {f"{region} Dice": (region, "Dice, sample average") for region in self.regions}
        if distances:
            out |= {f"{region} HD95 (mm)": (region, "HD95 (mm)") for region in self.regions}
        return out

    def network_options(self) -> dict[str, Any]:
        return {**super().network_options(), "num_classes": len(self.regions)}

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """One of the two networks, or both with their trained weights and what joins them."""
        options = self.settings.network
        taken = {name: options[name] for name in _OWN.get(variant.network, options) if name in options}
        network = build(variant.network, **{**taken, **self.network_options(), **variant.options})
        for role, source in trained.items():
            getattr(network, role).load_state_dict(source.state_dict())
        if getattr(network, "head", None) is not None and trained:
            _start_undecided(network.get_submodule("head.head"))
        return network

    def window(self, row: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """A random window, turned, mirrored, and with other intensities."""
        image, mask = super().window(row, generator)
        image, mask = random_rotation(image, mask, generator)
        image, mask = random_flip(image, mask, generator)
        return random_intensity(image, generator), mask

    def loss(self, output: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Soft Dice loss of logits (B, R, D, H, W), mean over rows and regions."""
        return RegionDiceLoss()(output, batch["mask"])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of each region."""
        return logits.sigmoid()

    def notes(self) -> list[str]:
        """Adds which regions are missing."""
        if len(self.regions) == 3:
            return super().notes()
        return ["these masks know the whole tumour alone: tumour core and enhancing tumour are left out",
                *super().notes()]  # fmt: skip


def _start_undecided(last: nn.Module) -> None:
    """Every region begins at a probability of one half. With random weights the products inside the head give logits
    of ten and more, and where a small region begins as everywhere, the Dice loss has no gradient left to take it back.
    """
    nn.init.zeros_(last.get_parameter("weight"))
    nn.init.zeros_(last.get_parameter("bias"))
