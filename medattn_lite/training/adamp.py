"""AdamP: Adam whose step loses the part along a weight vector that a normalisation after it would undo.

    p   ← Adam's direction
    Π   removes from p its part along w, for each output channel (or the whole tensor) if all of them satisfy
        |cos(w, g)| < δ / √dim(w)           where a gradient is orthogonal to w, w's length changes nothing
    w   ← w − η Π(p),   and weight decay is scaled by `decay_ratio` there

Paper: Heo et al. 2021, AdamP: slowing down the slowdown for momentum optimizers on scale-invariant weights. The
survival deck's code trains with it. Biases and the weights of normalisations (one axis) are left to Adam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor
from torch.nn import functional as F


class AdamP(torch.optim.Optimizer):
    """AdamP with decoupled weight decay.

    Args:
        params: parameters that learn.
        lr: learning rate η.
        betas: decay of the mean of gradients and of their squares.
        eps: added to the denominator.
        weight_decay: λ; weights shrink by ηλ a step.
        delta: δ of the test whether a weight is scale-invariant.
        decay_ratio: what is left of the weight decay where it is.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        delta: float = 0.1,
        decay_ratio: float = 0.1,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "delta": delta,
                    "decay_ratio": decay_ratio}  # fmt: skip
        super().__init__(params, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step along the gradients that the parameters hold."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, weight: Tensor, gradient: Tensor, group: dict) -> None:
        state, (first, second) = self.state[weight], group["betas"]
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        deviation = (state["square"] / (1 - second ** state["step"])).sqrt() + group["eps"]
        direction, ratio = state["mean"] / deviation, 1.0
        if weight.dim() > 1:
            direction, ratio = _projected(weight, gradient, direction, group)
        weight.mul_(1 - group["lr"] * group["weight_decay"] * ratio)
        weight.add_(direction, alpha=-group["lr"] / (1 - first ** state["step"]))


def _projected(weight: Tensor, gradient: Tensor, direction: Tensor, group: dict) -> tuple[Tensor, float]:
    """Π(direction) and what is left of the weight decay; tried by output channel first, then on the whole tensor."""
    for rows in (len(weight), 1):
        flat = weight.reshape(rows, -1)
        cosine = F.cosine_similarity(gradient.reshape(rows, -1), flat, dim=1, eps=group["eps"]).abs()
        if cosine.max() < group["delta"] / math.sqrt(flat.shape[1]):
            unit = flat / (flat.norm(dim=1, keepdim=True) + group["eps"])
            along = (unit * direction.reshape(rows, -1)).sum(dim=1, keepdim=True)
            return direction - (unit * along).reshape(weight.shape), group["decay_ratio"]
    return direction, 1.0
