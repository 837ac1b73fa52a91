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

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.estimates import TINY, Estimate, too_few
from medattn_lite.evaluation.intervals import NO_SPREAD, Interval, units_of, without_interval
from medattn_lite.evaluation.rank_intervals import auc_estimate

FEWEST_SEEDS = 3
Table = Sequence[Sequence[float]] | np.ndarray


def crossed_auc_difference(
    labels: Sequence | np.ndarray, first: Table, second: Table, *, groups: Sequence | None = None, level: float = 0.95
) -> Interval:
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
    pairs = [tuple(auc_estimate(labels, own, groups) for own in pair) for pair in zip(first, second, strict=True)]
    return _crossed(pairs, "difference of AUCs", level)


def crossed_mean_difference(
    first: Table, second: Table, *, groups: Sequence | None = None, level: float = 0.95
) -> Interval:
    """Mean of `first` minus mean of `second`, over seeds, with its interval over seeds and patients.

    Args:
        first: (S, N) values of one network, such as Dice per patient, one row per seed.
        second: (S, N) of the other, from the same seeds.
        groups: N patient ids.
        level: coverage.

    Raises:
        UserError: tables of different shapes, or values that are no numbers.
    """
    first, second = _tables(first, second)
    unit, units = units_of(first.shape[1], groups)

    def estimate(values: np.ndarray) -> Estimate:
        mean = float(values.mean())
        moved = np.bincount(unit, values - mean, minlength=units) / len(values)
        return Estimate(mean, moved * math.sqrt(units / max(units - 1, 1)), units - 1, units)

    pairs = [(estimate(own), estimate(other)) for own, other in zip(first, second, strict=True)]
    return _crossed(pairs, "difference of means", level)


def seed_difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, *, level: float = 0.95
) -> Interval:
    """Mean of `first` minus mean of `second`, where every seed was tested on fresh images of its own.

    Images are then part of what differs between seeds, and Student's t over seeds covers both.

    Args:
        first: (S,) scores of one network, one per seed.
        second: (S,) of the other, from the same seeds.
        level: coverage.

    Raises:
        UserError: lists of different lengths, or values that are no numbers.
    """
    first, second = _tables([[own] for own in first], [[own] for own in second])
    return _over_seeds((first - second).ravel(), level)


def _over_seeds(differences: np.ndarray, level: float) -> Interval:
    from scipy.special import stdtrit

    seeds, value = len(differences), float(differences.mean())
    method = "Student's t over seeds"
    if seeds < FEWEST_SEEDS:
        return without_interval(value, seeds, _few(seeds), level=level, method=method)
    error = float(differences.std(ddof=1)) / math.sqrt(seeds)
    if error < TINY:
        return without_interval(value, seeds, NO_SPREAD, level=level, method=method)
    reach = float(stdtrit(seeds - 1, (1 + level) / 2)) * error
    return Interval(value, value - reach, value + reach, level, seeds, 0, method)


def _few(seeds: int) -> str:
    return f"{seeds} seed{'' if seeds == 1 else 's'}, {FEWEST_SEEDS} are needed for an interval"


def _tables(first: Table, second: Table) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        raise UserError(f"a difference over seeds needs two tables (seeds, rows) of one shape, and got {first.shape} "
                        f"and {second.shape}")  # fmt: skip
    if not np.isfinite(first).all() or not np.isfinite(second).all():
        raise UserError("a difference over seeds got values that are no numbers: leave those rows out for both")
    return first, second


def _crossed(pairs: Sequence[tuple[Estimate, Estimate]], kind: str, level: float) -> Interval:
    from scipy.special import stdtrit

    seeds, units = len(pairs), len(pairs[0][0].influence)
    differences = np.array([one.value - other.value for one, other in pairs])
    moved = np.array([one.influence - other.influence for one, other in pairs])  # (S, P)
    value, counted = float(differences.mean()), min(one.counted for one, _ in pairs)
    method = f"Hillis over {seeds} seeds and {units} patients"
    missing = too_few(counted, kind) if math.isfinite(value) else ""
    if seeds < FEWEST_SEEDS:
        missing = _few(seeds)
    if missing or not math.isfinite(value):
        return without_interval(value, units, missing, level=level, method=method)
    shared = moved.mean(axis=0)
    by_seed = float(differences.var(ddof=1)) / seeds
    by_patient = float((shared**2).sum())
    both = float(((moved - shared) ** 2).sum()) / (seeds * (seeds - 1))
    variance = by_seed + max(by_patient - both, 0.0)
    if variance < TINY**2:
        return without_interval(value, units, NO_SPREAD, level=level, method=method)
    freedom = variance**2 / (by_seed**2 / (seeds - 1) + by_patient**2 / max(counted - 1, 1))
    reach = float(stdtrit(max(freedom, 1.0), (1 + level) / 2)) * math.sqrt(variance)
    return Interval(value, value - reach, value + reach, level, units, 0, method)
