"""From a layer's coarse grid to the image's, in one way for every explanation.

    place of voxel i of n in the image's indices:   a + (i + ½) (b − a) / n − ½       the map covers the box from a to b

By default the box is the image, edge on edge: the middle of the map lies on the middle of the image, and slice k of the
result on slice k of the image. Between its voxels the map is linear; beyond the outermost ones it keeps their value.
(With the corners aligned, or voxels copied, a map of few slices is stretched to the volume's ends or shifted by up to
half of its own voxel.) Where a layer looks at another box, `layer_boxes` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from medattn_lite.errors import UserError

EDGE = 1e-6  # of a voxel: what rounding may do to a place on the border


def to_image_grid(
    values: Tensor, size: Sequence[int], *, box: Sequence[tuple[float, float]] | None = None
) -> Tensor:
    """Brings a coarse map to the image's grid.

    Args:
        values: (…, d, h, w), (…, h, w) for pictures, or (…, d) for a number per slice.
        size: the image's (D, H, W), (H, W) or (D,).
        box: from where to where the map reaches along each axis, in the image's voxels from its first edge; None for
            the whole image, edge on edge.

    Returns:
        (…, *size), float32 (float64 for float64 values).

    Raises:
        UserError: numbers of axes that do not fit, or a box without length.

    Example:
        >>> to_image_grid(torch.tensor([0.0, 1.0]), (4,))
        tensor([0.0000, 0.2500, 0.7500, 1.0000])
    """
    size = tuple(int(length) for length in size)
    box = tuple((0.0, float(length)) for length in size) if box is None else tuple(box)
    if not 0 < len(size) <= values.dim() or min(size) < 1:
        raise UserError(f"cannot bring a map of shape {tuple(values.shape)} to an image of {size}: "
                        "give (…, d, h, w) and (D, H, W), or (…, h, w) and (H, W)")  # fmt: skip
    if len(box) != len(size) or not all(start < stop for start, stop in box):
        raise UserError(f"a map of an image of {size} reaches from one place to a later one along each axis, not {box}")
    fine = values if values.dtype == torch.float64 else values.float()
    for axis, (length, (start, stop)) in enumerate(zip(size, box, strict=True), start=values.dim() - len(size)):
        fine = _linear(fine, axis, length, start, stop)
    return fine


def _linear(values: Tensor, axis: int, length: int, start: float, stop: float) -> Tensor:
    """Linear interpolation along one axis."""
    n = values.shape[axis]
    centres = torch.arange(length, dtype=torch.float64, device=values.device) + 0.5
    place = ((centres - start) * (n / (stop - start)) - 0.5).clamp(0, n - 1)  # in the map's indices
    lower = place.floor().long().clamp(max=max(n - 2, 0))
    part = (place - lower).to(values.dtype).reshape(-1, *[1] * (values.dim() - 1 - axis))
    upper = (lower + 1).clamp(max=n - 1)
    return torch.lerp(values.index_select(axis, lower), values.index_select(axis, upper), part)


def to_file_grid(
    values: np.ndarray, affine: np.ndarray, size: Sequence[int], file_affine: np.ndarray
) -> np.ndarray:
    """Brings a map from the network's grid to the grid of the file it came from, by the two affines alone.

    Args:
        values: (d, h, w) on the network's grid.
        affine: 4×4, its indices to millimetres.
        size: (D, H, W) of the file's array in the package's orientation.
        file_affine: 4×4, that array's indices to millimetres.

    Returns:
        (D, H, W) float32, linear between the network's voxels and 0 outside them.
    """
    from scipy.ndimage import affine_transform

    to_network = np.linalg.inv(affine) @ file_affine  # from the file's indices to the network's
    moved = affine_transform(np.asarray(values, dtype=np.float32), to_network[:3, :3], to_network[:3, 3],
                             output_shape=tuple(size), order=1, mode="nearest")  # fmt: skip
    inside = np.ones(tuple(size), dtype=bool)
    for axis, length in enumerate(np.shape(values)):
        along = [to_network[axis, other] * np.arange(count).reshape([-1 if k == other else 1 for k in range(3)])
                 for other, count in enumerate(size)]  # fmt: skip
        place = to_network[axis, 3] + along[0] + along[1] + along[2]
        inside &= (place > -0.5 - EDGE) & (place < length - 0.5 + EDGE)
    return np.where(inside, moved, 0).astype(np.float32)
