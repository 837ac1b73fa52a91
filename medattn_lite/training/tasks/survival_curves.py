"""A survival curve from Cox's log risk: Breslow's estimate of the hazard that all patients share.

    H₀(t) = Σ over deaths until t of 1 / Σ exp(η) of those still followed up,    S(t) = exp(−H₀(t) exp(η))

Paper: Breslow 1974. Take the patients whom the risk was fitted on; their risks fit too well, so that the curves of
others are too far from each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST = 50.0  # exponent beyond which a hazard is as good as infinite


class Baseline:
    """Breslow's cumulative hazard on some days.

    Args:
        log_risk: (N,) η.
        time: (N,) days.
        event: (N,) bool.
        days: T days to know it on.
    """

    def __init__(self, log_risk: np.ndarray, time: np.ndarray, event: np.ndarray, days: Sequence[float]) -> None:
        self.centre = float(log_risk.max())  # so that no exponential overflows
        weight = np.exp(log_risk - self.centre)
        deaths = time[event]
        steps = 1 / np.array([weight[time >= day].sum() for day in deaths])
        self.hazard = np.array([steps[deaths <= day].sum() for day in days])

    def at(self, log_risk: float) -> np.ndarray:
        """(T,) cumulative hazard of a patient with that risk."""
        return self.hazard * np.exp(min(log_risk - self.centre, LARGEST))
