"""One cell of the comparison: one mechanism, one task, one seed; trained, tested, and what it said of each test row.

The seed decides what the weights start from, the order of the rows, and what is changed about them. So two mechanisms
with one seed see the same batches, and what their networks share starts from the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from medattn_lite.evaluation.metrics import auc
from medattn_lite.evaluation.segmentation import dice
from medattn_lite.mechanism_comparison.cohort import Cohort
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.mechanism_comparison.small_networks import started

ORDER = 1000  # added to the seed of the weights, so that the order of the rows is drawn apart from them
TESTED_AT_ONCE = 16
LAST = 20  # steps whose mean loss is kept


def frame_of(plan: TaskPlan, spatial_dims: int) -> str:
    """The plan's frame; pseudo-3-D convolutions need three dimensions, and a picture has two."""
    return "resnet" if plan.frame == "p3d" and spatial_dims == 2 else plan.frame


def train_cell(
    plan: TaskPlan, cohort: Cohort, mechanism: str, *, seed: int, width: int | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, Any]:  # fmt: skip
    """Trains one network and tests its last state.

    Args:
        plan: the task.
        cohort: its images.
        mechanism: one of `medattn_lite.attention.names()`.
        seed: see the module's text.
        width: of the network; the plan's if None.
        device: where to train.

    Returns:
        plain JSON values: `mechanism`, `width`, `seed`, `parameters`, `score`, `predictions` (one per test row:
        probability of class 1, or Dice, null where nothing is marked), `loss` (the last steps' mean), `seconds`.
    """
    began = time.process_time()
    channels = plan.width if width is None else width
    network = started(frame_of(plan, cohort.spatial_dims), mechanism, spatial_dims=cohort.spatial_dims,
                      in_channels=cohort.in_channels, width=channels, seed=seed).to(device)  # fmt: skip
    losses = _fit(network, plan, cohort, seed, device)
    predictions = _predictions(network, cohort, device)
    return {
        "task": plan.name, "mechanism": mechanism, "width": channels, "seed": seed,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "score": score_of(cohort, predictions), "loss": float(np.mean(losses[-LAST:])),
        "seconds": round(time.process_time() - began, 2), "predictions": predictions,
    }  # fmt: skip


def score_of(cohort: Cohort, predictions: Sequence[float | None]) -> float:
    """AUC of probabilities, or mean Dice over the test rows in which something is marked."""
    if cohort.masks is not None:
        return float(np.mean([prediction for prediction in predictions if prediction is not None]))
    return auc(cohort.labels[list(cohort.test)].numpy(), np.array(predictions))


def loss_of(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy; for masks plus soft Dice of the marked voxels.

    Args:
        output: (B, 2) or (B, 2, …) logits.
        target: (B,) or (B, …) 0 and 1.
    """
    loss = F.cross_entropy(output, target.long())
    if target.dim() == 1:
        return loss
    marked, probability = target.float(), output.softmax(1)[:, 1]
    overlap = (2 * (probability * marked).sum() + 1) / (probability.sum() + marked.sum() + 1)
    return loss + 1 - overlap


def _fit(network: nn.Module, plan: TaskPlan, cohort: Cohort, seed: int, device: torch.device | str) -> list[float]:
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, plan.steps)
    losses = []
    network.train()
    for image, target in batches(plan, cohort, seed):
        loss = loss_of(network(image.to(device)), target.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def batches(plan: TaskPlan, cohort: Cohort, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (B, C, …) and labels (B,) or masks (B, …), one pair per step: whole passes in random order, half of the
    images mirrored left-right, cropped where the plan says so."""
    generator = Generator().manual_seed(seed + ORDER)
    train, waiting = torch.tensor(cohort.train), torch.zeros(0, dtype=torch.long)
    for _ in range(plan.steps):
        while len(waiting) < plan.batch_size:
            waiting = torch.cat([waiting, train[torch.randperm(len(train), generator=generator)]])
        rows, waiting = waiting[: plan.batch_size].tolist(), waiting[plan.batch_size :]
        pairs = [_changed(plan, cohort, row, generator) for row in rows]
        yield torch.stack([image for image, _ in pairs]).float(), torch.stack([target for _, target in pairs])


def _changed(plan: TaskPlan, cohort: Cohort, row: int, generator: Generator) -> tuple[Tensor, Tensor]:
    image = cohort.images[row]
    target = cohort.labels[row] if cohort.masks is None else cohort.masks[row]
    if cohort.masks is not None and plan.crop is not None:
        place = _corner(target, plan.crop[-target.dim() :], generator)
        image, target = image[(slice(None), *place)], target[place]
    if torch.rand((), generator=generator) < 0.5:
        image, target = image.flip(-1), target.flip(-1) if target.dim() else target
    return image, target


def _corner(mask: Tensor, shape: Sequence[int], generator: Generator) -> tuple[slice, ...]:
    """Where a crop lies: half of them so that a marked voxel is in it, if there is one."""
    marked = torch.nonzero(mask)
    near = bool(torch.rand((), generator=generator) < 0.5) and len(marked) > 0
    chosen = marked[int(torch.randint(max(len(marked), 1), (), generator=generator))] if near else None
    places = []
    for axis, (side, wanted) in enumerate(zip(mask.shape, shape, strict=True)):
        wanted = min(side, wanted)
        low, high = 0, side - wanted
        if chosen is not None:
            low, high = max(0, int(chosen[axis]) - wanted + 1), min(high, int(chosen[axis]))
        first = int(torch.randint(low, high + 1, (), generator=generator))
        places.append(slice(first, first + wanted))
    return tuple(places)


@torch.no_grad()
def _predictions(network: nn.Module, cohort: Cohort, device: torch.device | str) -> list[float | None]:
    network.eval()
    scores: list[float | None] = []
    for rows in torch.tensor(cohort.test).split(TESTED_AT_ONCE):
        output = network(cohort.images[rows].float().to(device)).float().softmax(1)[:, 1].cpu()
        if cohort.masks is None:
            scores += [round(value, 6) for value in output.tolist()]
            continue
        called, masks = (output > 0.5).flatten(1), cohort.masks[rows].flatten(1)
        counts = [(left & right).sum(1).numpy().astype(float) for left, right in
                  ((called, masks), (called, ~masks), (~called, masks))]  # fmt: skip
        overlaps, marked = dice(*counts).tolist(), masks.any(1).tolist()
        scores += [round(value, 6) if has else None for value, has in zip(overlaps, marked, strict=True)]
    return scores
