"""Squeeze-and-excitation: one gate for each channel, from the mean of every channel.

    z = mean of x over space                    squeeze      (B, C)
    s = σ(W₂ δ(W₁ z + b₁) + b₂)                 excitation   W₁: C → C / r, W₂: C / r → C, δ = ReLU
    x' = s ⊗ x

Paper: Hu, Shen, Sun 2018, "Squeeze-and-excitation networks"; here r = 16, as in SE-ResNeXt-50 of the
survival deck. Equal to MONAI's `ChannelSELayer(r=16)`, which has r = 2 by default.

Deviations: none. The original Caffe layers have biases; a common PyTorch port leaves them out
(`bias=False`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import (
    SPATIAL_AXES,
    broadcast_shape,
    check_feature_map,
    check_spatial_dims,
    reduced_channels,
    spatial_indices,
)
from medattn_lite.attention.maps import CHANNEL, AttentionMap


class ExcitationGate(AttentionMap):
    """The gate s of squeeze-and-excitation; its output is the map (B, C, 1, 1) or (B, C, 1, 1, 1)."""

    def __init__(self, channels: int, *, reduction: int = 16, spatial_dims: int = 2, bias: bool = True) -> None:
        check_spatial_dims(spatial_dims)
        super().__init__(kind=CHANNEL, axes=("batch", "channel", *SPATIAL_AXES[spatial_dims]))
        hidden = reduced_channels(channels, reduction)
        self.spatial_dims = spatial_dims
        self.reduce = nn.Linear(channels, hidden, bias=bias)
        self.expand = nn.Linear(hidden, channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Gate in (0, 1) for each channel of x, shaped to multiply it."""
        squeezed = x.mean(dim=spatial_indices(self.spatial_dims))  # (B, C)
        hidden = torch.relu(self.reduce(squeezed))  # (B, C / r)
        gate = torch.sigmoid(self.expand(hidden))  # (B, C)
        return gate.reshape(*gate.shape, *broadcast_shape(self.spatial_dims))  # (B, C, 1, 1)


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation block.

    Args:
        channels: C, channels of the input and the output.
        reduction: r; the gate's hidden layer has C / r channels, rounded down.
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        bias: whether the two layers of the gate have a bias.

    Raises:
        ValueError: fewer channels than `reduction`.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import SqueezeExcitation
        >>> block = SqueezeExcitation(32, reduction=8)
        >>> x = torch.randn(2, 32, 16, 16)
        >>> block(x).shape, block.gate(x).shape
        (torch.Size([2, 32, 16, 16]), torch.Size([2, 32, 1, 1]))
    """

    def __init__(self, channels: int, *, reduction: int = 16, spatial_dims: int = 2, bias: bool = True) -> None:
        super().__init__()
        self.channels, self.spatial_dims = channels, spatial_dims
        self.gate = ExcitationGate(channels, reduction=reduction, spatial_dims=spatial_dims, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same shape, each channel multiplied by its gate."""
        check_feature_map(x, channels=self.channels, spatial_dims=self.spatial_dims)
        gate = self.gate(x)  # (B, C, 1, 1) or (B, C, 1, 1, 1)
        return x * gate
