"""The words of a run's user for what to explain, and of its network for what it predicts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from medattn_lite.errors import UserError
from medattn_lite.evaluation.survival import ONE_YEAR
from medattn_lite.explain.runs import TrainedRun
from medattn_lite.explain.targets import ClassLogit, LogRisk, RegionSum
from medattn_lite.training.tasks.segmentation import Segmentation
from medattn_lite.training.tasks.slices import Slices
from medattn_lite.training.tasks.survival import Survival


def find_class(word: str | None, names: Sequence[str], usual: int) -> ClassLogit:
    """The class of a name or number; the usual one if nothing is asked.

    Raises:
        UserError: there is no such class.
    """
    index = usual if word is None else _position(word, names, "class")
    return ClassLogit(index, name=names[index])


def find_region(word: str | None, task: Segmentation) -> RegionSum:
    """The region of a name or number; the first if nothing is asked.

    Raises:
        UserError: there is no such region.
    """
    name = task.regions[0 if word is None else _position(word, task.regions, "region")]
    return RegionSum(task.channel_of(name), link=task.link, name=name)


def no_other_target(word: str | None, only: str) -> None:
    """Raises a UserError if something else is asked for than the one thing that there is."""
    if word is not None and word.strip().lower() != only:
        raise UserError(f"there is no {word!r} to explain in this run: it knows a {only} (leave --target out)")


def prediction(run: TrainedRun, output: Tensor) -> str:
    """What a network says of an image, in words.

    Args:
        run: whose network said it.
        output: (1, K) of a volume, or (N, 2) of its slices.
    """
    if isinstance(run.task, Slices):
        share = output.softmax(dim=1)[:, 1]
        name = run.task.class_names[1]
        return f"{name} in {int((share > 0.5).sum())} of {len(share)} slices (probability above 0.5)"
    if isinstance(run.task, Survival):
        risk = float(LogRisk(run.network.head)(output))
        if run.network.head == "cox":
            return f"log risk {risk:.2f} (Cox, relative to no one)"
        return f"survival of {float(np.exp(-np.exp(risk))):.2f} at {ONE_YEAR:.0f} days"
    chances = output.softmax(dim=1)[0]
    best = int(torch.argmax(chances))
    return f"{run.task.class_names[best]}, probability {float(chances[best]):.2f}"


def _position(word: str, names: Sequence[str], what: str) -> int:
    lower = [name.lower() for name in names]
    if word.strip().lower() in lower:
        return lower.index(word.strip().lower())
    if word.strip().isdigit() and int(word) < len(names):
        return int(word)
    listed = ", ".join(f"{number} {name!r}" for number, name in enumerate(names))
    raise UserError(f"there is no {what} {word!r} in this run: use {listed}")
