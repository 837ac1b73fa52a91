"""Heads of survival networks: from outputs to the logarithms of surviving and of dying in each interval.

    logistic   h_j = σ(x_j)                    hazard of interval j; x_j one output an interval
    official   1 − h_j = σ(x_j)^exp(x_j)       the survival code's
    cox        log risk = wᵀ features          one output; only its order and differences matter

Papers: Gensheimer & Narasimhan 2019 (nnet-survival), Kvamme & Borgan 2021 (logistic hazard), Katzman et al. 2018 (Cox);
the survival deck's code (kyuchoi/3D_MRI_survival_glioma).

Why the official head is not the default: σ(x)^exp(x) falls from 1 to 1/e = 0.368 as x grows, never below.
A patient whom the network gives up still has 37 % to survive each interval, so no hazard can exceed
1 − 1/e = 0.632. (nnet-survival takes the power of a baseline that has a parameter of its own, and has no such
bound.) Written literally it also breaks in float32 from x ≈ 14 on; here it is computed as
log p = −exp(x) · log(1 + exp(−x)), with a series where that cancels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SERIES_BELOW = 1e-3  # where two terms of a series are closer than the formula in float32


def logistic_log_probabilities(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Computes log(1 − h) and log h of the logistic hazard h = σ(x).

    Args:
        outputs: x, (B, intervals).

    Returns:
        log of surviving each interval and log of dying in it, given that it was reached; (B, intervals) each.
    """
    return F.logsigmoid(-outputs), F.logsigmoid(outputs)


def official_log_probabilities(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Computes log p and log(1 − p) of the survival code's p = σ(x)^exp(x), which lies between 1/e and 1.

    Args:
        outputs: x, (B, intervals).

    Returns:
        as `logistic_log_probabilities`, finite with finite gradients for every finite x.
    """
    log_cumulative = _official_log_cumulative_hazard(outputs)  # log(−log p), at most 0
    cumulative = log_cumulative.exp()  # −log p
    small = cumulative < SERIES_BELOW
    series = log_cumulative - cumulative / 2  # log(1 − e^−c) for small c
    formula = torch.log(-torch.expm1(-cumulative.clamp(min=SERIES_BELOW)))
    return -cumulative, torch.where(small, series, formula)


def _official_log_cumulative_hazard(x: Tensor) -> Tensor:
    """log(exp(x) · log(1 + exp(−x)))."""
    inverse = torch.exp(-x.clamp(min=0))  # u = exp(−x), at most 1
    small = inverse < SERIES_BELOW
    series = torch.log1p(-inverse / 2 + inverse.square() / 3)  # log(log(1 + u) / u)
    safe = inverse.clamp(min=SERIES_BELOW)
    positive = torch.where(small, series, torch.log(torch.log1p(safe) / safe))
    below = x.clamp(max=0)
    negative = below + torch.log(F.softplus(-below))
    return torch.where(x > 0, positive, negative)


LINKS: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "logistic": logistic_log_probabilities,
    "official": official_log_probabilities,
}
HEADS = (*LINKS, "cox")
