"""Follow-up of patients: times, and whether they end in death."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.optional import optional

ONE_YEAR = 365.0


@dataclass(frozen=True)
class FollowUp:
    """Times of N patients and whether they end in death.

    Args:
        time: (N,) days to death or to the end of follow-up, 0 or more.
        event: (N,) bool, True for death.

    Raises:
        UserError: no patients, lengths that differ, times that are not days, or events that are not bool.
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
        optional("sksurv")
        from sksurv.util import Surv

        return Surv.from_arrays(self.event, np.minimum(self.time, until))


def checked_risk(risk: np.ndarray, test: FollowUp) -> np.ndarray:
    """The risk of N patients as float64, (N,).

    Raises:
        UserError: another shape, or numbers that are not finite.
    """
    risk = np.asarray(risk, dtype=float)
    if risk.shape != test.time.shape or not np.isfinite(risk).all():
        raise UserError(f"risk of shape {risk.shape} for {len(test.time)} patients: give one finite number for each")
    return risk
