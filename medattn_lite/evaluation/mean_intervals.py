"""Intervals of means and proportions that cover with few patients.

A mean has Student's interval; where its values have bounds, as Dice has 0 and 1, on the logit scale of the mean, and
where they lie above 0, as a distance does, on its logarithm. A proportion (accuracy, pointing game) has Wilson's score
interval (Wilson 1927). Rows of one patient count as one: their sums are what varies, and Wilson's number of trials is
the number of independent ones that would be as uncertain (Korn and Graubard 1998).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.estimates import TINY, Estimate, difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, units_of

UNIT = (0.0, 1.0)
Values = Sequence | np.ndarray


def mean_interval(
    values: Values, *, groups: Sequence | np.ndarray | None = None, bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> Interval:
    """Computes the mean of N values with its interval by patient.

    Args:
        values: (N,), one per patient unless `groups` says otherwise.
        groups: N patient ids.
        bounds: what the values lie between by their nature: (0, 1) of Dice, (-1, 1) of a correlation, (0, inf) of a
            distance. None: no bounds, such as a difference. Values of 0 and 1 alone within (0, 1) are a proportion.
        level: coverage.

    Raises:
        UserError: no values, values that are not numbers or lie outside the bounds.

    Example:
        >>> from medattn_lite.evaluation import mean_interval
        >>> dice = [0.81, 0.75, 0.88, 0.69, 0.79, 0.83, 0.72, 0.77, 0.85, 0.74]
        >>> mean_interval(dice, bounds=(0, 1)).text(2)
        '0.78 [0.74, 0.82], n = 10'
    """
    values = _numbers(values)
    if bounds == UNIT and np.isin(values, UNIT).all():
        return share_interval(values, groups=groups, level=level)
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    if (values < low).any() or (values > high).any():
        raise UserError(f"values from {values.min():g} to {values.max():g} do not lie between {low:g} and {high:g}")
    if np.isfinite([low, high]).all():
        method = f"Student's t on the logit scale between {low:g} and {high:g}{_by(groups)}"
        share = _mean((values - low) / (high - low), groups, "share")
        interval = interval_of(share, "mean in 0 to 1", method=method, level=level)
        return _moved(interval, low, high - low)
    if np.isfinite(low):
        interval = interval_of(_mean(values - low, groups, "positive"), "mean above 0", level=level,
                               method=f"Student's t on the logarithmic scale above {low:g}{_by(groups)}")  # fmt: skip
        return _moved(interval, low, 1.0)
    return interval_of(_mean(values, groups, "plain"), "mean", method=f"Student's t{_by(groups)}", level=level)


def paired_mean_interval(
    first: Values, second: Values, *, groups: Sequence | np.ndarray | None = None, level: float = 0.95
) -> Interval:
    """Computes the mean difference `first - second` of two models on the same rows, with its interval by patient.

    Args:
        first: (N,) of one model.
        second: (N,) of the other, rows in the same order.
        groups: N patient ids.
        level: coverage.

    Raises:
        UserError: lengths that differ, or values that are not numbers.

    Example:
        >>> from medattn_lite.evaluation import paired_mean_interval
        >>> first = [0.81, 0.75, 0.88, 0.69, 0.79, 0.83, 0.72, 0.77, 0.85, 0.74]
        >>> second = [0.78, 0.74, 0.85, 0.70, 0.75, 0.80, 0.70, 0.74, 0.83, 0.73]
        >>> paired_mean_interval(first, second).text(3)
        '0.021 (n = 10, too few for an interval)'
    """
    first, second = _numbers(first), _numbers(second)
    if first.shape != second.shape:
        raise UserError(f"{len(first)} and {len(second)} values: a paired difference needs the same rows of both")
    return interval_of(_mean(first - second, groups, "plain"), "difference of means", level=level,
                       method=f"Student's t of the paired differences{_by(groups)}")  # fmt: skip


def proportion_interval(successes: float, n: int, *, level: float = 0.95) -> Interval:
    """Computes Wilson's interval of `successes` out of `n` independent trials.

    Raises:
        UserError: no trials, or more successes than trials.

    Example:
        >>> from medattn_lite.evaluation import proportion_interval
        >>> proportion_interval(18, 20).text(2)
        '0.90 [0.70, 0.97], n = 20'
    """
    if n < 1 or not 0 <= successes <= n:
        raise UserError(f"{successes} of {n} is not a proportion: give 0 to n successes of 1 or more trials")
    share = successes / n
    estimate = Estimate(share, np.full(n, np.sqrt(share * (1 - share)) / n), n, n, "proportion", float(n))
    return interval_of(estimate, "proportion", method="Wilson", level=level)


def share_interval(hits: Values, *, groups: Sequence | np.ndarray | None = None, level: float = 0.95) -> Interval:
    """Computes the share of rows that are hits, with Wilson's interval by patient.

    Args:
        hits: (N,) of 0 and 1, or between where a row is a hit in part (a pointing game of several highest voxels).
        groups: N patient ids.
        level: coverage.

    Raises:
        UserError: no rows, or values outside 0 … 1.

    Example:
        >>> from medattn_lite.evaluation import share_interval
        >>> share_interval([1] * 18 + [0] * 2).text(2)
        '0.90 [0.70, 0.97], n = 20'
    """
    return interval_of(share_estimate(hits, groups), "proportion", method=f"Wilson{_by(groups)}", level=level)


def paired_share_interval(
    first: Values, second: Values, *, groups: Sequence | np.ndarray | None = None, level: float = 0.95
) -> Interval:
    """Computes the difference of two models' shares of hits on the same rows, by patient (square-and-add of Wilson's).

    Raises:
        UserError: lengths that differ, or values outside 0 … 1.

    Example:
        >>> from medattn_lite.evaluation import paired_share_interval
        >>> paired_share_interval([1] * 18 + [0] * 2, [1] * 10 + [0] * 10).text(2)
        '0.40 [0.16, 0.58], n = 20'
    """
    if len(first) != len(second):
        raise UserError(f"{len(first)} and {len(second)} hits: a paired difference needs the same rows of both")
    return difference_of(share_estimate(first, groups), share_estimate(second, groups), "difference of proportions",
                         method=f"square-and-add of Wilson's intervals{_by(groups)}", level=level)  # fmt: skip


def share_estimate(hits: Values, groups: Sequence | np.ndarray | None = None) -> Estimate:
    """The share of hits and what each patient contributes to it; see `share_interval`."""
    from scipy.special import ndtri, stdtrit

    hits = _numbers(hits)
    if (hits < 0).any() or (hits > 1).any():
        raise UserError(f"hits from {hits.min():g} to {hits.max():g}: give 0 for a miss and 1 for a hit")
    estimate = _mean(hits, groups, "proportion")
    units, rows = estimate.counted, len(hits)
    if units == rows:
        return Estimate(estimate.value, estimate.influence, estimate.freedom, units, "proportion", float(rows))
    spread = estimate.value * (1 - estimate.value)
    trials = spread / estimate.error**2 if estimate.error > TINY and spread > 0 else float(units)
    if units > 1:
        trials *= float(ndtri(0.975) / stdtrit(units - 1, 0.975)) ** 2
    return Estimate(estimate.value, estimate.influence, estimate.freedom, units, "proportion", min(trials, float(rows)))


def _mean(values: np.ndarray, groups: Sequence | np.ndarray | None, scale: str) -> Estimate:
    unit, units = units_of(len(values), groups)
    mean = float(values.mean())
    moved = np.bincount(unit, values - mean, minlength=units) / len(values)
    return Estimate(mean, moved * np.sqrt(units / max(units - 1, 1)), units - 1, units, scale)


def _numbers(values: Values) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise UserError(f"an interval needs a list of finite numbers, and got {values.size} of shape {values.shape}, "
                        f"{int((~np.isfinite(values)).sum())} of them not finite: leave those out")  # fmt: skip
    return values


def _moved(interval: Interval, low: float, width: float) -> Interval:
    ends = {name: low + width * getattr(interval, name) for name in ("value", "low", "high")}
    return Interval(**{**vars(interval), **ends})


def _by(groups: Sequence | np.ndarray | None) -> str:
    return "" if groups is None else ", by patient"
