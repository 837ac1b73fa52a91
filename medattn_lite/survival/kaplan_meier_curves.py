"""Survival of groups: Kaplan–Meier curves with intervals, groups by predicted risk, the log-rank test.

    S(t) = Π_{t_i ≤ t} (1 − d_i / n_i)        d_i deaths on day t_i among n_i patients still followed up

Papers: Kaplan & Meier 1958; the interval is that of log(−log S) (Borgan & Liestøl 1990), which stays within
0 … 1; the log-rank test compares the deaths of each group with those expected if all were one group (Mantel
1966), for which scikit-survival is asked.

The interval is [1, 1] before the first death. Once a group has died out S is 0 and the interval is not known: NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.optional import optional
from medattn_lite.survival.follow_up import FollowUp


@dataclass(frozen=True)
class KaplanMeier:
    """A step function: S stays at `survival[k]` from day `times[k]` until the next.

    Attributes:
        times: (T,) days on which follow-up of somebody ended, 0 first.
        survival: (T,) S.
        low: (T,) lower end of the interval at each day.
        high: (T,) upper end.
        at_risk: (T,) patients still followed up just before each day.
        deaths: (T,) deaths on each day.
    """

    times: np.ndarray
    survival: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_risk: np.ndarray
    deaths: np.ndarray

    @property
    def median(self) -> float:
        """First day on which at most half are alive; infinite where follow-up ended before."""
        below = self.times[self.survival <= 0.5]
        return float(below[0]) if len(below) else float("inf")

    @property
    def censored(self) -> np.ndarray:
        """(T,) patients whose follow-up ended on each day while they lived."""
        return self.at_risk - self.deaths - np.r_[self.at_risk[1:], 0]

    def at(self, days: Sequence[float] | np.ndarray) -> np.ndarray:
        """S on any days; NaN after the last follow-up unless all have died."""
        return self._on(days, self.survival)

    def interval_at(self, days: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both ends of the interval on any days; NaN where S or its interval is not known."""
        return self._on(days, self.low), self._on(days, self.high)

    def followed(self, days: Sequence[float] | np.ndarray) -> np.ndarray:
        """Patients still followed up on any days: the numbers at risk under a curve."""
        return np.r_[self.at_risk, 0][np.searchsorted(self.times, np.asarray(days, dtype=float), side="left")]

    def _on(self, days: Sequence[float] | np.ndarray, column: np.ndarray) -> np.ndarray:
        days = np.asarray(days, dtype=float)
        values = column[np.searchsorted(self.times, days, side="right") - 1]
        return np.where((days > self.times[-1]) & (self.survival[-1] > 0), np.nan, values)


def kaplan_meier(patients: FollowUp, *, level: float = 0.95) -> KaplanMeier:
    """Computes the Kaplan–Meier curve; a flat 1 without a death.

    Args:
        patients: N patients.
        level: coverage of the interval at each day.
    """
    days, inverse = np.unique(patients.time, return_inverse=True)
    ended = np.bincount(inverse)
    deaths = np.bincount(inverse, patients.event).astype(int)
    at_risk = len(patients.time) - np.cumsum(ended) + ended
    survival = np.cumprod(1 - deaths / at_risk)
    low, high = _log_log_interval(survival, at_risk, deaths, level)
    if days[0] > 0:
        days, at_risk, deaths = np.r_[0.0, days], np.r_[len(patients.time), at_risk], np.r_[0, deaths]
        survival, low, high = (np.r_[1.0, column] for column in (survival, low, high))
    return KaplanMeier(days, survival, low, high, at_risk, deaths)


def _log_log_interval(
    survival: np.ndarray, at_risk: np.ndarray, deaths: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """S^exp(± z · SE / log S), SE² = Σ d / (n (n − d)) by Greenwood; [1, 1] where S is 1, NaN where it is 0."""
    inside = (survival < 1) & (survival > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(deaths / (at_risk * (at_risk - deaths))))
        power = np.exp(NormalDist().inv_cdf((1 + level) / 2) * error / np.log(survival))  # below 1
        ends = survival ** (1 / power), survival**power
    low, high = (np.where(inside, end, np.where(survival == 1, 1.0, np.nan)) for end in ends)
    return low, high


def risk_groups(risk: np.ndarray, *, groups: int = 2, reference: np.ndarray | None = None) -> np.ndarray:
    """Cuts patients into groups of rising risk at the quantiles of a reference, by default their own.

    Give the training patients' risks as the reference: a cut chosen on the test patients has seen them.

    Args:
        risk: (N,) higher means earlier death.
        groups: how many; 2 cuts at the median.
        reference: (M,) risks whose quantiles are the cuts.

    Returns:
        (N,) int, 0 for the lowest risk. A group may be empty where risks lie on one side of the cuts.

    Raises:
        UserError: fewer than two groups, or a reference in which risks do not differ enough for them.
    """
    risk = np.asarray(risk, dtype=float)
    reference = risk if reference is None else np.asarray(reference, dtype=float)
    if groups < 2:
        raise UserError(f"cannot compare {groups} risk group: ask for two or more")
    if not (np.isfinite(risk).all() and np.isfinite(reference).all()):
        raise UserError("risks must be finite numbers: leave out patients without one")
    cuts = np.quantile(reference, np.arange(1, groups) / groups) if len(reference) else np.array([])
    # A cut with nothing above it, or equal to the next, leaves a group empty.
    if len(np.unique(np.searchsorted(cuts, reference, side="left"))) < groups:
        different = len(np.unique(reference))
        raise UserError(f"{different} different risks cannot be cut into {groups} groups: ask for fewer")
    return np.searchsorted(cuts, risk, side="left")


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Attributes:
        chi_squared: the statistic.
        p_value: two-sided; groups − 1 degrees of freedom.
        observed: deaths in each group, by its name.
        expected: deaths expected in each if all had one survival.
    """

    chi_squared: float
    p_value: float
    observed: dict[object, int]
    expected: dict[object, float]


def log_rank(patients: FollowUp, groups: Sequence | np.ndarray) -> LogRank:
    """Tests whether the survival of groups differs.

    Args:
        patients: N patients.
        groups: (N,) a group for each.

    Raises:
        UserError: fewer than two groups, or no day on which a death could have come in more than one of them.
    """
    optional("sksurv")
    from sksurv.compare import compare_survival

    groups = np.asarray(groups)
    if groups.shape != patients.time.shape:
        raise UserError(f"{groups.shape} groups for {len(patients.time)} patients: give one for each")
    names = np.unique(groups).tolist()
    if len(names) < 2:
        raise UserError(f"all patients are in group {names[0]}: a log-rank test compares two or more")
    if not patients.event.any():
        raise UserError("no death in any group: a log-rank test compares deaths")
    try:
        chi_squared, p_value, table, _ = compare_survival(patients.records(), groups, return_stats=True)
    except np.linalg.LinAlgError:
        raise UserError("no death came while two groups were under follow-up: they cannot be compared") from None
    return LogRank(
        float(chi_squared),
        float(p_value),
        dict(zip(names, table["observed"].astype(int).tolist(), strict=True)),
        dict(zip(names, table["expected"].tolist(), strict=True)),
    )
