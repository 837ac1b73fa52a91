"""Confidence intervals by the bootstrap, drawn by patient.

The percentile bootstrap (Efron 1979): draw as many patients as there are, with replacement, compute
the statistic again, repeat, and read off the 2.5 % and 97.5 % quantiles. When several rows belong to
one patient (slices, lesions), whole patients are drawn: rows of one patient are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError


@dataclass(frozen=True)
class Interval:
    """A figure with its interval.

    Attributes:
        value: the statistic on the data as they are.
        low: lower end of the interval.
        high: upper end.
        level: coverage aimed at, 0.95 by default.
        units: number of independent units drawn (patients, or rows where no patients were named).
        draws: bootstrap draws that gave a finite statistic.
        method: how the interval was made, in words.
    """

    value: float
    low: float
    high: float
    level: float = 0.95
    units: int = 0
    draws: int = 0
    method: str = "percentile bootstrap"

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def as_dict(self) -> dict[str, float | int | str]:
        """The fields as plain JSON values."""
        return dict(vars(self))


def bootstrap(
    statistic: Callable[..., float],
    *arrays: Sequence | np.ndarray,
    groups: Sequence | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of `statistic(*arrays)` by resampling patients.

    Args:
        statistic: takes the arrays, returns one number; may raise ValueError or return NaN on a draw
            that cannot be scored (one class only): such draws are left out and counted.
        *arrays: arrays of one length N, rows belonging together.
        groups: N patient ids; rows of one id are drawn together. None: each row is a unit of its own.
        n: number of draws; 0 gives the figure alone, with NaN for its ends.
        seed: of the draws.
        level: coverage.

    Returns:
        the interval.

    Raises:
        UserError: arrays of different lengths, no rows, or no draw that could be scored.
    """
    columns = [np.asarray(array) for array in arrays]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or 0 in lengths:
        raise UserError(f"bootstrap needs arrays of one length above 0, got lengths {[len(c) for c in columns]}")
    rows_of = _rows_by_unit(len(columns[0]), groups)
    if n == 0:
        return Interval(_score(statistic, columns, np.arange(len(columns[0]))), np.nan, np.nan, level, len(rows_of))
    rng = np.random.default_rng(seed)
    draws = [
        _score(statistic, columns, np.concatenate([rows_of[k] for k in rng.integers(0, len(rows_of), len(rows_of))]))
        for _ in range(n)
    ]
    finite = np.array([d for d in draws if np.isfinite(d)])
    if finite.size == 0:
        raise UserError("no bootstrap draw could be scored: check that both classes (or any events) are there")
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(finite, [tail, 100 - tail])
    method = "percentile bootstrap by patient" if groups is not None else "percentile bootstrap"
    value = float(statistic(*columns))
    return Interval(value, float(low), float(high), level, len(rows_of), int(finite.size), method)


def paired_difference(
    statistic: Callable[..., float],
    truth: Sequence | np.ndarray,
    first: Sequence | np.ndarray,
    second: Sequence | np.ndarray,
    *,
    groups: Sequence | None = None,
    n: int = 1000,
    seed: int = 0,
) -> Interval:
    """Interval of `statistic(truth, first) - statistic(truth, second)`: two models on the same patients.

    The same patients are drawn for both models, so what makes a patient hard cancels out. If 0 lies
    inside the interval, the data do not tell the two models apart.
    """

    def difference(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
        return statistic(truth, first) - statistic(truth, second)

    return bootstrap(difference, truth, first, second, groups=groups, n=n, seed=seed)


def _rows_by_unit(length: int, groups: Sequence | None) -> list[np.ndarray]:
    if groups is None:
        return [np.array([row]) for row in range(length)]
    if len(groups) != length:
        raise UserError(f"bootstrap got {len(groups)} patient ids for {length} rows: give one id a row")
    _, unit = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(unit, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(unit[order])) + 1)


def _score(statistic: Callable[..., float], columns: list[np.ndarray], rows: np.ndarray) -> float:
    try:
        return float(statistic(*(column[rows] for column in columns)))
    except ValueError:  # a draw with one class only, or without an event
        return float("nan")
