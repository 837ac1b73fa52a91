"""Survival time cut into intervals: their ends, a patient's labels, and the curve S(t) that hazards draw.

    b_k  = −ln(1 − k/20) · 730 / ln 2,  k = 0 … 19        0, 54, 111, 171, …, 3155 days: 19 intervals
    S(b_k) = Π_{j ≤ k} (1 − h_j)

Each interval holds one twentieth of the deaths of patients whose hazard is constant and who live 730 days in
the median. Papers: Gensheimer & Narasimhan 2019 (nnet-survival) for the labels; the survival deck's code for
the ends of the intervals.

Readings: between two ends the hazard is taken as constant, so S falls exponentially there (Kvamme & Borgan
2021). The survival code's "one-year survival" is S at the sixth end, 375.6 days; `survival_at(…, [365.0], …)`
is at one year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from medattn_lite.errors import UserError

INTERVALS = 19
HALF_LIFE_DAYS = 730.0
LOWEST_LOG = -100.0  # stands for log 0, so that a difference of two of them is a number


def interval_breaks(*, intervals: int = INTERVALS, half_life_days: float = HALF_LIFE_DAYS) -> Tensor:
    """Ends of the intervals.

    Args:
        intervals: how many.
        half_life_days: median survival in days at which each interval holds as many deaths.

    Returns:
        (intervals + 1,) float64 days, from 0 up.

    Raises:
        UserError: no interval, or a half-life that is not above 0.
    """
    if intervals < 1 or not half_life_days > 0:
        raise UserError(
            f"cannot cut time into {intervals} intervals with a half-life of {half_life_days} days; use both above 0"
        )
    share = torch.arange(intervals + 1, dtype=torch.float64) / (intervals + 1)
    return -torch.log1p(-share) * half_life_days / math.log(2)


def interval_labels(time: Tensor, event: Tensor, breaks: Tensor) -> tuple[Tensor, Tensor]:
    """Which intervals each patient survived, and in which one death came.

    A death at t lies in the interval that t lies in (its lower end belongs to it). A patient whose follow-up
    ends at t has survived every interval of which at least half had passed: nnet-survival's rule. Beyond the
    last end nothing is known of death.

    Args:
        time: (N,) days to death or to the end of follow-up.
        event: (N,) bool, True for death.
        breaks: (K + 1,) ends of the intervals.

    Returns:
        survived and died, (N, K) float32 each, 0 or 1.

    Raises:
        UserError: times below 0 or not a number, events that are not bool, or other lengths.
    """
    check_survival(time, event)
    time, breaks = time.to(torch.float64).unsqueeze(1), breaks.to(time.device)  # (N, 1)
    event = event.unsqueeze(1)  # (N, 1)
    start, end = breaks[:-1], breaks[1:]
    known_until = torch.where(event, end, (start + end) / 2)  # (N, K)
    survived = time >= known_until
    died = event & (time >= start) & (time < end)
    return survived.float(), died.float()


def survival_curve(hazards: Tensor) -> Tensor:
    """S at every end of an interval, 1 at time 0 first.

    Args:
        hazards: (B, K) probabilities of dying in each interval, given that it was reached.

    Returns:
        (B, K + 1).
    """
    curve = torch.cumprod(1 - hazards, dim=-1)  # (B, K)
    return torch.cat([torch.ones_like(curve[..., :1]), curve], dim=-1)  # (B, K + 1)


def survival_at(hazards: Tensor, days: Sequence[float] | Tensor, breaks: Tensor) -> Tensor:
    """S at any days, with a constant hazard within each interval.

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
        raise UserError(f"survival is predicted from day 0 to day {breaks[-1]:.0f}; got days {days.tolist()}")
    right = torch.searchsorted(breaks, days).clamp(min=1)  # (T,), the end of each day's interval
    part = (days - breaks[right - 1]) / (breaks[right] - breaks[right - 1])  # (T,)
    part = part.to(log_curve)
    return torch.lerp(log_curve[..., right - 1], log_curve[..., right], part)  # (B, T)


def check_survival(time: Tensor, event: Tensor) -> None:
    """Raises a UserError unless time is (N,) days of 0 or more and event (N,) bool."""
    if event.dtype != torch.bool:
        raise UserError(f"event is {event.dtype}; give bool, True where death was seen")
    if time.dim() != 1 or time.shape != event.shape:
        raise UserError(f"time has shape {tuple(time.shape)} and event {tuple(event.shape)}; give (N,) for both")
    if not (torch.isfinite(time) & (time >= 0)).all():
        raise UserError("survival times must be numbers of days, 0 or more; leave out patients without one")
