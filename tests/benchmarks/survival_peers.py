"""What the survival functions are compared with: the formulas written out, every patient beside every other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def cox_loss_of_pairs(log_risk: Tensor, time: Tensor, event: Tensor, *, ties: str = "efron") -> Tensor:
    """Cox's loss with a table (deaths, B) of who is at risk: time and memory grow with B²."""
    log_risk = log_risk.reshape(-1)  # (B,)
    log_sum = _log_sum_exp(log_risk, time.unsqueeze(0) >= time[event].unsqueeze(1))  # (deaths,)
    if ties == "efron":
        same_day = time.unsqueeze(0) == time[event].unsqueeze(1)  # (deaths, B)
        log_tied = _log_sum_exp(log_risk, same_day & event)  # (deaths,)
        tied_deaths = same_day[:, event]  # (deaths, deaths)
        share = tied_deaths.tril(diagonal=-1).sum(dim=1) / tied_deaths.sum(dim=1)  # l / d
        log_sum = log_sum + torch.log1p(-share * torch.exp(log_tied - log_sum))
    return (log_sum - log_risk[event]).mean()


def _log_sum_exp(log_risk: Tensor, members: Tensor) -> Tensor:
    return log_risk.unsqueeze(0).masked_fill(~members, float("-inf")).logsumexp(dim=1)


def kaplan_meier_day_by_day(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S, lower and upper end on each day: scikit-survival's curve, and those at risk counted anew on every day."""
    from sksurv.nonparametric import kaplan_meier_estimator

    with np.errstate(divide="ignore", invalid="ignore"):
        days, survival, (low, high) = kaplan_meier_estimator(event, time, conf_type="log-log")
    at_risk = np.array([(time >= day).sum() for day in days])
    deaths = np.array([((time == day) & event).sum() for day in days])
    assert (deaths <= at_risk).all()
    return survival, low, high
