"""Scores of predicted survival: Brier score, integrated Brier score and time-dependent AUC.

    Brier(t) = mean[ S(t)² 1(died by t) / G(time) + (1 − S(t))² 1(alive after t) / G(t) ]

G is the Kaplan–Meier estimate of still being followed up, so that patients who left early are stood in for by
those who stayed (Graf et al. 1999). AUC(t) asks whether those who died by t had the higher risk than those alive
after t (Uno et al. 2007). scikit-survival computes them.

Times are kept within what the data can tell, where scikit-survival would raise: from the first time in the
test set until before the last follow-up of training and test set. What happens after the last of these
times cannot change a score, so follow-up is cut there; a death after the training set's follow-up is not an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.optional import optional
from medattn_lite.survival.follow_up import FollowUp, checked_risk


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


def brier(
    test: FollowUp, survival: np.ndarray, times: Sequence[float] | np.ndarray, *, train: FollowUp | None = None
) -> np.ndarray:
    """Computes the Brier score at each time: 0 is perfect, 0.25 is what S = 0.5 for everybody gets.

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
    optional("sksurv")
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
    """Computes the mean of the Brier score over the usable times, by trapezoids; NaN with fewer than two of them."""
    scores = brier(test, survival, times, train=train)
    scored = ~np.isnan(scores)
    if scored.sum() < 2:
        return float("nan")
    days = np.asarray(times, dtype=float)[scored]
    return float(np.trapezoid(scores[scored], days) / (days[-1] - days[0]))


def time_auc(
    test: FollowUp, risk: np.ndarray, times: Sequence[float] | np.ndarray, *, train: FollowUp | None = None
) -> np.ndarray:
    """Computes AUC(t) of a risk, each death weighted by 1 / G.

    Args:
        test: N patients.
        risk: (N,) higher means earlier death.
        times: (T,) days, rising.
        train: see `usable_times`.

    Returns:
        (T,), NaN at times that the data cannot score, and where nobody has died yet.
    """
    optional("sksurv")
    from sksurv.metrics import cumulative_dynamic_auc

    times = np.atleast_1d(np.asarray(times, dtype=float))
    risk = checked_risk(risk, test)
    first_death = test.time[test.event].min(initial=np.inf)
    usable = usable_times(test, times, train=train) & (times >= first_death)
    scores = np.full(len(times), np.nan)
    everyone = train or test
    if usable.any() and everyone.event.any():
        # A later death has no weight in these scores, but scikit-survival would ask for its G all the same.
        tested = test.records(np.nextafter(times[usable].max(), np.inf))
        scores[usable] = cumulative_dynamic_auc(everyone.records(), tested, risk, times[usable])[0]
    return scores
