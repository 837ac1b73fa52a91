"""Which voxel of a layer's coarser grid a voxel of the image lies in.

    cell(i) = floor((i + ½ − a) · n / (b − a)),  kept within 0 … n − 1        the layer's n voxels cover the box a to b

the same placing as `to_image_grid`'s. By default the box is the image, edge on edge; where a layer looks at another
one, `layer_boxes.layer_box` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from medattn_lite.errors import UserError
from medattn_lite.explain.grids.layer_boxes import Box
from medattn_lite.explain.grids.upsampling import to_image_grid


def cells(image_length: int, layer_length: int, extent: tuple[float, float] | None = None) -> Tensor:
    """For each of the image's voxels along an axis, the layer's voxel that holds its centre; (N,) int64.

    Args:
        image_length: N.
        layer_length: n.
        extent: from where to where the layer reaches, in the image's voxels from its first edge; None for 0 to N. A
            centre on the border of two cells belongs to the later one; beyond the outermost cells, to these.

    Example:
        >>> cells(6, 3)
        tensor([0, 0, 1, 1, 2, 2])
    """
    start, stop = (0.0, float(image_length)) if extent is None else extent
    # Multiplied before it is divided, so that a centre on a border is not decided by rounding.
    centres = torch.arange(image_length, dtype=torch.float64) + 0.5
    return ((centres - start) * layer_length / (stop - start)).floor().long().clamp(0, layer_length - 1)


def cell_of(voxel: Sequence[int], size: Sequence[int], grid: Sequence[int], box: Box) -> tuple[int, ...]:
    """Finds the layer's voxel that holds an image's voxel.

    Args:
        voxel: indices in the image, (d, h, w) or (h, w).
        size: the image's grid.
        grid: the layer's.
        box: where the layer reaches along each axis, see `cells`.

    Raises:
        UserError: the voxel is not in the image.
    """
    voxel = tuple(int(index) for index in voxel)
    if len(voxel) != len(size) or not all(0 <= index < length for index, length in zip(voxel, size, strict=True)):
        raise UserError(f"voxel {voxel} is not in an image of {tuple(size)}: give {len(size)} indices from 0")
    along = zip(voxel, size, grid, box, strict=True)
    return tuple(int(cells(length, n, extent)[index]) for index, length, n, extent in along)


def count_in_cells(
    voxels: Tensor | None, batch: int, size: Sequence[int], grid: Sequence[int], box: Box
) -> Tensor:
    """Counts how many of the chosen voxels lie in each of the layer's.

    Args:
        voxels: (B, D, H, W) or (B, 1, D, H, W), above 0 where chosen; None for all.
        batch: B.
        size: the image's grid.
        grid: the layer's.
        box: where the layer reaches along each axis, see `cells`.

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
    for axis, (length, n, extent) in enumerate(zip(size, grid, box, strict=True), start=1):
        shape = (*chosen.shape[:axis], n, *chosen.shape[axis + 1 :])
        chosen = torch.zeros(shape).index_add_(axis, cells(length, n, extent), chosen)
    return chosen


def summing_to_one(values: Tensor) -> Tensor:
    """Divides each image of (B, …) by its sum; one that is 0 everywhere stays so."""
    total = values.flatten(1).sum(1).reshape(-1, *[1] * (values.dim() - 1))
    return torch.where(total > 0, values / total.clamp(min=1e-30), torch.zeros_like(values))


def rows_on_image(matrix: Tensor, length: int, extent: tuple[float, float], *, softmax: bool = True) -> Tensor:
    """Brings a layer's slice×slice matrix to the image's slices.

    Args:
        matrix: (B, s, s), row i for what slice i looks at.
        length: N, the image's slices along this direction.
        extent: where the layer reaches along it, see `cells`.
        softmax: whether rows sum to 1, and shall again.

    Returns:
        (B, N, N): row k is that of the layer's slice that holds image slice k; along it, `to_image_grid`.
    """
    fine = to_image_grid(matrix[:, cells(length, matrix.shape[1], extent)], (length,), box=[extent])
    return fine / fine.sum(-1, keepdim=True) if softmax else fine
