"""The fewest units with which each kind of interval covers, as measured: below, the figure stands alone.

Read from `figures/interval_coverage.json`, which `medattn study interval-coverage` makes; a test holds this
table to it. What counts as a unit is in `COUNTED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

MINIMUM_UNITS: dict[str, int] = {
    "mean in 0 to 1": 4,
    "mean": 4,
    "mean above 0": 20,
    "difference of means": 12,
    "proportion": 6,
    "difference of proportions": 20,
    "AUC": 11,
    "difference of AUCs": 30,
    "C-index": 7,
    "difference of C-indices": 5,
    "percentile bootstrap": 40,
    "jackknife": 20,
}
COUNTED: dict[str, str] = {
    "AUC": "patients of the smaller class",
    "difference of AUCs": "patients of the smaller class",
    "C-index": "deaths",
    "difference of C-indices": "deaths",
}  # patients everywhere else


@contextmanager
def any_number_of_units() -> Iterator[None]:
    """Lets every interval through from 2 units on, so that its coverage can be measured with few."""
    kept = dict(MINIMUM_UNITS)
    MINIMUM_UNITS.update(dict.fromkeys(kept, 2))
    try:
        yield
    finally:
        MINIMUM_UNITS.update(kept)
