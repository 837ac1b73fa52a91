"""Volumes of a data set or of the phantom, prepared once: voxel size, z-score, half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from tqdm.auto import tqdm

from medattn_lite.data import open_dataset
from medattn_lite.data.transforms import normalise, resample
from medattn_lite.training.tasks.task import Task

Sample = dict[str, Any]


def open_images(task: Task, /, **options: Any) -> Sequence:
    """The task's data set.

    Args:
        task: names data, root, seed and the phantom's options.
        **options: of a real data set.
    """
    settings = task.settings
    if task.data == "phantom":
        phantom = {"shape": settings.size, **settings.phantom}
        return open_dataset("phantom", n=settings.subjects, task=task.recipe.phantom_task, seed=task.seed,
                            device=task.device, **phantom)  # fmt: skip
    return open_dataset(task.data, task.root, **options)


def read_all(
    task: Task, dataset: Sequence, *, keep: Callable[[Sample], bool] = lambda sample: True
) -> Iterator[Sample]:
    """Every sample of a data set with its image as a z-score on the CPU.

    Args:
        task: its option `spacing_mm` asks for a voxel size, where the files know theirs.
        dataset: from `open_images`.
        keep: which samples are wanted; asked before the image is touched.
    """
    spacing = task.settings.options.get("spacing_mm")
    for index in tqdm(range(len(dataset)), desc="reading images", disable=not task.progress, leave=False):
        sample = dataset[index]
        if not keep(sample):
            continue
        if spacing is not None and task.data != "phantom" and sample["meta"].get("voxel_size_mm") is not None:
            sample = resample(sample, spacing)
        sample["image"] = normalise(sample["image"])
        yield {key: value.cpu() if isinstance(value, torch.Tensor) else value for key, value in sample.items()}
