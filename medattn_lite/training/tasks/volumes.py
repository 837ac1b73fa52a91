"""Volumes of a data set or of the phantom, prepared once: voxel size, intensity scale, half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from tqdm.auto import tqdm

from medattn_lite.data import open_dataset
from medattn_lite.data.dataset import Dataset, Sample, Samples
from medattn_lite.data.intensity import Levels
from medattn_lite.data.transforms import normalise, resample
from medattn_lite.training.data_identity import identify
from medattn_lite.training.recipes.recipe import Recipe, Settings

ROUNDING = 1e-4  # of a normalised image: what interpolating a constant background leaves


class ImageSource(Protocol):
    """What reading images needs to know of a task; see `Task`."""

    recipe: Recipe
    settings: Settings
    data: str
    root: Path | None
    seed: int
    device: str | torch.device
    progress: bool
    cases: dict[str, dict[str, str]] | None
    remarks: list[str]

    @property
    def spacing_mm(self) -> Any:
        """Voxel size that images are brought to, in mm."""


def open_images(task: ImageSource, /, **options: Any) -> Dataset:
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
    dataset = open_dataset(task.data, task.root, **options)
    task.cases, task.remarks = identify(dataset), remarks_on(dataset)
    return dataset


def remarks_on(dataset: Samples) -> list[str]:
    """What a reader has to say about a folder, and what it left out, in words: nothing is dropped in silence."""
    lines = [str(text) for text in getattr(dataset, "remarks", ())]
    incomplete = [case.case for case in getattr(dataset, "incomplete", ())]
    if incomplete:
        lines.append(f"{len(incomplete)} cases lack a channel and are left out: {_few(incomplete)}")
    lost, spare = dataset.not_read() if hasattr(dataset, "not_read") else ([], [])
    return [*lines, *spare, *(f"not read: {text}" for text in lost)]


def _few(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def read_all(
    task: ImageSource, dataset: Samples, *, keep: Callable[[Sample], bool] = lambda sample: True
) -> Iterator[Sample]:
    """Every sample of a data set, standardised, on the CPU.

    Args:
        task: see `standardise`.
        dataset: from `open_images`.
        keep: which samples are wanted; asked before the image is touched.
    """
    unwanted = []
    for index in tqdm(range(len(dataset)), desc="reading images", disable=not task.progress, leave=False):
        sample = dataset[index]
        if not keep(sample):
            unwanted.append(str(sample["subject"]))
            continue
        on_cpu = {key: value.cpu() if isinstance(value, torch.Tensor) else value
                  for key, value in standardise(task, sample).items()}  # fmt: skip
        yield cast(Sample, on_cpu)
    if unwanted:
        task.remarks.append(f"{len(unwanted)} of {len(dataset)} scans lack what this recipe asks for (a label, a mask "
                            f"or follow-up) and are left out: {_few(unwanted)}")


def standardise(
    task: ImageSource, sample: Sample, *, inside: torch.Tensor | None = None, levels: Levels | None = None
) -> Sample:
    """A sample with its image normalised, at the task's voxel size where its files know theirs.

    Normalising comes first: interpolation smears a stripped head's border over the background, and those dark voxels
    would count as head (at 3 mm they are a third of it).

    Args:
        task: `spacing_mm` is the voxel size; phantoms are made at theirs.
        sample: 3-D, raw intensities.
        inside: (1, D, H, W) foreground of all channels, where `sample` holds one of them only; None finds it.
        levels: of the channels that `sample` holds, see `normalise`; None finds them.
    """
    sample = {**sample, "image": normalise(sample["image"], inside, levels=levels)}
    spacing, known = task.spacing_mm, sample["meta"].get("voxel_size_mm") is not None
    if spacing is not None and sample.get("source") != "phantom" and known:
        background = sample["image"][:, :1, :1, :1]
        sample = resample(sample, spacing)
        flat = (sample["image"] - background).abs() < ROUNDING
        sample["image"] = torch.where(flat, background, sample["image"])  # one value again, by which the head is found
    return sample


def resample_unknown(sample: Sample, field_mm: Sequence[float], spacing_mm: float | None) -> Sample:
    """Resamples a sample whose files know no voxel size as if it covered a known field; others stay as they are.

    Args:
        sample: with `image` (C, D, H, W).
        field_mm: size of the whole image along D, H and W.
        spacing_mm: wanted voxel size; None leaves every sample as it is.
    """
    if spacing_mm is None or sample["meta"].get("voxel_size_mm") is not None:
        return sample
    depth, height, width = (field / count for field, count in zip(field_mm, sample["image"].shape[1:], strict=True))
    affine = np.array([[0, 0, width, 0], [0, height, 0, 0], [depth, 0, 0, 0], [0, 0, 0, 1]], dtype=float)
    facts = {**sample["meta"], "voxel_size_mm": (depth, height, width)}
    return resample({**sample, "affine": affine, "meta": facts}, spacing_mm)
