"""From a network's outputs to −log S(t) on some days, and to one risk to rank by.

    discrete  −log S adds up −log(1 − h) by interval, in a straight line within each
    Cox       H₀(t) exp(η), with Breslow's estimate of the hazard that all patients share:

    H₀(t) = Σ over deaths until t of 1 / Σ exp(η) of those still followed up

Paper: Breslow 1974. Take the patients whom the risk was fitted on; their risks fit too well, so that the curves of
others are too far from each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medattn_lite.evaluation.survival import ONE_YEAR
from medattn_lite.networks.survival import LINKS
from medattn_lite.training.time_intervals import log_survival_at

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
        order, deaths = np.argsort(time), np.sort(time[event])
        followed = np.cumsum(weight[order][::-1])[::-1]  # Σ of those followed until each row's day or longer
        steps = 1 / followed[np.searchsorted(time[order], deaths)]
        self.hazard = np.r_[0.0, np.cumsum(steps)][np.searchsorted(deaths, days, side="right")]

    def at(self, log_risk: float) -> np.ndarray:
        """(T,) cumulative hazard of a patient with that risk."""
        return self.hazard * np.exp(min(log_risk - self.centre, LARGEST))


def cumulative_hazard(
    output: Tensor, head: str, days: Sequence[float], breaks: Tensor, baseline: Baseline | None
) -> np.ndarray:
    """−log S of one patient on each of T days.

    Args:
        output: (1, 19), or (1, 1) of Cox.
        head: of the network.
        days: T days.
        breaks: (20,) ends of the intervals.
        baseline: for Cox; None before it is known, when the hazard is exp(η) on every day.
    """
    if head == "cox":
        log_risk = float(output)
        return np.full(len(days), np.exp(min(log_risk, LARGEST))) if baseline is None else baseline.at(log_risk)
    log_survive = LINKS[head](output.double())[0]  # (1, 19)
    return -log_survival_at(functional.pad(log_survive.cumsum(dim=1), (1, 0)), days, breaks)[0].numpy()


def risk_at_one_year(cumulative: np.ndarray, days: Sequence[float]) -> float:
    """The hazard until one year; until the first training death where Cox's baseline knows none before."""
    return float(cumulative[max(list(days).index(ONE_YEAR), int((cumulative > 0).argmax()))])


def outputs_of(hazards: Tensor, head: str) -> Tensor:
    """A network's outputs at which its head gives these hazards, (19,); the official head ends at 0.632."""
    outputs = torch.linspace(-12, 6, 2001, dtype=torch.float64)
    known = LINKS[head](outputs)[1].exp()  # rises
    return torch.from_numpy(np.interp(hazards.double().numpy(), known.numpy(), outputs.numpy())).float()
