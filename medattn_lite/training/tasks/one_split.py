"""Slices with one split by patient, 80 % to train on and 20 % to test: for networks of different kinds side by side."""

from __future__ import annotations

from torch import nn

from medattn_lite.data.splits import Split, stratified_kfold
from medattn_lite.networks.registry import build
from medattn_lite.training.recipes.recipe import Variant
from medattn_lite.training.tasks.slices import Slices, patient_kinds

PARTS = 5  # one of them is tested


class SlicesOneSplit(Slices):
    """`Slices` in as many of five possible 80-to-20 splits as the recipe has folds, and networks by size of their own.

    The settings' `network` gives the options of each network by its name, since the networks share none.
    """

    def splits(self) -> list[Split]:
        """The first of five splits by patient, each with another fifth to test; more of them with more folds."""
        kinds = patient_kinds(self.subjects, self.strata, PARTS)
        rows = [(patient, label) for patient, kind in kinds.items() for label in kind]
        return stratified_kfold(*zip(*rows, strict=True), PARTS, self.seed)[: self.settings.folds]

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, of the size that the settings give for its name; its weights are random."""
        size = self.settings.network.get(variant.network, {})
        return build(variant.network, **{**size, **self.network_options(), **variant.options})
