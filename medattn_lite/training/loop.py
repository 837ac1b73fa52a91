"""One training loop for small classifiers: AdamW, cosine learning rate, a budget in iterations.

A run is a function of its seed: the order of the batches and the augmentation come from one generator
on the CPU. The budget is a number of iterations, never a number of seconds, so that a busy computer
gives a slower run and not another result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from medattn_lite.errors import UserError
from medattn_lite.evaluation.metrics import auc
from medattn_lite.training.device import pick_device
from medattn_lite.training.inference import predict_probabilities


@dataclass
class History:
    """What a run wrote down.

    Attributes:
        steps: iteration numbers of the loss, counted from 1.
        loss: mean cross-entropy of the batch at each of them.
        valid_steps: iteration numbers of the checks on the validation set.
        valid_auc: AUC there (two classes), or accuracy (more classes).
    """

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    valid_steps: list[int] = field(default_factory=list)
    valid_auc: list[float] = field(default_factory=list)


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    iterations: int,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    seed: int = 0,
    device: str | torch.device = "cpu",
    valid: tuple[Tensor, Tensor] | None = None,
    valid_every: int | None = None,
    augment: bool = True,
    balanced: bool = True,
    progress: bool = True,
) -> History:
    """Trains a classifier in place.

    Args:
        model: maps (B, C, …) to logits (B, K).
        images: (N, C, H, W) or (N, C, D, H, W) float32, on the CPU.
        labels: (N,) int64, 0 … K-1.
        iterations: optimiser steps.
        batch_size: images per step.
        learning_rate: at the start; it falls to 0 along a cosine.
        weight_decay: of AdamW.
        seed: of batch order and augmentation.
        device: where to train; "auto" takes a GPU where there is one.
        valid: (images, labels) scored every `valid_every` steps and at the end.
        valid_every: steps between checks; a quarter of the run by default.
        augment: mirror left-right and shift brightness a little, at random.
        balanced: weight the classes so that a rare one counts as much as a common one.
        progress: show a bar.

    Returns:
        the history; the model is left on the device, in eval mode.

    Raises:
        UserError: no images, one class only, or an impossible budget.
    """
    _validate(images, labels, iterations, batch_size)
    place = pick_device(device) if isinstance(device, str) else device
    model.to(place).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=iterations)
    loss_function = nn.CrossEntropyLoss(weight=_class_weights(labels).to(place) if balanced else None)
    batches = _batches(len(images), batch_size, torch.Generator().manual_seed(seed))
    noise = torch.Generator().manual_seed(seed + 1)
    every = valid_every or max(1, iterations // 4)
    history = History()
    for step in tqdm(range(1, iterations + 1), desc="training", disable=not progress, leave=False):
        rows = next(batches)
        batch = _augmented(images[rows], noise) if augment else images[rows]
        loss = loss_function(model(batch.to(place)), labels[rows].to(place))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        history.steps.append(step)
        history.loss.append(loss.item())
        if valid is not None and (step % every == 0 or step == iterations):
            history.valid_steps.append(step)
            history.valid_auc.append(_score(model, *valid))
    model.eval()
    return history


def _validate(images: Tensor, labels: Tensor, iterations: int, batch_size: int) -> None:
    if len(images) == 0 or len(images) != len(labels):
        raise UserError(f"training needs as many images as labels, above 0; got {len(images)} and {len(labels)}")
    if len(labels.unique()) < 2:
        raise UserError(f"all {len(labels)} training labels are {labels[0].item()}: choose a split with both classes")
    if iterations < 1 or batch_size < 2:
        raise UserError(f"training needs iterations >= 1 and batch_size >= 2, got {iterations} and {batch_size}")


def _batches(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Index batches without end: a fresh shuffle each time through, the last short batch left out."""
    size = min(batch_size, count)
    while True:
        order = torch.randperm(count, generator=generator)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def _augmented(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror left-right with probability one half; multiply each image by 0.9 … 1.1 and shift it by up to 0.1."""
    shape = (len(batch),) + (1,) * (batch.ndim - 1)
    flip = torch.rand(shape, generator=generator) < 0.5
    scale = 0.9 + 0.2 * torch.rand(shape, generator=generator)
    shift = 0.2 * torch.rand(shape, generator=generator) - 0.1
    return torch.where(flip, batch.flip(-1), batch) * scale + shift


def _class_weights(labels: Tensor) -> Tensor:
    counts = torch.bincount(labels).float()
    return torch.where(counts > 0, len(labels) / (counts.clamp(min=1) * (counts > 0).sum()), torch.zeros_like(counts))


def _score(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    probabilities = predict_probabilities(model, images)
    if probabilities.shape[1] == 2:
        return auc(labels.numpy(), probabilities[:, 1].numpy())
    return float((probabilities.argmax(dim=1) == labels).float().mean())
