"""Random windows, mirrors, turns and intensities of a volume, each from a generator; image and masks move together.

A change is a function of the generator it is given and of nothing else, so that training goes on exactly after a
stop and the processes' shares of a batch change as one batch would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from medattn_lite.data.phantom.fields import blur


def pad_to(volume: Tensor, size: Sequence[int], *, fill: Tensor | float = 0.0) -> tuple[Tensor, tuple[slice, ...]]:
    """Pads a volume on both sides where it is smaller than a size.

    Args:
        volume: (C, D, H, W).
        size: (D, H, W) at least.
        fill: value of the padding, one number or one per channel, (C,).

    Returns:
        the padded volume, and where the old one lies in it.
    """
    have = volume.shape[1:]
    wanted = [max(side, least) for side, least in zip(have, size, strict=True)]
    starts = [(want - side) // 2 for want, side in zip(wanted, have, strict=True)]
    place = tuple(slice(start, start + side) for start, side in zip(starts, have, strict=True))
    if list(have) == wanted:
        return volume, place
    fill = torch.as_tensor(fill, dtype=volume.dtype).reshape(-1, 1, 1, 1)
    padded = fill.expand(volume.shape[0], *wanted).clone()
    padded[(slice(None), *place)] = volume
    return padded, place


def random_window(
    image: Tensor, masks: Tensor, size: Sequence[int], generator: Generator, *, lesion_share: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Cuts a window at random; an image smaller than it is padded with each channel's darkest value.

    Args:
        image: (C, D, H, W).
        masks: (R, D, H, W).
        size: of the window, (D, H, W).
        generator: of the place.
        lesion_share: how often the window must hold a lesion voxel, drawn at random among all of them, 0 to 1.

    Returns:
        image and masks of the window, copies.
    """
    image, _ = pad_to(image, size, fill=image.flatten(1).amin(1))
    masks, _ = pad_to(masks, size)
    space = [have - want for have, want in zip(image.shape[1:], size, strict=True)]
    lowest, highest = [0, 0, 0], space
    if float(torch.rand((), generator=generator)) < lesion_share:
        lesion = torch.nonzero(masks.amax(0))
        if len(lesion):
            voxel = lesion[_below(len(lesion), generator)].tolist()
            lowest = [max(0, at - want + 1) for at, want in zip(voxel, size, strict=True)]
            highest = [min(room, at) for room, at in zip(space, voxel, strict=True)]
    starts = [low + _below(high - low + 1, generator) for low, high in zip(lowest, highest, strict=True)]
    window = tuple(slice(start, start + want) for start, want in zip(starts, size, strict=True))
    return image[(slice(None), *window)].clone(), masks[(slice(None), *window)].clone()


