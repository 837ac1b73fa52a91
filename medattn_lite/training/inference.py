"""Predictions of a trained classifier, batch by batch, with the model left as it was found."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def predict_logits(model: nn.Module, images: Tensor, *, batch_size: int = 32) -> Tensor:
    """Logits (N, K) on the CPU for images (N, C, …), in eval mode, on the device where the model lives."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        parts = [model(part.to(device)).cpu() for part in images.split(batch_size)]
    finally:
        model.train(was_training)
    return torch.cat(parts)


def predict_probabilities(model: nn.Module, images: Tensor, *, batch_size: int = 32) -> Tensor:
    """Probabilities (N, K): softmax of the logits."""
    return predict_logits(model, images, batch_size=batch_size).softmax(dim=1)
