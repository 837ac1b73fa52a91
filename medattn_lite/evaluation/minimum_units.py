"""The fewest units with which each kind of interval covers, as measured: below, the figure stands alone.

Read from `figures/interval_coverage.json`, which `python -m medattn_lite.evaluation.coverage` makes; a test holds this
table to it. What counts as a unit is in `COUNTED`.
"""

from __future__ import annotations

MINIMUM_UNITS: dict[str, int] = {
    "mean in 0 to 1": 4,
    "mean": 12,
    "mean above 0": 20,
    "difference of means": 20,
    "proportion": 8,
    "AUC": 11,
    "difference of AUCs": 11,
    "C-index": 8,
    "difference of C-indices": 8,
    "jackknife": 20,
    "percentile bootstrap": 40,
}
COUNTED: dict[str, str] = {
    "AUC": "patients of the smaller class",
    "difference of AUCs": "patients of the smaller class",
    "C-index": "deaths",
    "difference of C-indices": "deaths",
}  # patients everywhere else
