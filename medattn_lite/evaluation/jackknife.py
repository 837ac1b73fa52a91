"""Intervals of any smooth figure by leaving out one patient at a time: Brier score, voxel averages, F1, AUC on a day.

    u_g = √((G − 1) / G) · (mean of the θ₍₎ − θ₍g₎)        θ₍g₎: the figure without patient g (Tukey 1958)

G evaluations, where a bootstrap takes a thousand. Above 200 patients, blocks of them drawn at random are left out
instead (Shao and Wu 1989). Not for medians and other quantiles: those jump, and the bootstrap is right for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medattn_lite.evaluation.estimates import Estimate, difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, units_of

MOST = 200  # blocks left out
Statistic = Callable[..., float]


def jackknife_interval(
    statistic: Statistic,
    *arrays: Sequence | np.ndarray,
    groups: Sequence | np.ndarray | None = None,
    scale: str = "share",
    freedom: int | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Computes the interval of `statistic(*arrays)`; NaN ends where it is not defined without one of the patients.

    Args:
        statistic: takes the arrays, returns one number; may raise ValueError or return NaN.
        *arrays: arrays of one length N, rows belonging together.
        groups: N patient ids; rows of one id are left out together.
        scale: "share" of a figure in 0 … 1, "positive" of one above 0, "plain" of any.
        freedom: degrees of freedom of Student's t; patients less one if None.
        seed: of the blocks, above 200 patients.
        level: coverage.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import auc, jackknife_interval
        >>> rng, labels = np.random.default_rng(0), np.arange(100) % 2
        >>> jackknife_interval(auc, labels, labels + rng.normal(size=100)).text(2)
        '0.81 [0.71, 0.88], n = 100'
    """
    estimate = jackknife_estimate(statistic, *arrays, groups=groups, scale=scale, freedom=freedom, seed=seed)
    return interval_of(estimate, "jackknife", method="jackknife by patient", level=level, units=estimate.counted)


def paired_jackknife_interval(
    statistic: Statistic,
    first: Sequence[Sequence | np.ndarray],
    second: Sequence[Sequence | np.ndarray],
    *,
    groups: Sequence | np.ndarray | None = None,
    scale: str = "share",
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Computes the interval of `statistic(*first) - statistic(*second)`, two models on the same rows.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import auc, paired_jackknife_interval
        >>> rng, labels = np.random.default_rng(0), np.arange(100) % 2
        >>> good, poor = labels + rng.normal(size=100), labels + 5 * rng.normal(size=100)
        >>> 0.0 in paired_jackknife_interval(auc, (labels, good), (labels, poor))
        False
    """
    left, right = (jackknife_estimate(statistic, *arrays, groups=groups, scale=scale, seed=seed)
                   for arrays in (first, second))  # fmt: skip
    return difference_of(left, right, "jackknife", method="square-and-add of jackknife intervals by patient",
                         level=level, units=left.counted)  # fmt: skip


def jackknife_estimate(
    statistic: Statistic, *arrays: Sequence | np.ndarray, groups: Sequence | np.ndarray | None = None,
    scale: str = "share", freedom: int | None = None, seed: int = 0,
) -> Estimate:  # fmt: skip
    """The figure and what each patient, or block of patients, contributes to its error."""
    columns = [np.asarray(array) for array in arrays]
    unit, units = units_of(len(columns[0]), groups)
    value = _scored(statistic, columns)
    if units > MOST:
        unit = (np.random.default_rng(seed).permutation(units) % MOST)[unit]
    blocks = min(units, MOST)
    left = np.full(blocks, np.nan)
    for block in range(blocks if blocks > 1 and np.isfinite(value) else 0):
        kept = unit != block
        left[block] = _scored(statistic, [column[kept] for column in columns])
    influence = np.sqrt((blocks - 1) / blocks) * (left.mean() - left)
    free = min(blocks - 1, blocks - 1 if freedom is None else freedom)
    return Estimate(value, influence, free, units, scale)


def _scored(statistic: Statistic, columns: Sequence[np.ndarray]) -> float:
    try:
        return float(statistic(*columns))
    except ValueError:  # one class only, or no event
        return float("nan")
