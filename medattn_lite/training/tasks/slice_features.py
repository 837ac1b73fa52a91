"""What a few numbers of a slice say without a network: the control that a network on slices has to pass.

    of each channel, inside the head: mean, standard deviation, 5th and 95th percentile; how unlike left and right are
"""

from __future__ import annotations

import torch
from torch import Tensor

PER_CHANNEL = 5


def slice_features(image: Tensor) -> Tensor:
    """Features of one picture.

    Args:
        image: (C, H, W), normalised; the head is where it differs from the first pixel in any channel.

    Returns:
        (5 C,): mean, standard deviation, 5th and 95th percentile by channel, and the mean absolute difference from the
        mirror image about the middle of the head's box; zeros for a picture of one value.
    """
    image = image.float()
    inside = (image != image[:, :1, :1]).any(0)
    if not inside.any():
        return torch.zeros(PER_CHANNEL * len(image))
    columns = torch.nonzero(inside.any(0)).flatten()
    box = image[:, :, int(columns[0]) : int(columns[-1]) + 1]
    apart = (box - box.flip(-1)).abs().mean((1, 2))
    values = image[:, inside]  # (C, pixels)
    ends = torch.quantile(values, torch.tensor([0.05, 0.95]), dim=1)  # (2, C)
    features = [values.mean(1), values.std(1, unbiased=False), ends[0], ends[1], apart]
    return torch.stack(features, dim=1).flatten()