def random_flip(image: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mirrors each of the three axes with probability 0.5."""
    axes = [axis for axis in (-3, -2, -1) if float(torch.rand((), generator=generator)) < 0.5]
    return (image.flip(axes), masks.flip(axes)) if axes else (image, masks)


def random_rotation(
    image: Tensor, masks: Tensor, generator: Generator, *, degrees: float = 15.0, probability: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Turns about one of the three axes through the middle, by up to some degrees, with cubic voxels in mind.

    Args:
        image: (C, D, H, W); interpolated linearly, its border carried on.
        masks: (R, D, H, W); nearest voxel, nothing beyond the border.
        generator: of whether, axis and angle.
        degrees: largest angle.
        probability: of turning at all.
    """
    turns = float(torch.rand((), generator=generator)) < probability
    axis = _below(3, generator)
    angle = math.radians(degrees) * (2 * float(torch.rand((), generator=generator)) - 1)
    return rotate(image, masks, axis=axis, angle=angle) if turns else (image, masks)


def rotate(image: Tensor, masks: Tensor, *, axis: int, angle: float) -> tuple[Tensor, Tensor]:
    """Turns image and masks by an angle in radians about axis 0 (D), 1 (H) or 2 (W).

    A positive angle turns from the later of the other two axes towards the earlier one, as `torch.rot90` with k = −1.
    """
    first, second = [dimension for dimension in range(3) if dimension != axis]
    turn = torch.eye(3)
    turn[first, first] = turn[second, second] = math.cos(angle)
    turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
    half = torch.diag(torch.tensor([side / 2 for side in image.shape[1:]]))  # grid_sample counts from -1 to 1
    matrix = torch.linalg.inv(half) @ turn @ half  # in the order D, H, W
    theta = F.pad(matrix.flip(0, 1), (0, 1))  # torch wants W, H, D, and a column of shifts
    grid = F.affine_grid(theta[None], [1, 1, *image.shape[1:]], align_corners=False)
    turned = F.grid_sample(image[None].float(), grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
    moved = F.grid_sample(masks[None].float(), grid, mode="nearest", padding_mode="zeros", align_corners=False)[0]
    return turned.to(image.dtype), moved.to(masks.dtype)


def random_mirror(image: Tensor, masks: Tensor, generator: Generator, *, axes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Mirrors each of the given axes, 0 (D), 1 (H) or 2 (W), with probability 0.5."""
    chosen = [axis + 1 for axis in axes if float(torch.rand((), generator=generator)) < 0.5]
    return (image.flip(chosen), masks.flip(chosen)) if chosen else (image, masks)


def random_turn_in_plane(
    image: Tensor, masks: Tensor, generator: Generator, *, degrees: float = 0.0, zoom: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Turns and scales all slices alike, about their middle: for voxels that are longer along D than in the slice.

    Args:
        image: (C, D, H, W); interpolated linearly, its border carried on.
        masks: (R, D, H, W); nearest voxel, nothing beyond the border.
        generator: of angle and size.
        degrees: largest angle.
        zoom: from 1 / (1 + zoom) to 1 + zoom times as large.
    """
    angle, size = 2 * torch.rand(2, generator=generator) - 1
    angle, factor = math.radians(degrees) * float(angle), (1 + zoom) ** -float(size)
    height, width = image.shape[2:]
    cosine, sine = factor * math.cos(angle), factor * math.sin(angle)
    # grid_sample counts each axis from -1 to 1, so that a turn of a slice that is not a square mixes the two sides
    theta = torch.tensor([[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]])
    grid = F.affine_grid(theta[None], [1, 1, height, width], align_corners=False)
    turned = F.grid_sample(image.flatten(0, 1)[None].float(), grid, mode="bilinear", padding_mode="border",
                           align_corners=False)[0]  # fmt: skip
    moved = F.grid_sample(masks.flatten(0, 1)[None].float(), grid, mode="nearest", padding_mode="zeros",
                          align_corners=False)[0]  # fmt: skip
    return turned.reshape(image.shape).to(image.dtype), moved.reshape(masks.shape).to(masks.dtype)


def changed_window(
    image: Tensor, masks: Tensor, generator: Generator, option: Callable[[str], Any]
) -> tuple[Tensor, Tensor]:
    """A training window changed as a recipe says; what it leaves at nothing draws nothing.

    Args:
        image: (C, D, H, W).
        masks: (R, D, H, W).
        generator: of every change.
        option: name → value of `turn_degrees`, `zoom`, `mirror_axes`, `lesion_fade`, `blur`, `intensity_change`.
    """
    if option("turn_degrees") or option("zoom"):
        image, masks = random_turn_in_plane(image, masks, generator, degrees=option("turn_degrees"),
                                            zoom=option("zoom"))  # fmt: skip
    image, masks = random_mirror(image, masks, generator, axes=option("mirror_axes"))
    if option("lesion_fade"):
        image = random_lesion_fade(image, masks, generator, most=option("lesion_fade"))
    if option("blur"):
        image = random_blur(image, generator, most=option("blur"))
    if option("intensity_change"):
        image = random_intensity(image, generator, amount=option("intensity_change"))
    return image, masks


def mirrored_mean(predict: Callable[[Tensor], Tensor], image: Tensor, axes: Sequence[int]) -> Tensor:
    """The mean of what is predicted of an image and of its mirror images, each mirrored back.

    Args:
        predict: (B, C, D, H, W) to (B, R, D, H, W).
        image: (B, C, D, H, W).
        axes: 0 (D), 1 (H) and 2 (W), those that are mirrored, in all combinations.
    """
    chosen = [[axis + 2 for place, axis in enumerate(axes) if number >> place & 1] for number in range(2 ** len(axes))]
    views = (predict(image.flip(flipped)).flip(flipped) for flipped in chosen)  # one after another
    return reduce(torch.add, views) / len(chosen)


def random_intensity(image: Tensor, generator: Generator, *, amount: float = 0.1) -> Tensor:
    """Scales each channel by 1 ± `amount` and shifts it by ± `amount` of the normalised scale."""
    scale, shift = amount * (2 * torch.rand(2, image.shape[0], 1, 1, 1, generator=generator) - 1)
    return image * (1 + scale) + shift


def random_blur(image: Tensor, generator: Generator, *, most: float) -> Tensor:
    """Blurs all channels by one Gaussian, as thick slices, resampling and motion do.

    Args:
        image: (C, D, H, W).
        generator: of its width.
        most: largest standard deviation, in voxels.
    """
    width = most * float(torch.rand((), generator=generator))
    return blur(image, (width, width, width))


def random_lesion_fade(
    image: Tensor, masks: Tensor, generator: Generator, *, most: float, edge: float = 1.0
) -> Tensor:
    """Brings what lies inside the masks nearer to white matter, in each channel by itself.

    Args:
        image: (C, D, H, W) on the intensity scale of `data/transforms.py`, where white matter is 0.
        masks: (R, D, H, W); a voxel of any region counts.
        generator: of how far, and of the width of the edge.
        most: up to this share of the way; 0 leaves lesions as they are, at 1 they may vanish.
        edge: the change comes in over an edge of up to so many voxels (standard deviation of a Gaussian).
    """
    inside = (masks > 0).any(0, keepdim=True).float()  # (1, D, H, W)
    width = edge * float(torch.rand((), generator=generator))
    weight = blur(inside, (width, width, width))
    share = most * torch.rand(image.shape[0], 1, 1, 1, generator=generator)
    return image * (1 - weight * share)


def _below(end: int, generator: Generator) -> int:
    return int(torch.randint(max(1, end), (), generator=generator))


def mirrored(crop: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A crop (C, D, H, W), left and right exchanged half of the time."""
    return crop.flip(-1) if torch.rand((), generator=generator) < 0.5 else crop
