"""Coordinate attention: for each axis a gate over channel and position, so that a channel is asked where it counts.

    z_h(c, i) = mean of x over W,  z_w(c, j) = mean of x over H          (B, C, H, 1), (B, C, 1, W)
    f = δ(BN(f_1([z_h ; z_w])))         joined along the positions; f_1: C → max(C / r, 8); δ = hard swish
    g_h = σ(f_1,h(f_h)),  g_w = σ(f_1,w(f_w))                            (B, C, H, 1), (B, C, 1, W)
    x'(c, i, j) = x(c, i, j) · g_h(c, i) · g_w(c, j)

Paper: Hou, Zhou, Feng 2021, "Coordinate attention for efficient mobile network design". It came after CBAM, whose
channel gate has no place and whose map of places has no channel; here each gate has both, along one axis at a time.

Reading for 3-D (the paper has 2-D only): one gate for each of depth, height and width, each from the mean over the two
other axes, all three through the same f_1 and batch norm; x' is x times the three. In 2-D it is the paper's.
Readings: r = 32 and at least 8 hidden channels, biases in every convolution, hard swish x · ReLU6(x + 3) / 6, as in the
authors' code (the paper's text leaves δ open).

Deviations: 3-D, see above.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import (
    SPATIAL_AXES,
    check_feature_map,
    check_positive,
    check_spatial_dims,
    spatial_indices,
)
from medattn_lite.attention.maps import CHANNEL_POSITION, AttentionMap


class PositionGate(AttentionMap):
    """g of one axis; its output is the map (B, C, 1, H, 1) for height in 3-D, (B, C, H, 1) in 2-D.

    Args:
        hidden_channels: of what it is made from.
        channels: C, channels of the gate.
        axis: "depth", "height" or "width".
        spatial_dims: 2 or 3.
    """

    def __init__(self, hidden_channels: int, channels: int, *, axis: str, spatial_dims: int) -> None:
        super().__init__(kind=CHANNEL_POSITION, axes=("batch", "channel", *SPATIAL_AXES[spatial_dims]))
        self.dim = 2 + SPATIAL_AXES[spatial_dims].index(axis)
        self.spatial_dims = spatial_dims
        self.convolution = nn.Conv1d(hidden_channels, channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, hidden, S) of the axis' S positions to gates in (0, 1), shaped to multiply the features."""
        gate = torch.sigmoid(self.convolution(hidden))  # (B, C, S)
        shape = [1] * self.spatial_dims
        shape[self.dim - 2] = gate.shape[2]
        return gate.reshape(*gate.shape[:2], *shape)  # (B, C, 1, S, 1)


class CoordinateAttention(nn.Module):
    """Coordinate attention block.

    Args:
        channels: C, channels of the input and the output.
        spatial_dims: 2 (published) or 3.
        reduction: r; the hidden layer has C / r channels …
        minimum_hidden: … but at least these many.

    Raises:
        ValueError: a number below 1.
    """

    def __init__(
        self, channels: int, *, spatial_dims: int = 2, reduction: int = 32, minimum_hidden: int = 8
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        sizes = {"channels": channels, "reduction": reduction, "minimum_hidden": minimum_hidden}
        for name, value in sizes.items():
            check_positive(name, value)
        hidden = max(channels // reduction, minimum_hidden)
        self.channels = channels
        self.axes = SPATIAL_AXES[spatial_dims]
        self.shared = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.BatchNorm1d(hidden), nn.Hardswish())
        self.gates = nn.ModuleDict(
            {axis: PositionGate(hidden, channels, axis=axis, spatial_dims=spatial_dims) for axis in self.axes}
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same shape, multiplied by one gate for each axis."""
        check_feature_map(x, channels=self.channels, spatial_dims=len(self.axes))
        means = [self._mean_beside(x, dim) for dim in spatial_indices(len(self.axes))]  # (B, C, H), (B, C, W)
        hidden = self.shared(torch.cat(means, dim=2))  # (B, hidden, H + W)
        parts = hidden.split([part.shape[2] for part in means], dim=2)  # (B, hidden, H), (B, hidden, W)
        for axis, part in zip(self.axes, parts, strict=True):
            x = x * self.gates[axis](part)  # (B, C, H, W) ⊗ (B, C, H, 1)
        return x

    def _mean_beside(self, x: Tensor, dim: int) -> Tensor:
        """(B, C, …) to (B, C, S): the mean over every axis of space but `dim`."""
        return x.mean(dim=[axis for axis in spatial_indices(len(self.axes)) if axis != dim])
