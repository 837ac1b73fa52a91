"""Several networks trained on the same windows, in the same order: what differs between them is the network alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.training.loop import History

Inputs = Callable[[Tensor], Mapping[str, tuple[Tensor, ...]]]


def train_side_by_side(
    task: Any,
    parts: Mapping[str, nn.Module],
    rows: Sequence[int],
    *,
    steps: int,
    learning_rate: float,
    inputs: Inputs | None = None,
    batch_size: int = 2,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> dict[str, History]:
    """Trains each part with Adam and a cosine schedule on the batches of one task.

    Args:
        task: what makes batches and the loss (`training.tasks.Task`).
        parts: name → network, or the part of one that learns; on `device` already.
        rows: of the task, to train on.
        steps: batches, the same for all.
        learning_rate: at the start; it falls to 0 along a cosine.
        inputs: from images (B, C, D, H, W) to what each part takes, by name, such as the maps of frozen networks;
            None gives the images to all.
        batch_size: rows per batch, drawn with replacement.
        device: where the batches go.
        seed: of the order of rows, of windows and of what is changed about them.

    Returns:
        Name → loss at every step.

    Raises:
        UserError: there is nothing to train on.
    """
    if not len(rows):
        raise UserError("no patient is left to train on: give more patients, or test fewer")
    generator = Generator().manual_seed(seed)
    optimisers = {name: torch.optim.Adam(part.parameters(), lr=learning_rate) for name, part in parts.items()}
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps) for optimiser in optimisers.values()]
    histories = {name: History() for name in parts}
    for part in parts.values():
        part.train()
    for step in range(1, steps + 1):
        drawn = [rows[i] for i in torch.randint(len(rows), (batch_size,), generator=generator).tolist()]
        batch = {name: x.to(device) for name, x in task.batch(drawn, [generator] * batch_size).items()}
        inputs_by_part = dict.fromkeys(parts, (batch["image"],)) if inputs is None else inputs(batch["image"])
        for name, part in parts.items():
            loss = task.loss(part(*inputs_by_part[name]), batch)
            optimisers[name].zero_grad()
            loss.backward()
            optimisers[name].step()
            histories[name].steps.append(step)
            histories[name].loss.append(loss.item())
        for schedule in schedules:
            schedule.step()
    return histories
