"""Scores of predicted survival: C-index, Brier score, integrated Brier score and time-dependent AUC.

    Brier(t) = mean[ S(t)² 1(died by t) / G(time) + (1 − S(t))² 1(alive after t) / G(t) ]

G is the Kaplan–Meier estimate of still being followed up, so that patients who left early are stood in for by
those who stayed (Graf et al. 1999). AUC(t) asks whether those who died by t had the higher risk than those alive
after t (Uno et al. 2007). scikit-survival computes them.

Times are kept within what the data can tell, where scikit-survival would raise: from the first time in the
test set until before the last follow-up of training and test set. What happens after the last of these
times cannot change a score, so follow-up is cut there; a death after the training set's follow-up is no error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval, percentile_interval, units_of, without_interval
from medattn_lite.evaluation.jackknife import jackknife_interval
from medattn_lite.evaluation.metrics import concordance
from medattn_lite.evaluation.pair_draws import c_index_draws
from medattn_lite.evaluation.rank_intervals import c_index_interval

ONE_YEAR = 365.0


@dataclass(frozen=True)
class FollowUp:
    """Times of N patients and whether they end in death.

    Args:
        time: (N,) days to death or to the end of follow-up, 0 or more.
        event: (N,) bool, True for death.

    Raises:
        UserError: no patients, lengths that differ, times that are no days, or events that are not bool.
    """

    time: np.ndarray
    event: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", np.asarray(self.time, dtype=float))
        object.__setattr__(self, "event", np.asarray(self.event))
        if self.time.ndim != 1 or self.time.shape != self.event.shape or not len(self.time):
            raise UserError(f"{self.time.shape} times and {self.event.shape} events: give both for each patient")
        if self.event.dtype != bool:
            raise UserError(f"event is {self.event.dtype}: give bool, True where death was seen")
        if not (np.isfinite(self.time) & (self.time >= 0)).all():
            raise UserError("survival times must be numbers of days, 0 or more: leave out patients without one")

    def records(self, until: float = np.inf) -> np.ndarray:
        """scikit-survival's structured array, with longer times cut to `until`; scores before it stay the same.

        A death that was cut stays marked as one: no earlier score asks, and scikit-survival takes no set without a
        death.
        """
        from sksurv.util import Surv

        return Surv.from_arrays(self.event, np.minimum(self.time, until))


def usable_times(test: FollowUp, times: Sequence[float] | np.ndarray, *, train: FollowUp | None = None) -> np.ndarray:
    """Which of the times can be scored: bool, one for each.

    Args:
        test: the patients to score.
        times: (T,) days, rising.
        train: the patients whose censoring stands for everyone's; the test set's own if None.

    Raises:
        UserError: times that do not rise.
    """
    times = np.atleast_1d(np.asarray(times, dtype=float))
    # scikit-survival sorts the times but leaves the columns of the estimate as they are.
    if not (np.diff(times) > 0).all():
        raise UserError(f"times must rise strictly, got {times.tolist()}")
    last = min(test.time.max(), (train or test).time.max())
    return (times >= test.time.min()) & (times < last)


def c_index(
    test: FollowUp, risk: np.ndarray, *, subjects: Sequence | None = None, n: int = 1000, seed: int = 0
) -> Interval:
    """Harrell's C-index with its 95 % interval by the bootstrap; `c_index_interval` covers with fewer deaths.

    Args:
        test: N patients.
        risk: (N,) higher means earlier death.
        subjects: patient ids where a patient has more than one row.
        n: bootstrap draws; 0 gives the figure alone.
        seed: of the draws.

    Raises:
        UserError: no two patients can be compared, for want of deaths.
    """
    if not test.event.any():
        raise UserError(f"no death among {len(test.time)} patients: a C-index compares deaths with later times")
    risk = _as_risk(risk, test)
    units = units_of(len(test.time), subjects)[1]
    try:
        value = concordance(test.event, test.time, risk)
    except ValueError as error:
        raise UserError(f"no two of {len(test.time)} patients can be compared: {error}") from None
    if not n:
        return without_interval(value, units, "")
    drawn = c_index_draws(test.event, test.time, risk, groups=subjects, n=n, seed=seed)
    return percentile_interval(value, drawn, units=units, by_patient=subjects is not None)


def brier(
    test: FollowUp, survival: np.ndarray, times: Sequence[float] | np.ndarray, *, train: FollowUp | None = None
) -> np.ndarray:
    """Brier score at each time: 0 is perfect, 0.25 is what S = 0.5 for everybody gets.

    Args:
        test: N patients.
        survival: (N, T) predicted S at each time; (N,) for a single time.
        times: (T,) days, rising.
        train: see `usable_times`.

    Returns:
        (T,), NaN at times that the data cannot score, and everywhere without a death.

    Raises:
        UserError: shapes that do not fit, or S outside 0 … 1.
    """
    from sksurv.metrics import brier_score

    times = np.atleast_1d(np.asarray(times, dtype=float))
    survival = np.asarray(survival, dtype=float).reshape(len(survival), -1)
    if survival.shape != (len(test.time), len(times)):
        raise UserError(f"survival is {survival.shape} for {len(test.time)} patients and {len(times)} times")
    if not ((survival >= 0) & (survival <= 1)).all():
        raise UserError("predicted survival lies outside 0 … 1: give probabilities of being alive, not risks")
    scores = np.full(len(times), np.nan)
    usable = usable_times(test, times, train=train)
    everyone = train or test
    if usable.any() and test.event.any() and everyone.event.any():
        tested = test.records(everyone.time.max())  # later ones have no G
        scores[usable] = brier_score(everyone.records(), tested, survival[:, usable], times[usable])[1]
    return scores


def integrated_brier(
    test: FollowUp, survival: np.ndarray, times: Sequence[float] | np.ndarray, *, train: FollowUp | None = None
) -> float:
    """Mean of the Brier score over the usable times, by trapezoids; NaN with fewer than two of them."""
    scores = brier(test, survival, times, train=train)
    scored = ~np.isnan(scores)
    if scored.sum() < 2:
        return float("nan")
    days = np.asarray(times, dtype=float)[scored]
    return float(np.trapezoid(scores[scored], days) / (days[-1] - days[0]))


def time_auc(
    test: FollowUp, risk: np.ndarray, times: Sequence[float] | np.ndarray, *, train: FollowUp | None = None
) -> np.ndarray:
    """AUC(t) of a risk, each death weighted by 1 / G.

    Args:
        test: N patients.
        risk: (N,) higher means earlier death.
        times: (T,) days, rising.
        train: see `usable_times`.

    Returns:
        (T,), NaN at times that the data cannot score, and where nobody has died yet.
    """
    from sksurv.metrics import cumulative_dynamic_auc

    times = np.atleast_1d(np.asarray(times, dtype=float))
    risk = _as_risk(risk, test)
    first_death = test.time[test.event].min(initial=np.inf)
    usable = usable_times(test, times, train=train) & (times >= first_death)
    scores = np.full(len(times), np.nan)
    everyone = train or test
    if usable.any() and everyone.event.any():
        # A later death has no weight in these scores, but scikit-survival would ask for its G all the same.
        tested = test.records(np.nextafter(times[usable].max(), np.inf))
        scores[usable] = cumulative_dynamic_auc(everyone.records(), tested, risk, times[usable])[0]
    return scores


def survival_report(
    test: FollowUp,
    survival: np.ndarray,
    times: Sequence[float] | np.ndarray,
    *,
    risk: np.ndarray | None = None,
    at: float = ONE_YEAR,
    train: FollowUp | None = None,
    subjects: Sequence | None = None,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """C-index, Brier score and AUC at one time, and integrated Brier score, each with a 95 % interval by patient.

    Args:
        test: N patients.
        survival: (N, T) predicted S.
        times: (T,) days, rising; `at` is one of them.
        risk: (N,) to rank by; 1 − S(at) if None, as in the survival deck's code.
        at: days of the Brier score and the AUC.
        train: see `usable_times`; it stays the same whoever is left out.
        subjects: patient ids where a patient has more than one row.
        n: 0 leaves the intervals out; otherwise of no effect, because nothing is drawn.
        seed: of the blocks that the jackknife leaves out, above 200 patients.

    Raises:
        UserError: `at` is not among the times, or the data cannot score it.
    """
    times = np.asarray(times, dtype=float)
    if at not in times:
        raise UserError(f"day {at:g} is not among the times of the predicted survival: add it")
    everyone = train or test
    if not usable_times(test, [at], train=everyone)[0]:
        raise UserError(
            f"day {at:g} cannot be scored: it must lie from day {test.time.min():g} (first of the test set) until "
            f"before day {min(test.time.max(), everyone.time.max()):g} (end of follow-up)"
        )
    survival = np.asarray(survival, dtype=float)
    now = survival[:, times == at]
    risk = 1 - now[:, 0] if risk is None else np.asarray(risk, dtype=float)
    if not test.event.any():
        raise UserError(f"no death among {len(test.time)} patients: a C-index compares deaths with later times")
    columns = (test.time, test.event, now, survival, risk)
    scores = {
        f"Brier at {at:g} days": lambda t, e, s, *_: brier(FollowUp(t, e), s, [at], train=everyone)[0],
        "integrated Brier": lambda t, e, _, s, __: integrated_brier(FollowUp(t, e), s, times, train=everyone),
        f"AUC at {at:g} days": lambda t, e, _, __, r: time_auc(FollowUp(t, e), r, [at], train=everyone)[0],
    }
    if not n:
        units = units_of(len(test.time), subjects)[1]
        return {"C-index": c_index(test, risk, subjects=subjects, n=0),
                **{name: without_interval(score(*columns), units, "") for name, score in scores.items()}}  # fmt: skip
    deaths = int((test.event & (test.time <= at)).sum())
    return {
        "C-index": c_index_interval(test.event, test.time, _as_risk(risk, test), groups=subjects),
        **{name: jackknife_interval(score, *columns, groups=subjects, seed=seed,
                                    freedom=deaths - 1 if name.startswith("AUC") else None)
           for name, score in scores.items()},
    }  # fmt: skip


def _as_risk(risk: np.ndarray, test: FollowUp) -> np.ndarray:
    risk = np.asarray(risk, dtype=float)
    if risk.shape != test.time.shape or not np.isfinite(risk).all():
        raise UserError(f"risk of shape {risk.shape} for {len(test.time)} patients: give one finite number for each")
    return risk
