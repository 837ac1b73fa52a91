"""What notebook 06 needs around its subject: the task at a scale, a training that is watched, Dice head by head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from medattn_lite.training import History
    from medattn_lite.training.tasks import Task

HEAD_MM = (160, 192, 160)  # (D, H, W) of the box that holds a head
CONTRASTS = ("t1", "t2", "flair")


def open_lesion_task(numbers: Mapping[str, Any], *, scale: str, data: str, root: str | None, seed: int) -> Task:
    """Opens the task of the recipe `lesions`, with the images read or made.

    Args:
        numbers: of the notebook at this scale: settings in place of the recipe's, by name; and "spacing_mm", the edge
            of a voxel, where the heads are smaller than the recipe's. Empty: all as in the recipe.
        scale: "smoke", "laptop" or "paper".
        data: name of the data set.
        root: its folder.
        seed: of phantoms and folds.
    """
    from medattn_lite.training.recipes import find_recipe, with_changes
    from medattn_lite.training.tasks import open_task

    changes, recipe = dict(numbers), find_recipe("lesions")
    if "spacing_mm" in changes:
        mm = changes.pop("spacing_mm")
        shape = tuple(round(side / mm) for side in HEAD_MM)
        changes["phantom"] = {"shape": shape, "spacing_mm": mm, "contrasts": CONTRASTS}
        changes["options"] = {"overlap": 0.125, "spacing_mm": mm, "lesion_share": 0.9}
    settings = with_changes(recipe.at(scale), changes)
    return open_task(recipe, settings, data=data, root=root, seed=seed, progress=False)


def train_on_windows(
    network: nn.Module,
    task: Any,
    rows: Sequence[int],
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    watch: Callable[[Tensor, Tensor], Sequence[float]],
    iterations: int | None = None,
    seed: int,
    device: torch.device | str = "cpu",
) -> tuple[History, np.ndarray]:
    """Trains a network in place on random windows, and watches what it answers on the way.

    Args:
        network: from images (B, C, D, H, W) to logits (B, K, D, H, W); on `device` already.
        task: of `open_lesion_task`; its settings name batch size, learning rate and weight decay (of Adam).
        rows: of the task, to train on.
        loss: of logits and mask (B, 1, D, H, W).
        watch: from logits, without their graph, and mask to the numbers that are kept of a step.
        iterations: steps of the optimiser; those of the task's settings if left out.
        seed: of the order of rows and of the windows.
        device: where the batches go.

    Returns:
        the loss of every step, and what was watched, (iterations, numbers). The network is left in eval mode.
    """
    from medattn_lite.training import History

    settings = task.settings
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    generator, history, watched = torch.Generator().manual_seed(seed), History(), []
    for step in tqdm(range(1, (iterations or settings.iterations) + 1), leave=False):
        drawn = torch.randint(len(rows), (settings.batch_size,), generator=generator).tolist()
        batch = task.batch([rows[i] for i in drawn], [generator] * len(drawn))
        logits, mask = network(batch["image"].to(device)), batch["mask"].to(device)
        value = loss(logits, mask)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        history.steps.append(step)
        history.loss.append(value.item())
        watched.append(watch(logits.detach(), mask))
    network.eval()
    return history, np.array(watched)


@torch.no_grad()
def dice_per_patient(task: Any, answer: Callable[[int], Tensor], rows: Sequence[int]) -> np.ndarray:
    """Computes the Dice of the lesions of each patient.

    Args:
        task: of `open_lesion_task`.
        answer: from a row to the lesions found in it, (1, D, H, W) bool.
        rows: of the patients.

    Returns:
        (patients,), in the order of their names.
    """
    from medattn_lite.training.tasks import dice_by_patient

    predictions = [task.measured(answer(row), row, distances=False) for row in rows]
    return np.array([regions["lesion"] for regions in dice_by_patient(predictions).values()])


@torch.no_grad()
def dice_per_head(trained: Any, cases: Sequence[Any]) -> np.ndarray:
    """Computes the Dice of a network that comes trained, in windows of its size, on images cut to the head.

    Args:
        trained: of `load_trained`; background and lesion, with a softmax.
        cases: heads with their lesions, of `held_out`.

    Returns:
        (heads,).
    """
    from medattn_lite.training.tasks import slide

    scores = []
    for case in cases:
        box = [slice(int(places.min()), int(places.max()) + 1) for places in case.head.nonzero().T]
        seen = slide(lambda part: trained.network(part).softmax(1)[:, 1:], case.image[(..., *box)], trained.size,
                     overlap=0.25)  # fmt: skip
        lesion, truth = seen[0, 0] > 0.5, case.signal[tuple(box)]
        scores.append(2 * float((lesion & truth).sum()) / float(lesion.sum() + truth.sum()))
    return np.array(scores)
