"""Survival curves S(t): from hazards, from a network's outputs, from Cox's risk; and one risk to rank by.

    discrete  S(b_k) = Π_{j ≤ k} (1 − h_j), and −log S in a straight line within each interval
    Cox       −log S = H₀(t) exp(η), with Breslow's estimate of the hazard that all patients share:

    H₀(t) = Σ over deaths until t of 1 / Σ exp(η) of those still followed up

Every curve is read between its known days by `log_survival_at`. Papers: Breslow 1974, Kvamme & Borgan 2021. Take for
Breslow's estimate the patients whom the risk was fitted on; their risks fit too well, so that the curves of others are
too far from each other.

Readings: between two ends of intervals the hazard is taken as constant, so S falls exponentially there. The survival
code's "one-year survival" is S at the sixth end, 375.6 days; `survival_at(…, [365.0], …)` is at one year.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medattn_lite.errors import UserError
from medattn_lite.survival.follow_up import ONE_YEAR
from medattn_lite.survival.heads import LINKS

LOWEST_LOG = -100.0  # stands for log 0, so that a difference of two of them is a number
LARGEST = 50.0  # exponent beyond which a hazard is as good as infinite


def survival_curve(hazards: Tensor) -> Tensor:
    """Computes S at every end of an interval, 1 at time 0 first.

    Args:
        hazards: (B, K) probabilities of dying in each interval, given that it was reached.

    Returns:
        (B, K + 1).
    """
    curve = torch.cumprod(1 - hazards, dim=-1)  # (B, K)
    return torch.cat([torch.ones_like(curve[..., :1]), curve], dim=-1)  # (B, K + 1)


def survival_at(hazards: Tensor, days: Sequence[float] | Tensor, breaks: Tensor) -> Tensor:
    """Computes S at any days, with a constant hazard within each interval.

    Args:
        hazards: (B, K).
        days: T of them, from 0 to the last break.
        breaks: (K + 1,).

    Returns:
        (B, T).

    Raises:
        UserError: a day before 0 or after the last break.
    """
    log_curve = survival_curve(hazards).double().log().clamp(min=LOWEST_LOG)  # (B, K + 1)
    return log_survival_at(log_curve, days, breaks).exp().to(hazards.dtype)


def log_survival_at(log_curve: Tensor, days: Sequence[float] | Tensor, breaks: Tensor) -> Tensor:
    """log S at any days from log S at the ends of the intervals, in a straight line within each.

    Args:
        log_curve: (B, K + 1) float64, 0 at time 0 first.
        days: T of them, from 0 to the last break.
        breaks: (K + 1,).

    Returns:
        (B, T).

    Raises:
        UserError: a day before 0 or after the last break.
    """
    days = torch.as_tensor(days, dtype=torch.float64, device="cpu").reshape(-1)  # (T,)
    breaks = breaks.cpu()
    if ((days < 0) | (days > breaks[-1]) | days.isnan()).any():
        raise UserError(f"survival is predicted from day 0 to day {breaks[-1]:g}; got days {days.tolist()}")
    right = torch.searchsorted(breaks, days).clamp(min=1)  # (T,), the end of each day's interval
    part = (days - breaks[right - 1]) / (breaks[right] - breaks[right - 1])  # (T,)
    part = part.to(log_curve)
    return torch.lerp(log_curve[..., right - 1], log_curve[..., right], part)  # (B, T)


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
    """Computes −log S of one patient on each of T days.

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
    """Inverts a head: a network's outputs at which it gives these hazards, (19,); the official head ends at 0.632."""
    outputs = torch.linspace(-12, 6, 2001, dtype=torch.float64)
    known = LINKS[head](outputs)[1].exp()  # rises
    return torch.from_numpy(np.interp(hazards.double().numpy(), known.numpy(), outputs.numpy())).float()
