"""Whether predicted survival comes true: predicted against observed on one day, in groups of patients.

    predicted   mean of S(t) over a group
    observed    the group's Kaplan–Meier estimate at t, with its interval
    slope       b in Cox's model of log(−log S(t)): 1 if patients differ as much as predicted, below 1 if the
                predictions lie too far apart (a network too sure of itself), 0 if they tell nothing

A network may rank well and still be wrong by half about everybody's chances: the C-index does not notice.
Papers: van Houwelingen 2000, Crowson et al. 2016, McLernon et al. 2023. scikit-survival gives curve and slope.

Deviation: where nobody (or everybody) of a group has died, the Kaplan–Meier interval has no width. The exact
(Clopper–Pearson) bound stands there instead, from those followed up to the day (from those who died).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval, bootstrap
from medattn_lite.optional import optional
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier

NEAREST = 1e-9  # S is kept this far from 0 and 1, where log(−log S) has no value


@dataclass(frozen=True)
class Calibration:
    """Predicted and observed survival of groups, from the lowest prediction to the highest, and of all.

    Attributes:
        day: on which.
        predicted: (G,) mean prediction.
        observed: (G,) Kaplan–Meier; NaN where nobody was followed up that long.
        low: (G,) lower end of the observed survival's interval.
        high: (G,) upper end.
        patients: (G,) in the group.
        deaths: (G,) until the day.
        predicted_of_all: mean prediction of everybody.
        observed_of_all: everybody's Kaplan–Meier estimate with its interval.
    """

    day: float
    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    patients: np.ndarray
    deaths: np.ndarray
    predicted_of_all: float
    observed_of_all: Interval


def calibration(
    patients: FollowUp, survival: np.ndarray, day: float, *, groups: int = 4, level: float = 0.95
) -> Calibration:
    """Compares predictions with what happened, in groups of about equal size by predicted survival.

    Args:
        patients: N patients.
        survival: (N,) predicted S on the day.
        day: days.
        groups: how many; fewer come back where predictions are tied.
        level: coverage of the intervals.

    Raises:
        UserError: predictions that are not probabilities, or fewer than one group.
    """
    survival = _checked(patients, survival)
    if groups < 1:
        raise UserError(f"cannot compare predictions in {groups} groups: use 1 or more")
    cuts = np.quantile(survival, np.arange(1, groups) / groups)
    group = np.searchsorted(cuts, survival, side="left")
    members = [group == number for number in np.unique(group)]
    columns = np.array([_observed(patients, members_of_bin, day, level) for members_of_bin in members])
    everyone = _observed(patients, np.ones(len(survival), dtype=bool), day, level)
    return Calibration(
        day=float(day),
        predicted=np.array([survival[in_bin].mean() for in_bin in members]),
        observed=columns[:, 0],
        low=columns[:, 1],
        high=columns[:, 2],
        patients=np.array([in_bin.sum() for in_bin in members]),
        deaths=np.array([(in_bin & patients.event & (patients.time <= day)).sum() for in_bin in members]),
        predicted_of_all=float(survival.mean()),
        observed_of_all=Interval(*everyone, level=level, units=len(survival), method="Kaplan–Meier"),
    )


def calibration_slope(
    patients: FollowUp,
    survival: np.ndarray,
    day: float,
    *,
    subjects: Sequence | None = None,
    n: int = 1000,
    seed: int = 0,
) -> Interval:
    """Computes the slope of log(−log S(day)) in Cox's model of the deaths until the day, with its interval.

    Args:
        patients: N patients.
        survival: (N,) predicted S on the day.
        day: follow-up is cut there.
        subjects: patient ids where a patient has more than one row.
        n: bootstrap draws.
        seed: of the draws.

    Raises:
        UserError: predictions that are not probabilities, all the same, or no death until the day.
    """
    survival = _checked(patients, survival)
    log_hazard = np.log(-np.log(np.clip(survival, NEAREST, 1 - NEAREST)))
    event = patients.event & (patients.time <= day)
    if np.ptp(log_hazard) == 0 or not event.any():
        raise UserError("a calibration slope needs predictions that differ and a death until the day")
    try:
        return bootstrap(
            _slope, np.minimum(patients.time, day), event, log_hazard, groups=subjects, n=n, seed=seed
        )  # fmt: skip
    except (ValueError, ArithmeticError) as error:
        raise UserError(f"Cox's model finds no calibration slope for {len(survival)} patients: {error}") from None


def _slope(time: np.ndarray, event: np.ndarray, log_hazard: np.ndarray) -> float:
    optional("sksurv")
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    if np.ptp(log_hazard) == 0 or not event.any():
        return float("nan")
    model = CoxPHSurvivalAnalysis(ties="efron")
    return float(model.fit(log_hazard[:, None], FollowUp(time, event).records()).coef_[0])


def _observed(patients: FollowUp, in_bin: np.ndarray, day: float, level: float) -> tuple[float, float, float]:
    """Kaplan–Meier of some patients on the day, and its interval."""
    curve = kaplan_meier(FollowUp(patients.time[in_bin], patients.event[in_bin]), level=level)
    value = float(curve.at([day])[0])
    tail = (1 - level) / 2
    if value == 1:
        return value, tail ** (1 / max(int(curve.followed([day])[0]), 1)), 1.0
    if value == 0:
        return value, 0.0, 1 - tail ** (1 / int(curve.deaths.sum()))
    low, high = curve.interval_at([day])
    return value, float(low[0]), float(high[0])


def _checked(patients: FollowUp, survival: np.ndarray) -> np.ndarray:
    survival = np.asarray(survival, dtype=float)
    if survival.shape != patients.time.shape:
        raise UserError(f"{survival.shape} predictions for {len(patients.time)} patients: give one for each")
    if not ((survival >= 0) & (survival <= 1)).all():
        raise UserError("predicted survival lies outside 0 … 1: give probabilities of being alive, not risks")
    return survival
