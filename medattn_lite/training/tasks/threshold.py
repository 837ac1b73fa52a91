"""A threshold on one channel: the control without a network that a segmentation has to pass.

    lesion where the channel is above t        t: the best mean Dice over the training patients

On the intensity scale of `data/transforms.py` 0 is white matter and -4 the background: one t fits scanners alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

BRIGHT = "flair"  # the channel in which lesions are bright
STEPS = 61
LOWEST, HIGHEST = -3.0, 9.0  # of the thresholds that are tried, in the units of the intensity scale


class ChannelThreshold(nn.Module):
    """Logits of background and lesion, from one channel and one number.

    Args:
        channel: which one of the image's channels.
    """

    def __init__(self, channel: int) -> None:
        super().__init__()
        self.channel = channel
        self.threshold = nn.Parameter(torch.zeros(()), requires_grad=False)

    def fit(self, images: Iterable[Tensor], masks: Iterable[Tensor]) -> None:
        """Sets the threshold with the best mean Dice.

        Args:
            images: (C, D, H, W) each.
            masks: (1, D, H, W) of 0 and 1 each.
        """
        tried = torch.linspace(LOWEST, HIGHEST, STEPS)
        scores = torch.stack([_dice_above(image[self.channel].float(), mask[0].bool(), tried)
                              for image, mask in zip(images, masks, strict=True)])  # fmt: skip
        self.threshold.copy_(tried[int(scores.mean(0).argmax())])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to logits (B, 2, D, H, W)."""
        above = x[:, self.channel, None] - self.threshold
        return torch.cat([-above, above], dim=1)


def channel_of_lesions(channels: Sequence[str]) -> int:
    """FLAIR, or the last channel where there is none."""
    return list(channels).index(BRIGHT) if BRIGHT in channels else len(channels) - 1


def _dice_above(values: Tensor, lesion: Tensor, thresholds: Tensor) -> Tensor:
    """Dice of `values > t` for each t: counts of sorted values, so that every voxel is looked at once."""
    inside, all_values = values[lesion].sort().values, values.flatten().sort().values
    hits = len(inside) - torch.searchsorted(inside, thresholds, right=True)
    above = len(all_values) - torch.searchsorted(all_values, thresholds, right=True)
    return 2 * hits / (above + len(inside)).clamp(min=1)
