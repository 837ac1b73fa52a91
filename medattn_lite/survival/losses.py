"""Losses of survival: the likelihood of discrete hazards, and Cox's partial likelihood.

    discrete   −Σ_j [s_j log(1 − h_j) + d_j log h_j]                     mean over patients
    Cox        −Σ_{i died} [η_i − log Σ_{j: t_j ≥ t_i} exp(η_j)]         mean over deaths

s_j says that interval j was survived, d_j that death came in it, η is the log risk. Patients whose follow-up
ended without death enter both: they were at risk until then. Papers: Gensheimer & Narasimhan 2019, Kvamme &
Borgan 2021, Cox 1972, Breslow 1974, Efron 1977.

Ties: when d patients die on one day, Breslow leaves all of them in each of their sums; Efron takes out, for
the l-th of them, the share l/d of their common weight. Efron's is nearer to the truth with many ties.

Deviations: a batch without a death says nothing about the order of deaths, so Cox's loss is 0 there, with
gradient 0. Draw batches that hold deaths, or most steps teach nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from medattn_lite.errors import UserError
from medattn_lite.survival.heads import logistic_log_probabilities
from medattn_lite.survival.time_intervals import check_survival

TIES = ("efron", "breslow")


def discrete_time_nll(log_survive: Tensor, log_die: Tensor, survived: Tensor, died: Tensor) -> Tensor:
    """Computes the negative log-likelihood of hazards by interval (nnet-survival's loss), mean over patients.

    Args:
        log_survive: (B, K) log(1 − h).
        log_die: (B, K) log h; both from `SurvivalNetwork.log_probabilities`.
        survived: (B, K) from `interval_labels`.
        died: (B, K) from `interval_labels`.
    """
    _check_shapes(log_survive, survived, died)
    # A label of 0 times log 0 is NaN; where() leaves out what the patient says nothing about.
    zero = torch.zeros_like(log_survive)
    likelihood = torch.where(survived > 0, log_survive, zero) + torch.where(died > 0, log_die, zero)
    return -likelihood.sum(dim=1).mean()


def logistic_hazard_nll(outputs: Tensor, survived: Tensor, died: Tensor) -> Tensor:
    """Computes `discrete_time_nll` of h = σ(x), straight from a logistic head's outputs (B, K)."""
    return discrete_time_nll(*logistic_log_probabilities(outputs), survived, died)


def cox_loss(log_risk: Tensor, time: Tensor, event: Tensor, *, ties: str = "efron") -> Tensor:
    """Computes the negative log partial likelihood of Cox's model, mean over deaths; 0 without a death.

    Patients are sorted by time, so that everyone at risk is summed up once: time grows with B log B, memory with B.

    Args:
        log_risk: η, (B,) or (B, 1).
        time: (B,) days.
        event: (B,) bool, True for death.
        ties: "efron" or "breslow".

    Raises:
        UserError: unknown ties, or shapes that do not fit.
    """
    if ties not in TIES:
        raise UserError(f"unknown ties {ties!r}; use {' or '.join(TIES)}")
    check_survival(time, event)
    if log_risk.numel() != len(time):
        raise UserError(f"{len(time)} patients but log risks of shape {tuple(log_risk.shape)}; give one per patient")
    if not event.any():
        return (log_risk * 0).sum()  # still part of the graph, so backward() works
    order = time.argsort(descending=True, stable=True)  # (B,) the longest followed first
    death = event[order].nonzero()[:, 0]  # (deaths,) their rows
    risk = _widest(log_risk.reshape(-1)).index_select(0, order)  # (B,)
    _, day, followed = time[order].unique_consecutive(return_inverse=True, return_counts=True)  # (B,), (days,)
    # Whoever leaves on the day of a death is still at risk, so the sum goes to the last row of that day.
    last = (followed.cumsum(0) - 1)[day[death]]  # (deaths,)
    log_sum = _running_log_sum(risk).index_select(0, last)  # (deaths,)
    risk = risk.index_select(0, death)  # (deaths,)
    if ties == "efron":
        log_sum = log_sum + _efron_correction(risk, log_sum, day[death])
    return (log_sum - risk).mean().to(log_risk.dtype)


def _running_log_sum(log_risk: Tensor) -> Tensor:
    """log Σ_{j ≤ i} exp(η_j) for each i, (B,); nothing is subtracted, so no digit is lost.

    With the largest η taken out and put back, which takes a sixth of `logcumsumexp`'s time; where that would leave
    numbers too small for the type, `logcumsumexp` itself.
    """
    top = log_risk.detach().amax()
    if not bool(top - log_risk.detach().amin() < 0.4 * abs(math.log(torch.finfo(log_risk.dtype).tiny))):
        return log_risk.logcumsumexp(0)  # also where a risk is NaN
    return (log_risk - top).exp().cumsum(0).log() + top


def _efron_correction(log_risk: Tensor, log_sum: Tensor, day: Tensor) -> Tensor:
    """log(1 − l/d · Σ_{tied deaths} exp(η) / Σ_{at risk} exp(η)) for each death; all (deaths,), equal days in a row."""
    _, group, count = day.unique_consecutive(return_inverse=True, return_counts=True)  # (deaths,), (days,)
    if len(count) == len(day):
        return torch.zeros_like(log_sum)
    place = torch.arange(len(day), device=day.device) - (count.cumsum(0) - count)[group]  # l = 0 … d − 1
    share = (log_risk - log_sum).exp()  # of each tied death among those at risk
    tied = torch.zeros_like(count, dtype=share.dtype).index_add(0, group, share)  # (days,)
    return torch.log1p(-place / count[group] * tied[group])


def _widest(log_risk: Tensor) -> Tensor:
    """In float64 where the device has it: a running sum in float32 loses a digit with some ten thousand patients."""
    return log_risk if log_risk.device.type == "mps" else log_risk.double()


def _check_shapes(log_survive: Tensor, survived: Tensor, died: Tensor) -> None:
    if not log_survive.shape == survived.shape == died.shape:
        raise UserError(
            f"the head gives {tuple(log_survive.shape)} and the labels are {tuple(survived.shape)} and "
            f"{tuple(died.shape)}; cut time into as many intervals as the head has"
        )
