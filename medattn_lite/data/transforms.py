"""Samples in, samples out: intensity, crops, padding and voxel size; the affine follows every step.

Normalisation is one for phantoms and patients alike. Its centre is white matter's and its scale the
distance from there to the background (see `intensity`), so that a lesion hardly moves the intensities of
tissue it does not touch; one that fills much of a hemisphere still can. Measured: from statistics of
normalised tissue at least 11 mm away from the tumour of 300 phantoms, grade is not told better than chance
(`figures/phantom_audit.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from medattn_lite.data.dataset import Sample
from medattn_lite.data.intensity import Levels, centre_and_scale
from medattn_lite.data.nifti_io.volumes import voxel_sizes
from medattn_lite.errors import UserError

SPATIAL: tuple[Literal["image", "mask", "signal"], ...] = ("image", "mask", "signal")
LARGE = 2**24  # voxels of a channel
POSSIBLE_MM = (0.005, 200.0)  # of a voxel's side; outside of these a header is wrong
SAMPLED = 2**17  # values enough for a quantile: half a per cent of them is 655
NOISE_FLOOR = 0.12  # of the 99th percentile: above the noise in the air, below cerebrospinal fluid in most sequences


def foreground(image: torch.Tensor) -> torch.Tensor:
    """Finds head or brain: the voxels that are not background.

    A skull-stripped image has one background value all around, and everything else is foreground.
    Otherwise the air is noisy, and foreground is where the mean over the channels, each divided by
    its 99th percentile, exceeds 0.12. A channel whose air is brighter than that (an image stored with an
    offset) says nothing about where the head is, and is left out of the mean unless all are so.

    Args:
        image: (C, *spatial).

    Returns:
        (1, *spatial) bool.
    """
    corner = image.flatten(1)[:, 0].reshape(-1, *[1] * (image.ndim - 1))
    inside = (image != corner).any(dim=0, keepdim=True)
    if _border(inside).float().mean() < 0.02:
        return inside
    scale = _quantile(image.flatten(1), 0.99).clamp(min=1e-6).reshape(corner.shape)
    relative = image / scale
    dark = torch.stack([_border(channel[None]).median() for channel in relative]) < NOISE_FLOOR
    return (relative[dark] if dark.any() else relative).mean(dim=0, keepdim=True) > NOISE_FLOOR


def normalise(
    image: torch.Tensor, mask: torch.Tensor | None = None, *, levels: Levels | None = None
) -> torch.Tensor:
    """Brings each channel to one scale: 0 in white matter, −4 in the background.

    x ← 4 (x − centre) / (centre − background), with the centre from `intensity.centre_and_scale`: the most
    frequent tissue, which a lesion hardly moves. An image that is standardised already, with tissue darker than
    its background, is divided by its own robust spread instead.

    Args:
        image: (C, *spatial).
        mask: (1, *spatial) foreground; None finds it with `foreground`.
        levels: centre, scale and background of each channel, (C,); None takes them from the image. For reading
            one channel at a time: the centre is found in all of them together.

    Returns:
        (C, *spatial) float32; the background holds one value.

    Raises:
        UserError: NaN, an empty foreground, or a channel that is constant over it.
    """
    image = image.to(torch.float32)
    if not torch.isfinite(image).all():
        raise UserError("cannot normalise an image with NaN or infinite values: repair or leave out this case")
    inside = foreground(image) if mask is None else mask.to(torch.bool)
    if inside.shape != image[:1].shape:
        raise UserError(f"the mask has shape {tuple(inside.shape)}: give {tuple(image[:1].shape)}")
    if not inside.any():
        raise UserError("cannot normalise an image without foreground: is the image constant, or the mask empty?")
    centre, scale, background = centre_and_scale(image, inside[0]) if levels is None else levels
    result = torch.empty_like(image)
    for number, channel in enumerate(image):
        if not scale[number] > 0:
            why = "it is constant" if scale[number] == 0 else "its values are too large to take a mean of"
            raise UserError(f"cannot normalise channel {number}: {why}; repair or leave out this case")
        parts = max(1, channel.numel() // LARGE)  # in double precision a large channel at once would take gigabytes
        for out, part, kept in zip(*(x.chunk(parts) for x in (result[number], channel, inside[0])), strict=True):
            out.copy_(torch.where(kept, (part.double() - centre[number]) / scale[number], background[number]))
    return result


def crop_or_pad(sample: Sample, shape: Sequence[int]) -> Sample:
    """Cuts or pads a sample to a shape, around its middle.

    Args:
        sample: with `image` (C, *spatial) and perhaps `mask` and `signal`.
        shape: wanted spatial shape, (D, H, W) or (H, W).

    Returns:
        A new sample. Images are padded with each channel's lowest value, masks with 0.
    """
    size = sample["image"].shape[1:]
    _require_dimensions(size, shape)
    start = [(have - want) // 2 for have, want in zip(size, shape, strict=True)]
    return cut_box(sample, start, shape)


def crop_around(sample: Sample, shape: Sequence[int]) -> Sample:
    """Cuts a window around the tumour; where it leaves the image, it is padded.

    The window's centre is the middle of the mask's bounding box. Without a mask, or with an empty
    one, it is the middle of the image.

    Args:
        sample: with `image` and `mask`.
        shape: spatial shape of the window.
    """
    size = sample["image"].shape[1:]
    _require_dimensions(size, shape)
    mask = sample.get("mask")
    if mask is None or not bool((mask > 0).any()):
        return crop_or_pad(sample, shape)
    place = torch.nonzero((mask > 0).any(dim=0))
    middle = (place.min(dim=0).values + place.max(dim=0).values + 1) // 2
    start = [int(centre) - want // 2 for centre, want in zip(middle, shape, strict=True)]
    return cut_box(sample, start, shape)


def resample(sample: Sample, spacing_mm: float | Sequence[float]) -> Sample:
    """Brings a sample to another voxel size, with MONAI's `Spacing`.

    Images are interpolated linearly, after smoothing along the axes that become coarser, so that
    thin structures do not alias; masks and signal maps take the nearest voxel.

    Args:
        sample: 3-D, with its `affine`.
        spacing_mm: wanted voxel size along D, H and W, or one number for all.

    Raises:
        UserError: the sample is 2-D, its voxel size is unknown or cannot be true, or the wanted one is not positive.
    """
    image = sample["image"]
    if image.ndim != 4:
        raise UserError("resample works on volumes (C, D, H, W); this sample is a single picture")
    wanted = positive_sizes(spacing_mm)
    if sample.get("meta", {}).get("voxel_size_mm", ()) is None:
        raise UserError(
            f"the voxel size of {sample.get('subject', 'this sample')} is unknown (its files carry none): "
            "open the data set with spacing_mm=(D, H, W) if you know it"
        )
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    affine = torch.as_tensor(np.asarray(sample["affine"]), dtype=torch.float64)
    sides = voxel_sizes(affine.numpy())
    if not all(POSSIBLE_MM[0] <= side <= POSSIBLE_MM[1] for side in sides):  # one voxel, or more than any memory
        size = "×".join(f"{side:.3g}" for side in sides)
        raise UserError(f"the voxels of {sample.get('subject', 'this sample')} measure {size} mm: the unit or the size "
                        "in its header is wrong, correct it")
    factors = [want / have for want, have in zip(wanted, sides, strict=True)]
    result = sample.copy()
    for key in SPATIAL:
        if sample.get(key) is None:
            continue
        tensor = sample[key]
        smooth = key == "image"
        values = _smoothed(tensor.float(), factors) if smooth else tensor.float()
        spacing = Spacing(pixdim=wanted, mode="bilinear" if smooth else "nearest", padding_mode="border")
        moved: Any = spacing(MetaTensor(values, affine=affine))  # a MetaTensor, which MONAI calls a Tensor
        result[key] = moved.as_tensor().to(tensor.dtype)
        result["affine"] = np.asarray(moved.affine, dtype=np.float64)
    return _off_grid(result)


def positive_sizes(spacing_mm: float | Sequence[float]) -> tuple[float, float, float]:
    """Voxel size along D, H and W from one number or three, also as text.

    Raises:
        UserError: it is neither one number nor three, or one of them is not above 0.
    """
    try:
        sizes = np.asarray(spacing_mm, dtype=float).reshape(-1)
    except (TypeError, ValueError):
        sizes = np.zeros(1)
    if sizes.size not in (1, 3) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise UserError(f"voxel sizes are one or three positive numbers of millimetres (D, H, W), not {spacing_mm!r}")
    depth, height, width = np.broadcast_to(sizes, 3)
    return float(depth), float(height), float(width)


def cut_box(sample: Sample, start: Sequence[int], shape: Sequence[int]) -> Sample:
    """A box of a sample; where it leaves the image, it is padded as in `crop_or_pad`.

    Args:
        sample: with `image` (C, *spatial) and perhaps `mask` and `signal`.
        start: first index along each axis; may lie outside.
        shape: of the box.
    """
    result = sample.copy()
    size = sample["image"].shape[1:]
    inside, target = [], []  # the same voxels in the old image and in the new one
    for first, want, have in zip(start, shape, size, strict=True):
        low, high = min(max(first, 0), have), min(max(first + want, 0), have)
        inside.append(slice(low, high))
        target.append(slice(low - first, high - first) if high > low else slice(0, 0))
    for key in SPATIAL:
        if sample.get(key) is None:
            continue
        tensor = sample[key]
        if key == "image":
            fill = tensor.flatten(1).min(dim=1).values.reshape(-1, *[1] * len(shape))
            padded = fill.expand(tensor.shape[0], *shape).clone()
        else:
            padded = torch.zeros((tensor.shape[0], *shape), dtype=tensor.dtype, device=tensor.device)
        padded[(slice(None), *target)] = tensor[(slice(None), *inside)]
        result[key] = padded
    if sample.get("affine") is not None:
        shift = np.zeros(4)
        shift[3 - len(start):3] = start
        affine = np.array(sample["affine"], dtype=np.float64)
        affine[:, 3] += affine @ shift
        result["affine"] = affine
    return _off_grid(result)


def _off_grid(sample: Sample) -> Sample:
    """The arrays no longer lie on the file's voxels: the affine says where they are, the old grid does not."""
    if "grid" in sample:
        sample["grid"] = None
    meta = sample.get("meta")
    if isinstance(meta, dict) and meta.get("voxel_size_mm") is not None and sample.get("affine") is not None:
        sample["meta"] = {**meta, "voxel_size_mm": voxel_sizes(np.asarray(sample["affine"]))}
    return sample


