"""Harrell's C-index with its interval: by the pairs of each patient, for two models, and by the bootstrap.

    C = pairs in order / pairs that can be compared          a tie of risks counts one half

The standard error comes from what the pairs of each patient add to C, as DeLong's does for an AUC. The interval is
Student's on the logit scale, see `evaluation.estimates`; its degrees of freedom are the number of deaths less one,
because censored patients add pairs but little else. Pairs are counted by `concordance.pair_counts`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.estimates import Estimate, difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, percentile_interval, units_of, without_interval
from medattn_lite.survival.concordance import harrell_c, pair_counts
from medattn_lite.survival.follow_up import FollowUp, checked_risk
from medattn_lite.survival.pair_draws import c_index_draws

Column = Sequence | np.ndarray
PAIRS = "pairs by patient on the logit scale"


def c_index_interval(
    event: Column, time: Column, risk: Column, *, groups: Sequence | None = None, level: float = 0.95
) -> Interval:
    """Computes Harrell's C-index with its interval by patient; NaN where no two patients can be compared.

    Args:
        event: (N,) bool, True where death was seen.
        time: (N,) days.
        risk: (N,) higher means earlier death.
        groups: N patient ids, needed as soon as a patient has more than one row.
        level: coverage.

    Raises:
        UserError: lengths that differ, or times or risks that are not numbers.
    """
    return interval_of(c_index_estimate(event, time, risk, groups), "C-index", method=PAIRS, level=level)


def paired_c_index_interval(
    event: Column, time: Column, first: Column, second: Column, *, groups: Sequence | None = None, level: float = 0.95
) -> Interval:
    """Computes the C-index of `first` minus that of `second`, two models of the same patients, with its interval."""
    left, right = (c_index_estimate(event, time, risk, groups) for risk in (first, second))
    return difference_of(left, right, "difference of C-indices", method=f"square-and-add of {PAIRS}", level=level)


def c_index_estimate(event: Column, time: Column, risk: Column, groups: Sequence | None = None) -> Estimate:
    """C-index and what each patient contributes to its error, in N log N."""
    event, time, risk = np.asarray(event, dtype=bool), np.asarray(time, dtype=float), np.asarray(risk, dtype=float)
    if not event.shape == time.shape == risk.shape or time.ndim != 1 or not np.isfinite(time + risk).all():
        raise UserError(f"a C-index needs event, days and risk of each patient, finite numbers; got {event.shape}, "
                        f"{time.shape} and {risk.shape}")  # fmt: skip
    pairs = pair_counts(event, time, risk)
    return pair_estimate(pairs.agreeing, pairs.comparable, event, groups)


def pair_estimate(
    agreeing: np.ndarray, comparable: np.ndarray, event: np.ndarray, groups: Sequence | None = None
) -> Estimate:
    """The same from pairs that are already counted, (N,) of each patient's: how many agree, and how many there are."""
    unit, units = units_of(len(event), groups)
    deaths = len(np.unique(unit[event]))
    pairs = comparable.sum() / 2
    if pairs == 0:
        return Estimate(float("nan"), np.zeros(units), 0, 0, "share")
    value = float(agreeing.sum() / 2 / pairs)
    moved = np.bincount(unit, agreeing - value * comparable, minlength=units) / pairs
    return Estimate(value, moved * np.sqrt(units / max(units - 1, 1)), deaths - 1, deaths, "share")


def c_index(
    test: FollowUp, risk: np.ndarray, *, subjects: Sequence | None = None, n: int = 1000, seed: int = 0
) -> Interval:
    """Computes Harrell's C-index with its 95 % interval by the bootstrap; `c_index_interval` covers with fewer deaths.

    Args:
        test: N patients.
        risk: (N,) higher means earlier death.
        subjects: patient ids where a patient has more than one row.
        n: bootstrap draws; 0 gives the value alone.
        seed: of the draws.

    Raises:
        UserError: no two patients can be compared, for want of deaths.
    """
    if not test.event.any():
        raise UserError(f"no death among {len(test.time)} patients: a C-index compares deaths with later times")
    risk = checked_risk(risk, test)
    units = units_of(len(test.time), subjects)[1]
    value = harrell_c(test.event, test.time, risk)
    if np.isnan(value):
        raise UserError(f"no two of {len(test.time)} patients can be compared: no death was seen while another was "
                        "followed longer")  # fmt: skip
    if not n:
        return without_interval(value, units, "")
    drawn = c_index_draws(test.event, test.time, risk, groups=subjects, n=n, seed=seed)
    return percentile_interval(value, drawn, units=units, by_patient=subjects is not None)
