"""A phantom as a task's network takes it, with the voxels that decide and the output that they speak for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from medattn_lite.data.transforms import normalise
from medattn_lite.training.tasks.volumes import Sample


@dataclass(frozen=True, eq=False)
class HeldOutCase:
    """What a task answers of a phantom that has something to find.

    Attributes:
        image: (C, D, H, W), or (C, H, W) of a slice, as the network is given it.
        signal: (D, H, W) or (H, W) bool, the voxels that decide.
        head: bool, where anything is.
        output: which class, or which region's channel, the signal speaks for.
        name: of that class or region.
        link: how a region is read from the network's output, as `RegionSum` calls it; None of a class.
        mark: bool, the voxels of the scanner mark; None without one.
        affine: 4×4, of a volume's voxels to RAS mm; None for a slice.
    """

    image: Tensor
    signal: Tensor
    head: Tensor
    output: int
    name: str
    link: str | None = None
    mark: Tensor | None = None
    affine: Any = None


def whole_head_case(
    sample: Sample, signal: Tensor, *, output: int, name: str, link: str | None = None
) -> HeldOutCase | None:
    """A whole head with the voxels that decide, (D, H, W) bool; None where none of them lies in the head."""
    head = (sample["image"] != 0).any(dim=0)
    if not bool((signal & head).any()):
        return None
    mark = sample["mark"][0] if "mark" in sample else None
    return HeldOutCase(normalise(sample["image"]), signal, head, output, name, link, mark, sample["affine"])
