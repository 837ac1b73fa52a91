"""Survival time cut into intervals: their ends, and a patient's labels.

    b_k  = −ln(1 − k/20) · 730 / ln 2,  k = 0 … 19        0, 54, 111, 171, …, 3155 days: 19 intervals

Each interval holds one twentieth of the deaths of patients whose hazard is constant and who live 730 days in
the median. Papers: Gensheimer & Narasimhan 2019 (nnet-survival) for the labels; the survival deck's code for
the ends of the intervals.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from medattn_lite.errors import UserError

INTERVALS = 19
HALF_LIFE_DAYS = 730.0


def interval_breaks(*, intervals: int = INTERVALS, half_life_days: float = HALF_LIFE_DAYS) -> Tensor:
    """Computes the ends of the intervals.

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
    """Tells which intervals each patient survived, and in which one death came.

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


def check_survival(time: Tensor, event: Tensor) -> None:
    """Raises a UserError unless time is (N,) days of 0 or more and event (N,) bool."""
    if event.dtype != torch.bool:
        raise UserError(f"event is {event.dtype}; give bool, True where death was seen")
    if time.dim() != 1 or time.shape != event.shape:
        raise UserError(f"time has shape {tuple(time.shape)} and event {tuple(event.shape)}; give (N,) for both")
    if not (torch.isfinite(time) & (time >= 0)).all():
        raise UserError("survival times must be numbers of days, 0 or more; leave out patients without one")
