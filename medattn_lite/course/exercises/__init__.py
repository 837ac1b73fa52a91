"""The checks of the exercises, a module per notebook, and what the exercises and their texts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.course.exercises.nb03 import print_sentences, sentence_for
    from medattn_lite.course.exercises.nb04 import folds_by_patient
    from medattn_lite.course.exercises.nb05 import another_place
    from medattn_lite.course.exercises.nb06 import SLICE_BLOCKS, findings_of, slice_attention
    from medattn_lite.course.exercises.nb07 import near_only, steps_apart
    from medattn_lite.course.exercises.nb09 import fair_mass
    from medattn_lite.course.exercises.nb11 import effect_of, tipping_point
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "SLICE_BLOCKS",
    "another_place",
    "print_sentences",
    "sentence_for",
    "folds_by_patient",
    "effect_of",
    "fair_mass",
    "findings_of",
    "near_only",
    "slice_attention",
    "steps_apart",
    "tipping_point",
]
