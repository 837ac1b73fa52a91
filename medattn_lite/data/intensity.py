"""Centre and scale of an image's intensities, taken from tissue that a lesion does not reach.

A mean and a standard deviation over the head move with every lesion in it: one that enhances widens the
spread, and so changes the normalised intensities of healthy tissue far away. Here the centre is the most
frequent combination of intensities over all channels, deep in the head, found by mean shift (Fukunaga and
Hostetler 1975; Comaniciu and Meer 2002): in a brain, white matter. Voxels with other intensities have no
weight in it. The scale is a quarter of the distance from the background to that centre, so that air lies at
−4, and a tissue half as bright again as white matter at +2. White Stripe (Shinohara et al. 2014) and fuzzy
C-means normalisation (Reinhold et al. 2019) use white matter in the same way.

Images that somebody has standardised already have no background to measure from. There the scale is the
median absolute deviation from the centre, times 1.4826.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from medattn_lite.data.threads import one_thread

AXIS = 64  # voxels along an axis that take part at most
DEEP = 0.45  # of the greatest depth under the head's surface: deeper than the cortex, where white matter prevails
ENOUGH = 64  # deep voxels; a smaller head takes part as a whole
SAMPLED = 2**13  # of the deep voxels
CANDIDATES = 256  # places among which the search starts from the densest
BANDWIDTH = 0.25  # of a channel's own spread
STEPS = 60
BACKGROUND = -4.0  # where the background of a magnitude image lies


Levels = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def every_nth(shape: Sequence[int]) -> tuple[slice, ...]:
    """Which voxels take part: at most about 64 along each axis. Taken twice, the same voxels."""
    return tuple(slice(None, None, max(1, round(size / AXIS))) for size in shape)


@one_thread()
def centre_and_scale(image: torch.Tensor, inside: torch.Tensor) -> Levels:
    """Centre, scale and normalised background of each channel.

    Args:
        image: `(C, *spatial)`, finite; or every n-th voxel of it, by `every_nth`, which gives the same numbers.
        inside: `(*spatial)` bool, the head; at least one voxel.

    Returns:
        Three tensors `(C,)` of float64. A scale of 0 means that a channel is constant.
    """
    steps = every_nth(inside.shape)
    if inside[steps].any():
        image, inside = image[(slice(None), *steps)], inside[steps]
    values = image[:, _deep(inside)]
    values = values[:, :: max(1, values.shape[1] // SAMPLED)].double()  # (C, m)
    outside = image[:, ~inside].double()
    background = outside.median(1).values if outside.shape[1] else image[:, inside].double().min(1).values
    centre = _most_frequent(values)
    spread = 1.4826 * (values - centre[:, None]).abs().median(dim=1).values
    spread = torch.where(spread > 0, spread, values.std(dim=1, correction=0))
    distance = (centre - background) / -BACKGROUND
    # Measured from the background only where tissue is brighter than it, and its contrast not lost beside an offset.
    magnitude = (_low(values, 0.01) >= background) & (distance > 0) & (spread > 0.02 * distance)
    scale = torch.where(magnitude, distance, spread)
    level = torch.where(magnitude, torch.full_like(scale, BACKGROUND), (_low(values, 0.005) - centre) / scale)
    return centre, scale, level


def _deep(head: torch.Tensor) -> torch.Tensor:
    """The voxels of a head far from its surface, by distance in voxels."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(head.cpu().numpy(), 1))[(slice(1, -1),) * head.ndim]
    deep = torch.from_numpy(depth > DEEP * depth.max()).to(head.device)
    return deep if int(deep.sum()) >= ENOUGH else head


def _most_frequent(values: torch.Tensor) -> torch.Tensor:
    """The mode of the joint distribution of `(C, m)` intensities, `(C,)`."""
    middle = values.median(dim=1).values
    spread = (values - middle[:, None]).abs().median(dim=1).values
    spread = torch.where(spread > 0, spread, values.std(dim=1, correction=0)).clamp(min=1e-12)
    points = ((values - middle[:, None]) / (BANDWIDTH * spread[:, None])).T  # (m, C), in bandwidths
    starts = points[:: max(1, len(points) // CANDIDATES)]
    density = torch.exp(-0.5 * torch.cdist(starts, points).square()).sum(dim=1)
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
