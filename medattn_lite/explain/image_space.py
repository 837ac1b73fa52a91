"""From a layer's coarse grid to the image's, in one way for every explanation.

    position of the layer's voxel i along an axis, in the image's indices:   (i + ½) · N / n − ½

Both grids cover the same box, edge on edge, so that the middle of the layer lies on the middle of the image and slice k
of the result lies on slice k of the image: linear interpolation with `align_corners=False`. (With the corners aligned,
or voxels copied, a map of few slices is stretched to the volume's ends or shifted by up to half of its own voxel.)

A network that pads its image explains the padded one: `layer_extent` says how far a layer reaches, and the map is cut
back to the image.

Deviations: a convolution of odd kernel and stride s samples the first voxel of every s, not their middle, so that the
receptive field of a layer's voxel is centred up to (S − 1) / 2 voxels lower, S the product of the strides. That is a
fact about the network and not about the map: nothing is moved for it here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.maps import CHANNEL_SLICE, SPATIAL
from medattn_lite.errors import UserError
from medattn_lite.explain.capture import CapturedMap

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def to_image_grid(values: Tensor, size: Sequence[int], *, extent: Sequence[int] | None = None) -> Tensor:
    """A coarse map on the image's grid.

    Args:
        values: (…, d, h, w), (…, h, w) for pictures, or (…, d) for a number a slice.
        size: the image's (D, H, W), (H, W) or (D,).
        extent: how many of the image's voxels the map covers, counted from the first, where a network has padded the
            image at its far ends; the image's size by default.

    Returns:
        (…, *size), float32 (float64 for float64 values).

    Raises:
        UserError: numbers of axes that do not fit, or an extent smaller than the image.
    """
    size = tuple(int(length) for length in size)
    extent = size if extent is None else tuple(int(length) for length in extent)
    if len(size) not in LINEAR or values.dim() < len(size) or min(size) < 1:
        raise UserError(f"cannot bring a map of shape {tuple(values.shape)} to an image of {size}: "
                        "give (…, d, h, w) and (D, H, W), or (…, h, w) and (H, W)")  # fmt: skip
    if len(extent) != len(size) or any(covered < length for covered, length in zip(extent, size, strict=True)):
        raise UserError(f"a map that covers {extent} voxels does not reach to the ends of an image of {size}")
    leading, grid = values.shape[: values.dim() - len(size)], values.shape[values.dim() - len(size) :]
    flat = values.reshape(-1, 1, *grid)
    flat = flat if flat.dtype == torch.float64 else flat.float()
    fine = F.interpolate(flat, size=extent, mode=LINEAR[len(size)], align_corners=False)
    fine = fine[(..., *(slice(0, length) for length in size))]
    return fine.reshape(*leading, *size)


def layer_extent(model: nn.Module, layer: str, size: Sequence[int]) -> tuple[int, ...]:
    """How many of the image's voxels a layer's map covers: more than the image where a network around it has padded.

    Args:
        model: the network.
        layer: name of the layer in it.
        size: the image's (D, H, W) or (H, W).
    """
    extent, parts = tuple(int(length) for length in size), layer.split(".")
    for count in range(len(parts)):  # the modules around the layer; its own output is already cut back
        around = model.get_submodule(".".join(parts[:count]))
        padded = getattr(around, "padded_size", None)
        extent = tuple(padded(extent)) if callable(padded) else extent
    return extent


def map_on_image(captured: CapturedMap, size: Sequence[int], *, extent: Sequence[int] | None = None) -> Tensor:
    """An attention map over places, or over channels and slices, on the image's grid.

    Args:
        captured: of kind "spatial", or "channel×slice", whose mean over the channels is spread over each slice.
        size: the image's (D, H, W) or (H, W).
        extent: see `to_image_grid`.

    Returns:
        (B, *size).

    Raises:
        UserError: a map of another kind has no place in the image.
    """
    if captured.kind not in (SPATIAL, CHANNEL_SLICE):
        raise UserError(f"{captured.layer} is {captured.kind} attention, which has no place in the image: look at "
                        "channels as bars (channel_gates), at slices and voxels as affinities")  # fmt: skip
    return to_image_grid(captured.values.mean(dim=1), size, extent=extent)


def slice_values(captured: CapturedMap, depth: int) -> Tensor:
    """One number for each of the image's axial slices.

    Args:
        captured: 3-D, of kind "channel×slice" (its mean over the channels) or "spatial" (its mean over the slice).
        depth: D, the image's slices.

    Returns:
        (B, D).

    Raises:
        UserError: another kind, or a 2-D map.
    """
    if captured.kind not in (SPATIAL, CHANNEL_SLICE) or captured.values.dim() != 5:
        raise UserError(f"{captured.layer} is {captured.kind} attention of shape {tuple(captured.values.shape)}: only "
                        "3-D maps over places, or over channels and slices, have a value for each slice")  # fmt: skip
    return to_image_grid(captured.values.mean(dim=(1, 3, 4)), (depth,))
