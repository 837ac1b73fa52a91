"""Optimisers and learning rates by name, and the second look of sharpness-aware minimisation.

    SAM    ε = ρ g / ‖g‖,  step with the gradient at w + ε          Foret et al. 2021
    steps  η ← 0.1 η at each milestone
    cosine η = η_end + (η₀ − η_end) (1 + cos(π e / T)) / 2           e counts whole epochs
    one-cycle  up from η₀ / 25 to η₀ within the share `warm_up` of all steps, then down to η₀ / 250,000, both along
               half a cosine, step by step                           Smith and Topin 2018, with PyTorch's numbers

The learning rate is a function of the iteration and of nothing else, so that a run that goes on after a stop has
the rate it would have had. With T smaller than the run, the cosine rises again after T epochs: the survival
code's schedule does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.training.adamp import AdamP
from medattn_lite.training.recipes.checks import OPTIMISERS
from medattn_lite.training.recipes.recipe import Settings

ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 250_000  # of the highest rate: `OneCycleLR`'s


def make_optimiser(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """The recipe's optimiser over the parameters that learn.

    Raises:
        UserError: an unknown optimiser, or a network in which nothing learns.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise UserError("no parameter of this network learns: it is composed of trained ones, so evaluate it")
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    if settings.optimiser == "adamp":
        return AdamP(parameters, lr=rate, weight_decay=decay)
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, momentum=settings.momentum, lr=rate, weight_decay=decay)
    raise UserError(f"unknown optimiser {settings.optimiser!r}: use {', '.join(OPTIMISERS)}")


def learning_rate(settings: Settings, iteration: int, steps_per_epoch: int, iterations: int) -> float:
    """The rate of one step.

    Args:
        settings: of the recipe.
        iteration: counted from 0.
        steps_per_epoch: steps in one pass through the training images.
        iterations: steps of the whole run.
    """
    epoch = iteration // steps_per_epoch
    if settings.schedule == "steps":
        return settings.learning_rate * 0.1 ** sum(epoch >= milestone for milestone in settings.milestones)
    if settings.schedule == "cosine":
        half_period = settings.cosine_epochs or max(1, math.ceil(iterations / steps_per_epoch))
        share = (1 + math.cos(math.pi * epoch / half_period)) / 2
        return settings.final_rate + (settings.learning_rate - settings.final_rate) * share
    if settings.schedule == "one-cycle":
        return settings.learning_rate * _one_cycle(iteration, iterations, settings.warm_up)
    return settings.learning_rate


def _one_cycle(iteration: int, iterations: int, warm_up: float) -> float:
    """The share of the highest rate that a step has, the last one the least."""
    peak = warm_up * (iterations - 1)
    if iteration < peak:
        return _along_cosine(ONE_CYCLE_START, 1.0, iteration / peak)
    return _along_cosine(1.0, ONE_CYCLE_END, (iteration - peak) / max(1e-12, iterations - 1 - peak))


def _along_cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * min(1.0, share))) / 2


@contextmanager
def sam_ascent(parameters: Iterable[nn.Parameter], rho: float) -> Iterator[None]:
    """Moves weights by ρ along their gradient (the ascent step of SAM, Foret et al. 2021), and back after the block.

    Compute the gradient inside, and step outside. Gradients are set to None on entry.
    """
    moved = [(p, p.grad) for p in parameters if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(gradient) for _, gradient in moved]))
    before = [p.detach().clone() for p, _ in moved]
    with torch.no_grad():
        for parameter, gradient in moved:
            parameter.add_(gradient * (rho / (norm + 1e-12)))
            parameter.grad = None
    try:
        yield
    finally:
        with torch.no_grad():
            for (parameter, _), value in zip(moved, before, strict=True):
                parameter.copy_(value)  # not subtracted: rounding would leave a trace
