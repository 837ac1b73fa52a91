"""Facts that are taken as given, such as age: what do the others tell beyond them?

Age changes a brain everywhere. Where age goes with the label, so does everything that shows it. A number is adjusted
by what least squares on the given facts leave of it: on a number, its square, and on the category of a word. No label
is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from medattn_lite.audit.factors import Facts
from medattn_lite.errors import UserError

PATIENTS_PER_COLUMN = 5  # fewer would leave too little of any number


def given_columns(facts: Sequence[Facts], given: Collection[str]) -> np.ndarray | None:
    """What numbers are regressed on, (N, Q) with a constant first; None where nothing is given.

    A number is scaled and stands there with its square, a word with a column for each category but the commonest.
    A missing number counts as the mean, in a column that says so.

    Args:
        facts: of each patient.
        given: names of facts.

    Raises:
        UserError: an unknown fact, or more columns than a fifth of the patients.
    """
    if not given:
        return None
    known = sorted({name for row_facts in facts for name in row_facts})
    columns = [np.ones(len(facts))]
    for name in given:
        if name not in known:
            raise UserError(f"--given {name}: no such fact; there are {', '.join(known)}")
        columns += _columns([row_facts.get(name) for row_facts in facts])
    if len(columns) * PATIENTS_PER_COLUMN > len(facts):
        raise UserError(f"--given {','.join(given)}: {len(columns) - 1} numbers and categories are too many for "
                        f"{len(facts)} patients: give fewer facts")  # fmt: skip
    return np.stack(columns, axis=1)


def adjusted(values: np.ndarray, columns: np.ndarray | None) -> np.ndarray:
    """What is left of numbers, (N,) or (N, P), once the given facts are known; NaN stays where it is."""
    if columns is None:
        return values
    wide = np.array(values, dtype=float).reshape(len(values), -1)
    for number in wide.T:
        rows = np.isfinite(number)
        if rows.any():
            fitted = columns[rows] @ np.linalg.lstsq(columns[rows], number[rows], rcond=None)[0]
            left, spread = number[rows] - fitted, number[rows].std()
            number[rows] = np.where(np.abs(left) > 1e-9 * spread, left, 0.0)  # no rounding errors to learn from
    return wide.reshape(np.shape(values))


def _columns(values: Sequence[Any]) -> list[np.ndarray]:
    missing = np.array([value is None for value in values])
    if any(isinstance(value, str) for value in values):
        words = np.array(["" if value is None else str(value) for value in values])
        names, counts = np.unique(words, return_counts=True)
        return [(words == name).astype(float) for at, name in enumerate(names) if at != counts.argmax()]
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    scaled = (numbers - np.nanmean(numbers)) / max(float(np.nanstd(numbers)), 1e-9)
    scaled[missing] = 0.0
    kept = [scaled, scaled**2] if len(set(scaled.tolist())) > 2 else [scaled]
    return kept + ([missing.astype(float)] if missing.any() else [])
