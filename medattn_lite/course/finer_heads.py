"""Heads to look at: the phantom that a network gets in coarse voxels, once more in voxels that show what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from medattn_lite.training.tasks.segmentation import Segmentation

FINE_MM = 2.0  # a lesion of some millimetres is more than a pixel


def finer_head(phantom: Mapping[str, Any], subject: str, *, factor: int = 2) -> dict[str, Any]:
    """Renders one head of a cohort of phantoms, the same person with the same disease, in finer voxels.

    Args:
        phantom: what the cohort was opened with: `n`, `shape` (D, H, W), `spacing_mm`, `task`, `seed`, ….
        subject: name of the person.
        factor: how many of the finer voxels lie along the edge of one of the cohort's.

    Returns:
        the sample, with its image normalised.
    """
    from medattn_lite.data import normalise, open_dataset

    fine = {**phantom, "shape": tuple(factor * side for side in phantom["shape"]),
            "spacing_mm": phantom["spacing_mm"] / factor}  # fmt: skip
    heads = open_dataset("phantom", None, **fine)
    sample = heads[heads.subjects.index(subject)]
    return {**sample, "image": normalise(sample["image"])}


def row_to_show(task: Segmentation, row: int) -> tuple[Tensor, Tensor, tuple[float, ...] | None]:
    """Reads image (C, D, H, W), mask of its first region (1, D, H, W) and voxel size (D, H, W) in mm of a task's row.

    Of a phantom in coarse voxels, the same head in voxels of 2 mm; of everything else, what the network gets.
    """
    edges = task.spacings[row]
    factor = 1 if edges is None or task.data != "phantom" else round(max(edges) / FINE_MM)
    if factor <= 1:
        return task.images[row].float(), task.masks[row][:1], edges
    phantom = {**task.settings.phantom, "n": task.settings.subjects, "task": task.recipe.phantom_task,
               "seed": task.seed}  # fmt: skip
    sample = finer_head(phantom, task.subjects[row], factor=factor)
    assert edges is not None
    return sample["image"], task.to_regions(sample["mask"])[:1], tuple(edge / factor for edge in edges)
