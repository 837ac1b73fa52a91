"""From a figure and what each patient contributes to it, to an interval.

    se² = Σ_g u_g²          u_g: how far patient g alone moves the figure, with Bessel's correction
    plain      θ ± t·se
    share      logit⁻¹( logit θ ± t·se / (θ (1 − θ)) )        a mean, AUC or C-index in 0 … 1
    positive   θ · exp(± t·se / θ)                            a mean distance, above 0
    proportion Wilson's score interval of θ among as many independent trials as say the same

t is Student's quantile. Near an end of its scale a figure's distribution leans, and a symmetric interval misses on one
side; on the logit or logarithmic scale it does not (Newcombe 2006 for AUC). Of a difference d = θ₁ − θ₂ of two models
on the same patients, by square-and-add (Newcombe 1998, Zou and Donner 2008):

    low = d − √( ρ ((θ₁ − l₁)² + (h₂ − θ₂)²) )        ρ = Σ_g (u₁g − u₂g)² / Σ_g (u₁g² + u₂g²)

and high likewise with the other ends; ρ is what is left of the variance because the patients are the same.

Deviation: Zou and Donner subtract 2 r (θ₁ − l₁)(h₂ − θ₂) in place of ρ. With models that nearly agree, as one network
with and without an edit, what is left is then the lean of the two intervals, and coverage is 0.99 and more.
Deviation: where all patients agree at an end of the scale (AUC 1), u_g are 0. Wilson's bound of k of k, k / (k + z²),
stands there, k being the number of patients that the figure rests on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from medattn_lite.evaluation.intervals import NO_SPREAD, TOO_FEW, Interval, without_interval
from medattn_lite.evaluation.minimum_units import COUNTED, MINIMUM_UNITS

TINY = 1e-12  # a standard error below it is rounding


@dataclass(frozen=True)
class Estimate:
    """A figure and what each unit contributes to its error.

    Attributes:
        value: the figure.
        influence: (G,) u_g of each unit.
        freedom: degrees of freedom of Student's t.
        counted: units that the figure rests on, for `MINIMUM_UNITS`; see `COUNTED`.
        scale: "plain", "share", "positive" or "proportion".
        trials: of a proportion, as many independent ones as say the same.
    """

    value: float
    influence: np.ndarray
    freedom: float
    counted: int
    scale: str = "plain"
    trials: float = 0.0

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt((self.influence**2).sum()))

    def ends(self, level: float) -> tuple[float, float]:
        """Lower and upper end; NaN where the units do not differ, but at an end of a share's scale."""
        from scipy.special import ndtri, stdtrit

        value, error = self.value, self.error
        if not math.isfinite(value) or self.counted < 2:
            return math.nan, math.nan
        if self.scale == "proportion":
            return _wilson(value, self.trials, float(ndtri((1 + level) / 2)))
        if error < TINY:
            if self.scale != "share" or TINY < value < 1 - TINY:
                return math.nan, math.nan
            bound = self.counted / (self.counted + ndtri((1 + level) / 2) ** 2)
            return (bound, 1.0) if value > 0.5 else (0.0, 1 - bound)
        reach = float(stdtrit(max(self.freedom, 1), (1 + level) / 2)) * error
        if self.scale == "share" and 0 < value < 1:
            middle, half = math.log(value / (1 - value)), reach / (value * (1 - value))
            return _expit(middle - half), _expit(middle + half)
        if self.scale == "positive" and value > 0:
            return value * math.exp(-min(reach / value, 700)), value * math.exp(min(reach / value, 700))
        return value - reach, value + reach


def interval_of(
    estimate: Estimate, kind: str, *, method: str, level: float = 0.95, units: int | None = None
) -> Interval:
    """The interval of an estimate, or the value alone where it would not cover.

    Args:
        estimate: the figure.
        kind: of `MINIMUM_UNITS`.
        method: how it is made, in words.
        level: coverage.
        units: patients; as many as there are influences if None.
    """
    units = len(estimate.influence) if units is None else units
    return _checked(estimate.value, estimate.ends(level), estimate.counted, kind, units, method, level)


def difference_of(
    first: Estimate, second: Estimate, kind: str, *, method: str, level: float = 0.95, units: int | None = None
) -> Interval:
    """The interval of `first.value - second.value`, of two models on the same units; options as of `interval_of`."""
    value, counted = first.value - second.value, min(first.counted, second.counted)
    (low1, high1), (low2, high2) = first.ends(level), second.ends(level)
    shrunk = math.sqrt(_unshared(first, second))
    down = shrunk * math.hypot(first.value - low1, high2 - second.value)
    up = shrunk * math.hypot(high1 - first.value, second.value - low2)
    ends = (value - down, value + up)
    if np.abs(first.influence - second.influence).max() < TINY and abs(value) < TINY:
        ends = (math.nan, math.nan)  # one and the same model
    units = len(first.influence) if units is None else units
    return _checked(value, ends, counted, kind, units, method, level)


def too_few(counted: int, kind: str) -> str:
    """Why there is no interval, in words; empty where there are enough."""
    if counted >= MINIMUM_UNITS[kind]:
        return ""
    return f"{counted} {COUNTED[kind]}, {TOO_FEW}" if kind in COUNTED else TOO_FEW


def _checked(value: float, ends: tuple[float, float], counted: int, kind: str, units: int, method: str,
             level: float) -> Interval:  # fmt: skip
    missing = "" if not math.isfinite(value) else too_few(counted, kind)
    if math.isfinite(value) and not missing and not ends[0] < ends[1]:
        missing = NO_SPREAD
    if missing or not math.isfinite(value):
        return without_interval(value, units, missing, level=level, method=method)
    return Interval(float(value), float(ends[0]), float(ends[1]), level, units, 0, method)


def _unshared(first: Estimate, second: Estimate) -> float:
    """The variance of the difference as a share of both variances: 1 for figures that have nothing in common."""
    apart = float((first.influence**2).sum() + (second.influence**2).sum())
    return float(((first.influence - second.influence) ** 2).sum()) / apart if apart > TINY**2 else 1.0


def _wilson(share: float, trials: float, z: float) -> tuple[float, float]:
    middle, wide = share + z**2 / (2 * trials), 1 + z**2 / trials
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max((middle - half) / wide, 0.0), min((middle + half) / wide, 1.0)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