def _smoothed(image: torch.Tensor, factors: Sequence[float]) -> torch.Tensor:
    """Gaussian low-pass along the axes that lose resolution by more than a quarter."""
    from scipy.ndimage import gaussian_filter

    sigma = [0.0] + [0.42 * float(np.sqrt(factor**2 - 1)) if factor > 1.25 else 0.0 for factor in factors]
    return torch.from_numpy(gaussian_filter(image.numpy(), sigma)) if any(sigma) else image


def _require_dimensions(size: Sequence[int], shape: Sequence[int]) -> None:
    if len(size) != len(shape) or min(shape) < 1:
        raise UserError(f"cannot crop or pad an image of shape {tuple(size)} to {tuple(shape)}: "
                        f"give {len(size)} positive numbers")


def _border(inside: torch.Tensor) -> torch.Tensor:
    """The voxels on the outer faces of (1, *spatial)."""
    faces = []
    for axis in range(1, inside.ndim):
        faces += [inside.select(axis, 0).flatten(), inside.select(axis, -1).flatten()]
    return torch.cat(faces)


def _quantile(values: torch.Tensor, q: float) -> torch.Tensor:
    """Quantile along the last axis, over every n-th of them where there are more than `SAMPLED`."""
    sampled = values[..., :: max(1, values.shape[-1] // SAMPLED)]
    return sampled.kthvalue(1 + round(q * (sampled.shape[-1] - 1)), dim=-1).values
