"""The difference of two networks over seeds and patients at once: both are drawn, both are luck.

Each network is trained from S seeds and tested on the same P patients. d_s is the difference in seed s, paired: the
same weights to start from and the same order of the data. Seeds take the place that readers have in a study of several
readers and cases, and the analysis is that of Dorfman, Berbaum and Metz (1992) with the degrees of freedom of Hillis
(2007):

    d = mean of d_s
    V = V_seed + max(V_patient − V_both, 0)
    V_seed     Σ_s (d_s − d)² / (S (S − 1))                        seeds, on these patients
    V_patient  Σ_p u_p²                                            patients, for these seeds; u_p: mean over s of u_sp
    V_both     Σ_sp (u_sp − u_p)² / (S (S − 1))                    what V_seed and V_patient both hold
    d ± t_ν √V,    ν = V² / (V_seed² / (S − 1) + V_patient² / (P' − 1))

u_sp is how far patient p alone moves d_s (DeLong's components of an AUC, the deviation from the mean of a mean). P' is
the number of patients that the figure rests on, for an AUC those of the smaller class.

Deviation: Hillis has the first of the two terms under ν alone; the second keeps ν finite where seeds agree.

What it covers: another seed, and another patient of the same kind, with the training patients that there are. How
often, a test measures (`tests/evaluation/test_crossed.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.auc_intervals import auc_estimate
from medattn_lite.evaluation.estimates import TINY, Estimate, too_few
from medattn_lite.evaluation.intervals import NO_SPREAD, Interval, units_of

FEWEST_SEEDS = 3
Table = Sequence[Sequence[float]] | np.ndarray


@dataclass(frozen=True)
class SeedInterval(Interval):
    """An interval over seeds.

    Attributes:
        seeds: S.
        p: two-sided, of "the difference is 0"; from Student's t, as the interval. NaN where there is no interval.
    """

    seeds: int = 0
    p: float = math.nan


def crossed_auc_difference(
    labels: Sequence | np.ndarray, first: Table, second: Table, *, groups: Sequence | np.ndarray | None = None,
    level: float = 0.95,
) -> SeedInterval:
    """AUC of `first` minus AUC of `second`, mean over seeds, with its interval over seeds and patients.

    Args:
        labels: (N,) 0 or 1.
        first: (S, N) scores of one network, one row per seed.
        second: (S, N) of the other, from the same seeds.
        groups: N patient ids, needed as soon as a patient has more than one row.
        level: coverage.

    Raises:
        UserError: tables of different shapes, or what an AUC cannot be made of.
    """
    first, second = _tables(first, second)
    pairs = [(auc_estimate(labels, first_scores, groups), auc_estimate(labels, second_scores, groups))
             for first_scores, second_scores in zip(first, second, strict=True)]  # fmt: skip
    return _crossed(pairs, "difference of AUCs", level)


def crossed_mean_difference(
    first: Table, second: Table, *, groups: Sequence | np.ndarray | None = None, level: float = 0.95
) -> SeedInterval:
    """Mean of `first` minus mean of `second`, over seeds, with its interval over seeds and patients.

    Args:
        first: (S, N) values of one network, such as Dice per patient, one row per seed.
        second: (S, N) of the other, from the same seeds.
        groups: N patient ids.
        level: coverage.

    Raises:
        UserError: tables of different shapes, or values that are not numbers.
    """
    first, second = _tables(first, second)
    unit, units = units_of(first.shape[1], groups)

    def estimate(values: np.ndarray) -> Estimate:
        mean = float(values.mean())
        moved = np.bincount(unit, values - mean, minlength=units) / len(values)
        return Estimate(mean, moved * math.sqrt(units / max(units - 1, 1)), units - 1, units)

    pairs = [(estimate(scores), estimate(other)) for scores, other in zip(first, second, strict=True)]
    return _crossed(pairs, "difference of means", level)


def seed_difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, *, level: float = 0.95
) -> SeedInterval:
    """Mean of `first` minus mean of `second`, where every seed was tested on fresh images of its own.

    Images are then part of what differs between seeds, and Student's t over seeds covers both.

    Args:
        first: (S,) scores of one network, one per seed.
        second: (S,) of the other, from the same seeds.
        level: coverage.

    Raises:
        UserError: lists of different lengths, or values that are not numbers.
    """
    first, second = _tables([[values] for values in first], [[values] for values in second])
    return _over_seeds((first - second).ravel(), level)


def _over_seeds(differences: np.ndarray, level: float) -> SeedInterval:
    seeds = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(seeds) if seeds > 1 else 0.0
    missing = _few(seeds) if seeds < FEWEST_SEEDS else ""
    return _student(float(differences.mean()), error, seeds - 1, level=level, units=seeds, seeds=seeds,
                    method="Student's t over seeds", missing=missing)  # fmt: skip


def _student(
    value: float, error: float, freedom: float, *, level: float, units: int, seeds: int, method: str, missing: str
) -> SeedInterval:
    """The interval of a figure with a standard error, or the value alone and why."""
    from scipy.special import stdtr, stdtrit

    missing = missing or (NO_SPREAD if error < TINY else "")
    if missing or not math.isfinite(value):
        return SeedInterval(value, math.nan, math.nan, level, units, 0, method, missing, seeds)
    freedom = max(freedom, 1.0)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    return SeedInterval(value, value - reach, value + reach, level, units, 0, method, "", seeds, p)


def _few(seeds: int) -> str:
    return f"{seeds} seed{'' if seeds == 1 else 's'}, {FEWEST_SEEDS} are needed for an interval"


def _tables(first: Table, second: Table) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        raise UserError(f"a difference over seeds needs two tables (seeds, rows) of one shape, and got {first.shape} "
                        f"and {second.shape}")  # fmt: skip
    if not np.isfinite(first).all() or not np.isfinite(second).all():
        raise UserError("a difference over seeds got values that are not numbers: leave those rows out for both")
    return first, second


def _crossed(pairs: Sequence[tuple[Estimate, Estimate]], kind: str, level: float) -> SeedInterval:
    seeds, units = len(pairs), len(pairs[0][0].influence)
    differences = np.array([left.value - right.value for left, right in pairs])
    moved = np.array([left.influence - right.influence for left, right in pairs])  # (S, P)
    value, counted = float(differences.mean()), min(estimate.counted for estimate, _ in pairs)
    missing = too_few(counted, kind) if math.isfinite(value) else ""
    error = freedom = 0.0
    if seeds < FEWEST_SEEDS:
        missing = _few(seeds)
    elif not missing:
        shared = moved.mean(axis=0)
        by_seed = float(differences.var(ddof=1)) / seeds
        by_patient = float((shared**2).sum())
        both = float(((moved - shared) ** 2).sum()) / (seeds * (seeds - 1))
        variance = by_seed + max(by_patient - both, 0.0)
        spread = by_seed**2 / (seeds - 1) + by_patient**2 / max(counted - 1, 1)
        error, freedom = math.sqrt(variance), variance**2 / spread if spread > 0 else 0.0
    return _student(value, error, freedom, level=level, units=units, seeds=seeds, missing=missing,
                    method=f"Hillis over {seeds} seeds and {units} patients")  # fmt: skip
