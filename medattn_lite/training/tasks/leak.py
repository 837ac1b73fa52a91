"""Leakage on purpose: the same slices, networks and budget, once with folds by patient and once by slice.

Neighbouring slices of a patient are near copies. Dealt to different folds, they let a network know patients instead
of tumours, and its score says nothing about a new patient. Nothing else in the package can split slices: only this
task can, only the recipes whose names end in `-leak` have it, and only their variant called LEAKY asks for it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from torch import nn

from medattn_lite.data.patient_splits import Split
from medattn_lite.training.recipes.recipe import Variant
from medattn_lite.training.tasks.slices import Slices


class LeakySlices(Slices):
    """`Slices`, whose rows are split by slice for a variant with the option `split_by="slice"`."""

    @property
    def leaks(self) -> bool:
        """Whether this task, as fitted to a variant, has slices of one patient on both sides."""
        return self.settings.options.get("split_by") == "slice"

    def build(self, variant: Variant, trained: dict[str, nn.Module]) -> nn.Module:
        """The variant's network, with a warning where its patients leak."""
        if self.leaks and self.progress:
            print(f"{variant.name}: patients LEAK from training to test, on purpose; not a result", file=sys.stderr)
        return super().build(variant, trained)

    def rows(self, split: Split, side: str) -> np.ndarray:
        """Rows of one side: of its patients, or, where leaking, of the fold of slices with the same number."""
        if not self.leaks:
            return super().rows(split, side)
        if side == "valid":
            return np.array([], dtype=int)
        train, test = self._slice_folds()[self.splits().index(split)]
        return test if side == "test" else train

    def _slice_folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        from sklearn.model_selection import StratifiedKFold

        splitter = StratifiedKFold(n_splits=self.settings.folds, shuffle=True, random_state=self.seed)
        return list(splitter.split(self.strata, self.strata))

    def about(self) -> dict[str, Any]:
        """The data, and for each kind of fold the share of tested slices whose patient was trained on."""
        by_patient = [(self.subjects_of(split.rows("train", self.subjects)), split.rows("test", self.subjects))
                      for split in self.splits()]  # fmt: skip
        by_slice = [(self.subjects_of(train), test) for train, test in self._slice_folds()]
        shares = {
            name: float(np.mean([self.subjects[row] in known for known, test in folds for row in test]))
            for name, folds in (("folds by patient", by_patient), ("LEAKY folds by slice", by_slice))
        }
        return {**super().about(), "tested_slices_whose_patient_was_trained_on": shares}

    def subjects_of(self, rows: np.ndarray) -> set[str]:
        """The patients of some rows."""
        return {self.subjects[row] for row in rows}
