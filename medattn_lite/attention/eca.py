"""Efficient channel attention (ECA): one gate for each channel, from the channel's mean and its neighbours' means.

    z = mean of x over space                                    (B, C)
    s = σ(f_k(z))         f_k: a 1-D convolution along the channels, k weights in all, no bias
    k = |log₂(C) / γ + b / γ|, to an odd number                 γ = 2, b = 1
    x' = s ⊗ x

Paper: Wang Q. et al. 2020, "ECA-Net: Efficient channel attention for deep convolutional neural networks". It came after
squeeze-and-excitation and asks two things of it: whether the hidden layer of C / r channels is needed (here each
channel answers for itself, nothing is squeezed), and whether each channel must see all others (here k of them).

Reading: "nearest odd number" leaves an even value between two; as in the authors' code the number is cut to a whole
one, and an even one goes up: C = 64 → 3, 256 → 5, 2048 → 7 (cut from 3.5, 4.5 and 6). `kernel_size` sets k by hand.

Deviations: 3-D from the same class. Channels have no order of their own: the network learns one in which neighbours
belong together, so in a pretrained network this gate is not a drop-in replacement.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import (
    SPATIAL_AXES,
    broadcast_shape,
    check_feature_map,
    check_odd,
    check_positive,
    check_spatial_dims,
    spatial_indices,
)
from medattn_lite.attention.maps import CHANNEL, AttentionMap


def adaptive_kernel_size(channels: int, *, gamma: float = 2.0, b: float = 1.0) -> int:
    """k of the paper's eq. 12, odd: how many neighbouring channels a gate sees.

    Raises:
        ValueError: no channel.
    """
    check_positive("channels", channels)
    size = int(abs(math.log2(channels) / gamma + b / gamma))
    return size if size % 2 else size + 1


class NeighbourGate(AttentionMap):
    """The gate s of efficient channel attention; its output is the map (B, C, 1, 1) or (B, C, 1, 1, 1)."""

    def __init__(self, *, kernel_size: int, spatial_dims: int = 2) -> None:
        check_spatial_dims(spatial_dims)
        super().__init__(kind=CHANNEL, axes=("batch", "channel", *SPATIAL_AXES[spatial_dims]))
        check_odd("kernel_size", kernel_size)
        self.spatial_dims = spatial_dims
        self.convolution = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate in (0, 1) for each channel of x, shaped to multiply it."""
        means = x.mean(dim=spatial_indices(self.spatial_dims))  # (B, C)
        logits = self.convolution(means.unsqueeze(1)).squeeze(1)  # (B, C), neighbours mixed
        gate = torch.sigmoid(logits)  # (B, C)
        return gate.reshape(*gate.shape, *broadcast_shape(self.spatial_dims))  # (B, C, 1, 1)


class EfficientChannelAttention(nn.Module):
    """Efficient channel attention block, ECA.

    Args:
        channels: C, channels of the input and the output.
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        kernel_size: k, odd; None for the paper's, which grows with the logarithm of C.

    Raises:
        ValueError: no channel, or an even kernel.
    """

    def __init__(self, channels: int, *, spatial_dims: int = 2, kernel_size: int | None = None) -> None:
        super().__init__()
        size = adaptive_kernel_size(channels) if kernel_size is None else kernel_size
        self.channels, self.spatial_dims = channels, spatial_dims
        self.gate = NeighbourGate(kernel_size=size, spatial_dims=spatial_dims)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same shape, each channel multiplied by its gate."""
        check_feature_map(x, channels=self.channels, spatial_dims=self.spatial_dims)
        gate = self.gate(x)  # (B, C, 1, 1) or (B, C, 1, 1, 1)
        return x * gate
