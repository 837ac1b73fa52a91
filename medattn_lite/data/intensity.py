"""Centre and scale of an image's intensities, taken from tissue that a lesion does not reach.

A mean and a standard deviation over the head move with every lesion in it: one that enhances widens the
spread, and so changes the normalised intensities of healthy tissue far away. Here the centre is the most
frequent combination of intensities over all channels, deep in the head, found by mean shift (Fukunaga and
Hostetler 1975; Comaniciu and Meer 2002): in a brain, white matter. Voxels with other intensities have no
weight in it. The scale is a quarter of the distance from the background to that centre, so that air lies at
−4, and a tissue half as bright again as white matter at +2. A tumour that fills much of one half of the head
can still draw the centre to itself: `tests/data/test_intensity.py` says up to which size it does not. White
Stripe (Shinohara et al. 2014) and fuzzy C-means normalisation (Reinhold et al. 2019) use white matter in the
same way.

Images that somebody has standardised already have no background to measure from. There the scale is the
median absolute deviation from the centre, times 1.4826.
"""

from __future__ import annotations

import numpy as np
import torch

from medattn_lite.data.threads import one_thread

AXIS = 64  # about as many voxels along an axis, at most: finer ones are averaged, so that voxel size matters little
DEEP = 0.4  # of the greatest depth under the head's surface: deeper than most of the cortex
ENOUGH = 64  # deep voxels; a smaller head takes part as a whole
SAMPLED = 2**13  # of the deep voxels
CANDIDATES = 256  # places among which the search starts from the densest
BANDWIDTH = 0.4  # of a channel's own spread
STEPS = 60
BACKGROUND = -4.0  # where the background of a magnitude image lies


Levels = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def coarse(image: torch.Tensor) -> torch.Tensor:
    """Means of blocks of voxels, about 64 along each axis at most; taken twice, the same.

    Args:
        image: `(C, *spatial)`, one channel or several, or a mask, which is kept where the whole block is inside.
    """
    steps = [max(1, round(size / AXIS)) for size in image.shape[1:]]
    for axis, step in enumerate(steps, start=1):
        whole = image.shape[axis] // step * step
        if step > 1:
            blocks = image.narrow(axis, 0, whole).unflatten(axis, (whole // step, step))
            image = blocks.all(axis + 1) if image.dtype == torch.bool else blocks.float().mean(axis + 1)
    return image


@one_thread()
def centre_and_scale(image: torch.Tensor, inside: torch.Tensor) -> Levels:
    """Centre, scale and normalised background of each channel.

    Args:
        image: `(C, *spatial)`, finite; or what `coarse` makes of it, which gives the same numbers.
        inside: `(*spatial)` bool, the head; at least one voxel.

    Returns:
        Three tensors `(C,)` of float64. A scale of 0 means that a channel is constant.
    """
    device, corner = image.device, image.flatten(1)[:, 0]
    head = coarse(inside[None])[0]
    if head.any():
        image, inside = coarse(image), head
    deep = _deep(inside)
    every = max(1, int(deep.sum()) // SAMPLED)
    values = image[:, deep].cpu()[:, ::every].double()  # (C, m); not every device has float64
    across = deep.nonzero()[::every, -1].cpu()
    outside = image[:, ~_grown(inside)].cpu().double()
    background = outside.median(1).values if outside.shape[1] else torch.minimum(corner.cpu().double(), values.amin(1))
    centre = _most_frequent(values, across <= across.double().median())
    spread = 1.4826 * (values - centre[:, None]).abs().median(dim=1).values
    spread = torch.where(spread > 0, spread, values.std(dim=1, correction=0))
    distance = (centre - background) / -BACKGROUND
    # Measured from the background only where tissue is brighter than it, and its contrast not lost beside an offset.
    magnitude = (_low(values, 0.01) >= background) & (distance > 0) & (spread > 0.02 * distance)
    scale = torch.where(magnitude, distance, spread)
    level = torch.where(magnitude, torch.full_like(scale, BACKGROUND), (_low(values, 0.005) - centre) / scale)
    return _on(device, centre), _on(device, scale), _on(device, level)


def _on(device: torch.device, values: torch.Tensor) -> torch.Tensor:
    return values.to(device) if device.type in ("cpu", "cuda") else values.float().to(device)


def _grown(head: torch.Tensor) -> torch.Tensor:
    """A head and the voxels beside it, which averaging may have mixed with it."""
    from scipy.ndimage import binary_dilation

    return torch.from_numpy(binary_dilation(head.cpu().numpy(), np.ones((3,) * head.ndim))).to(head.device)


def _deep(head: torch.Tensor) -> torch.Tensor:
    """The voxels of a head far from its surface, by distance in voxels."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(head.cpu().numpy(), 1))[(slice(1, -1),) * head.ndim]
    deep = torch.from_numpy(depth > DEEP * depth.max()).to(head.device)
    return deep if int(deep.sum()) >= ENOUGH else head


def _most_frequent(values: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """The mode of the joint distribution of `(C, m)` intensities, `(C,)`.

    The search starts where left and right half both have many voxels, by the geometric mean of their densities: a
    tumour fills one half.
    """
    middle = values.median(dim=1).values
    spread = (values - middle[:, None]).abs().median(dim=1).values
    spread = torch.where(spread > 0, spread, values.std(dim=1, correction=0)).clamp(min=1e-12)
    points = ((values - middle[:, None]) / (BANDWIDTH * spread[:, None])).T  # (m, C), in bandwidths
    starts = points[:: max(1, len(points) // CANDIDATES)]
    weights = torch.exp(-0.5 * torch.cdist(starts, points).square())  # (candidates, m)
    density = weights[:, left].sum(dim=1) * (weights[:, ~left].sum(dim=1) if not left.all() else 1.0)
    mode = starts[density.argmax()]
    for _ in range(STEPS):
        weight = torch.exp(-0.5 * (points - mode).square().sum(dim=1))
        moved = (weight[:, None] * points).sum(dim=0) / weight.sum()
        if (moved - mode).abs().max() < 1e-6:
            break
        mode = moved
    return mode * BANDWIDTH * spread + middle


def _low(values: torch.Tensor, q: float) -> torch.Tensor:
    """Quantile of each row."""
    return values.kthvalue(1 + round(q * (values.shape[1] - 1)), dim=1).values
