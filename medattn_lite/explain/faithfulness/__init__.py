"""Are the maps true? Scores against known signal, perturbation, re-initialised networks, what-if phantoms."""

from __future__ import annotations

from medattn_lite.explain.faithfulness.comparison import Answer, Browser, Compared, compare, cost
from medattn_lite.explain.faithfulness.counterfactual import SITES, Laboratory, Outcome, Tumour, grading_networks
from medattn_lite.explain.faithfulness.localisation import (
    PLANES,
    Localised,
    chance,
    concentration,
    ignorant_maps,
    localise,
    localise_by_plane,
)
from medattn_lite.explain.faithfulness.perturbation import Curve, deletion_curve, empty_like, insertion_curve
from medattn_lite.explain.faithfulness.phantom_cases import PhantomCase, case_of, cohort_of, graded_heads, held_out
from medattn_lite.explain.faithfulness.sanity import cascade, reinitialised_copy, similarity

__all__ = [
    "PLANES",
    "SITES",
    "Answer",
    "Browser",
    "Compared",
    "Curve",
    "Laboratory",
    "Localised",
    "Outcome",
    "PhantomCase",
    "Tumour",
    "cascade",
    "case_of",
    "chance",
    "cohort_of",
    "compare",
    "concentration",
    "cost",
    "deletion_curve",
    "empty_like",
    "graded_heads",
    "grading_networks",
    "held_out",
    "ignorant_maps",
    "insertion_curve",
    "localise",
    "localise_by_plane",
    "reinitialised_copy",
    "similarity",
]
