"""Does the prediction need what the map marks? Deletion and insertion curves, in 2-D and 3-D.

    deletion    take the most relevant voxels away first: a faithful map makes the score fall at once
    insertion   start from nothing and put the most relevant back first: the score rises at once

Paper: Petsiuk, Das, Saenko 2018 (RISE). The area is that under the curve of the score, which is scaled so that the
whole image is 1 and the empty one 0; a lower area is better for deletion, a higher one for insertion.

What "taken away" means decides the curve: a hole is itself something a network reacts to. `empty_like` blurs the image
by default; `fill="dark"` gives holes. Compare only curves of the same fill, and always with a random order.

Deviation: voxels are taken by blocks (`block` voxels per side), since single voxels of a smooth map are not seen by any
network; a block's relevance is the mean of its voxels'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.errors import UserError
from medattn_lite.explain.methods import darkest
from medattn_lite.explain.model import Target, forward_eval

FILLS = ("blur", "dark")
PASS = 8  # images at once


@dataclass(frozen=True)
class Curve:
    """Scores of an image that loses or gains its voxels in the order of a map.

    Attributes:
        shares: share of the counted voxels changed, (steps + 1,), from 0 to 1.
        scores: the target's value, (steps + 1,).
        scaled: scores, 0 for the empty and 1 for the whole image.
        area: under `scaled`; NaN where whole and empty image score alike.
    """

    shares: Tensor
    scores: Tensor
    scaled: Tensor
    area: float


def deletion_curve(model: nn.Module, image: Tensor, values: Tensor, *, target: Target, **options: Any) -> Curve:
    """Takes the most relevant voxels away first; `insertion_curve` puts them back.

    Args:
        model: the network, left as it was.
        image: (1, C, D, H, W) or (1, C, H, W).
        values: map on the image's grid, (D, H, W) or (H, W).
        target: what is asked; fixed to the whole image.
        **options: `steps` (20), `fill` ("blur"), `block` (4 voxels per side), `within` (bool, the voxels that count),
            `extra_inputs` (what the network takes besides the image).

    Raises:
        UserError: other shapes, or a batch of several images.
    """
    return _curve(model, image, values, target=target, insert=False, **options)


def insertion_curve(model: nn.Module, image: Tensor, values: Tensor, *, target: Target, **options: Any) -> Curve:
    """Puts the most relevant voxels back first; as `deletion_curve`."""
    return _curve(model, image, values, target=target, insert=True, **options)


def empty_like(image: Tensor, *, fill: str = "blur") -> Tensor:
    """Makes an image without content: blurred by a quarter of its sides, or each channel's darkest value."""
    if fill not in FILLS:
        raise UserError(f"unknown fill {fill!r}: use {' or '.join(FILLS)}")
    if fill == "dark":
        return darkest(image).clone()
    pool = F.avg_pool2d if image.dim() == 4 else F.avg_pool3d
    dims = image.dim() - 2
    for _ in range(3):  # three boxes are nearly a Gaussian
        for axis, side in enumerate(image.shape[2:]):  # axis by axis is the same, at a hundredth of the work
            radii = [side // 8 if dimension == axis else 0 for dimension in range(dims)]
            image = pool(image, [2 * radius + 1 for radius in radii], stride=1, padding=radii, count_include_pad=False)
    return image


def _curve(
    model: nn.Module, image: Tensor, values: Tensor, *, target: Target, insert: bool, steps: int = 20,
    fill: str = "blur", block: int = 4, within: Tensor | None = None, extra_inputs: Sequence[Tensor] = (),
) -> Curve:  # fmt: skip
    if len(image) != 1 or tuple(values.shape) != tuple(image.shape[2:]):
        raise UserError(f"a curve is of one image and its map: got {tuple(image.shape)} and {tuple(values.shape)}")
    fixed = target.fixed(forward_eval(model, image, extra_inputs=extra_inputs))
    empty = empty_like(image, fill=fill)
    rank = _ranks(values.float(), block=block, within=within)  # (D, H, W): 0 goes first, 1 last; 2 never
    shares = torch.linspace(0, 1, steps + 1)
    scores = []
    for part in shares.split(PASS):
        taken = torch.stack([rank < share if share < 1 else rank <= 1 for share in part])[:, None]  # (P, 1, D, H, W)
        keep = taken if insert else ~taken
        outside = (rank > 1)[None, None]
        changed = torch.where(keep | outside, image, empty)  # (P, C, D, H, W)
        copies = [extra.expand(len(part), *extra.shape[1:]) for extra in extra_inputs]
        with torch.no_grad():
            scores.append(fixed(forward_eval(model, changed, extra_inputs=copies)).float().cpu())
    outputs = torch.cat(scores)
    whole, none = (outputs[-1], outputs[0]) if insert else (outputs[0], outputs[-1])
    span = float(whole - none)
    flat = abs(span) <= 1e-5 * max(1.0, float(whole.abs()))
    scaled = torch.full_like(outputs, float("nan")) if flat else (outputs - none) / span
    return Curve(shares, outputs, scaled, float(torch.trapezoid(scaled, shares)))


def _ranks(values: Tensor, *, block: int, within: Tensor | None) -> Tensor:
    """Each voxel's place in the order, 0 to 1, the same for a whole block; 2 where it does not count."""
    dims = values.dim()
    counted = torch.ones_like(values, dtype=torch.bool) if within is None else within.bool()
    pool = F.avg_pool2d if dims == 2 else F.avg_pool3d
    sides = [min(block, side) for side in values.shape]
    options: dict[str, Any] = {"kernel_size": sides, "stride": sides, "ceil_mode": True, "count_include_pad": False}
    weight = pool(counted.float()[None, None], **options)
    mean = pool((values * counted)[None, None], **options) / weight.clamp(min=1e-6)
    alive = weight[0, 0] > 0
    order = torch.full(alive.shape, 2.0)
    place = torch.argsort(torch.argsort(mean[0, 0][alive], descending=True, stable=True)).float()
    order[alive] = place / max(1, len(place) - 1) if len(place) > 1 else torch.zeros_like(place)
    for axis, side in enumerate(sides):
        order = order.repeat_interleave(side, dim=axis)
    order = order[tuple(slice(0, side) for side in values.shape)]
    return torch.where(counted, order, torch.full_like(order, 2.0))
