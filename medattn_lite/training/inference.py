"""Predictions of a trained classifier, batch by batch, with the model left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; after it every module is in the mode that it was in.

    `model.train(mode)` instead would switch on the parts of a training network that are frozen in eval mode.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@torch.no_grad()
def predict_logits(model: nn.Module, images: Tensor, *, batch_size: int = 32) -> Tensor:
    """Predicts logits (N, K) on the CPU for images (N, C, …), in eval mode, on the device where the model lives."""
    device = next(model.parameters()).device
    with evaluating(model):
        parts = [model(part.to(device)).cpu() for part in images.split(batch_size)]
    return torch.cat(parts)


def predict_probabilities(model: nn.Module, images: Tensor, *, batch_size: int = 32) -> Tensor:
    """Predicts probabilities (N, K): softmax of the logits."""
    return predict_logits(model, images, batch_size=batch_size).softmax(dim=1)
