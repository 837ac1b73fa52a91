"""Histogram standardisation: the grey values of every image bent so that its percentiles lie where they lie on average.

    landmarks_k = mean over images of 100 · (p_k − p_1) / (p_99 − p_1)          k: 1, 10, 20, 25, …, 90, 99 %
    x ↦ the straight line between landmarks_k and landmarks_{k+1} where x lies between p_k and p_{k+1}

Paper: Nyúl, Udupa & Zhang 2000, New variants of a method of MRI scale standardization; percentiles as in TorchIO.
The landmarks are learned: take them from training images only. Beyond the outer percentiles the last line goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PERCENTILES = (1, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 99)
SMALLEST_STEP = 1e-6  # of the whole range: two percentiles that coincide would divide by 0


def percentiles(image: Tensor, inside: Tensor) -> Tensor:
    """Grey values at the percentiles of each channel.

    Args:
        image: (C, *spatial).
        inside: (*spatial) bool, head or brain.

    Returns:
        (C, 13), rising strictly.
    """
    values = image[:, inside].float().sort(dim=1).values  # (C, N)
    place = torch.tensor(PERCENTILES) / 100 * (values.shape[1] - 1)
    quantiles = values[:, place.round().long()]
    least = SMALLEST_STEP * (quantiles[:, -1:] - quantiles[:, :1]).clamp(min=SMALLEST_STEP)
    return quantiles.cummax(dim=1).values + least * torch.arange(len(PERCENTILES))


def landmarks(quantiles: Sequence[Tensor]) -> Tensor:
    """Mean places of the percentiles between 0 and 100.

    Args:
        quantiles: `percentiles` of each training image, (C, 13).

    Returns:
        (C, 13) from 0 to 100.
    """
    every = torch.stack(list(quantiles))  # (images, C, 13)
    low, high = every[..., :1], every[..., -1:]
    return (100 * (every - low) / (high - low)).mean(dim=0)


def match_landmarks(image: Tensor, image_landmarks: Tensor, learned: Tensor) -> Tensor:
    """An image with its percentiles moved to the landmarks.

    Args:
        image: (C, *spatial).
        image_landmarks: (C, 13), the image's `percentiles`.
        learned: (C, 13), `landmarks`.
    """
    bent = []
    for channel, before, after in zip(image.float(), image_landmarks, learned, strict=True):
        slopes = (after[1:] - after[:-1]) / (before[1:] - before[:-1])
        part = torch.bucketize(channel, before[1:-1])  # (*spatial), the line that each voxel lies on
        bent.append(after[part] + slopes[part] * (channel - before[part]))
    return torch.stack(bent)
