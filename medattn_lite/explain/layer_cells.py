"""Which voxel of a layer's coarser grid a voxel of the image lies in.

    cell(i) = floor((i + ½) · n / N)        the image has N voxels along the axis, the layer n

the same half-pixel alignment as `to_image_grid`: both grids cover the same box.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medattn_lite.errors import UserError
from medattn_lite.explain.image_space import to_image_grid


def cells(image_length: int, layer_length: int) -> Tensor:
    """For each of the image's voxels along an axis, the layer's voxel that holds its centre; (N,) int64."""
    # In whole numbers: (2 i + 1) n / 2 N, so that a centre on a border is not decided by rounding.
    return ((2 * torch.arange(image_length) + 1) * layer_length) // (2 * image_length)


def cell_of(voxel: Sequence[int], size: Sequence[int], grid: Sequence[int]) -> tuple[int, ...]:
    """The layer's voxel that holds an image's voxel.

    Args:
        voxel: indices in the image, (d, h, w) or (h, w).
        size: the image's grid.
        grid: the layer's.

    Raises:
        UserError: the voxel is not in the image.
    """
    voxel = tuple(int(index) for index in voxel)
    if len(voxel) != len(size) or not all(0 <= index < length for index, length in zip(voxel, size, strict=True)):
        raise UserError(f"voxel {voxel} is not in an image of {tuple(size)}: give {len(size)} indices from 0")
    return tuple(int(cells(length, n)[index]) for index, length, n in zip(voxel, size, grid, strict=True))


def count_in_cells(voxels: Tensor | None, batch: int, size: Sequence[int], grid: Sequence[int]) -> Tensor:
    """How many of the chosen voxels lie in each of the layer's.

    Args:
        voxels: (B, D, H, W) or (B, 1, D, H, W), above 0 where chosen; None for all.
        batch: B.
        size: the image's grid.
        grid: the layer's.

    Returns:
        (B, d, h, w) float32.

    Raises:
        UserError: voxels of another shape.
    """
    wanted = (batch, *size)
    if voxels is None:
        chosen = torch.ones(wanted)
    else:
        chosen = torch.as_tensor(voxels)
        chosen = chosen[:, 0] if chosen.dim() == len(wanted) + 1 and chosen.shape[1] == 1 else chosen
        if tuple(chosen.shape) != wanted:
            raise UserError(f"voxels have shape {tuple(torch.as_tensor(voxels).shape)}; give a mask of shape {wanted}")
        chosen = (chosen > 0).float().cpu()
    for axis, (length, n) in enumerate(zip(size, grid, strict=True), start=1):
        shape = (*chosen.shape[:axis], n, *chosen.shape[axis + 1 :])
        chosen = torch.zeros(shape).index_add_(axis, cells(length, n), chosen)
    return chosen


def summing_to_one(values: Tensor) -> Tensor:
    """(B, …) with each image divided by its sum; one that is 0 everywhere stays so."""
    total = values.flatten(1).sum(1).reshape(-1, *[1] * (values.dim() - 1))
    return torch.where(total > 0, values / total.clamp(min=1e-30), torch.zeros_like(values))


def rows_on_image(matrix: Tensor, length: int, *, softmax: bool = True) -> Tensor:
    """A layer's slice×slice matrix on the image's slices.

    Args:
        matrix: (B, s, s), row i for what slice i looks at.
        length: N, the image's slices along this direction.
        softmax: whether rows sum to 1, and shall again.

    Returns:
        (B, N, N): row k is that of the layer's slice that holds image slice k; along it, `to_image_grid`.
    """
    fine = to_image_grid(matrix[:, cells(length, matrix.shape[1])], (length,))
    return fine / fine.sum(-1, keepdim=True) if softmax else fine
