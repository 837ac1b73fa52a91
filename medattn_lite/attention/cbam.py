"""CBAM: first which channels matter, then where.

    M_c(x) = σ(MLP(mean of x over space) + MLP(max of x over space))       one MLP, shared
    M_s(x) = σ(BN(f_7×7([max of x over channels ; mean of x over channels])))
    x' = M_c(x) ⊗ x,   x'' = M_s(x') ⊗ x'

Paper: Woo et al. 2018, "CBAM: Convolutional block attention module"; the defaults are those of the
authors' code. Readings kept as options:
- `pool_order`: the paper writes [mean ; max], the authors' code concatenates [max ; mean] (default).
- `spatial_norm`: the authors' code puts a batch norm (momentum 0.01) before the sigmoid (default);
  the survival code and, by its file size, ResNeSAt have none.
- `mlp_bias`: the authors' MLP has biases (default); the survival code's has none.
- `initial_gate`: where M_s starts. None keeps torch's random start. The authors' ResNet sets it to
  exactly 0.5 everywhere (`initial_gate=0.5`), which halves every residual branch at the start; a value
  near 1 leaves a pretrained network almost as it was.

Deviations: 3-D from the same class.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import (
    BATCH_NORM,
    CONVOLUTION,
    SPATIAL_AXES,
    broadcast_shape,
    check_feature_map,
    check_odd,
    check_spatial_dims,
    reduced_channels,
    spatial_indices,
)
from medattn_lite.attention.maps import CHANNEL, SPATIAL, AttentionMap

POOL_ORDERS = ("max-mean", "mean-max")


def largest(x: Tensor, dim: int, *, keepdim: bool = False) -> Tensor:
    """The maximum along one axis; its gradient goes to one place, as in the authors' code.

    Without a gradient nobody asks where the maximum is, and the kernel that does not look takes half the time.
    """
    if x.requires_grad and torch.is_grad_enabled():
        return x.max(dim=dim, keepdim=keepdim).values
    return x.amax(dim=dim, keepdim=keepdim)


class ChannelAttention(AttentionMap):
    """M_c of CBAM; its output is the map (B, C, 1, 1) or (B, C, 1, 1, 1).

    Args:
        channels: C, channels of the input.
        reduction: r; the shared MLP is C → C / r → C.
        spatial_dims: 2 or 3.
        mlp_bias: whether the MLP's layers have a bias.

    Raises:
        ValueError: fewer channels than `reduction`.
    """

    def __init__(self, channels: int, *, reduction: int = 16, spatial_dims: int = 2, mlp_bias: bool = True) -> None:
        check_spatial_dims(spatial_dims)
        super().__init__(kind=CHANNEL, axes=("batch", "channel", *SPATIAL_AXES[spatial_dims]))
        hidden = reduced_channels(channels, reduction)
        self.spatial_dims = spatial_dims
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=mlp_bias), nn.ReLU(), nn.Linear(hidden, channels, bias=mlp_bias)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Gate in (0, 1) for each channel of x, shaped to multiply it."""
        mean = x.mean(dim=spatial_indices(self.spatial_dims))  # (B, C)
        maximum = largest(x.flatten(2), 2)  # (B, C)
        logits = self.mlp(mean) + self.mlp(maximum)  # (B, C)
        gate = torch.sigmoid(logits)  # (B, C)
        return gate.reshape(*gate.shape, *broadcast_shape(self.spatial_dims))  # (B, C, 1, 1)


class SpatialAttention(AttentionMap):
    """M_s of CBAM; its output is the map (B, 1, H, W) or (B, 1, D, H, W).

    Args:
        kernel_size: odd; 7 in the paper.
        spatial_dims: 2 or 3.
        norm: whether a batch norm stands before the sigmoid.
        bias: whether the convolution has a bias (no reading has one beside the batch norm).
        pool_order: "max-mean" (the authors' code) or "mean-max" (the paper's text).
        initial_gate: value of the whole map at the start, in (0, 1); None for torch's start.

    Raises:
        ValueError: an even kernel, an unknown order, or an initial gate that cannot be set.
    """

    def __init__(
        self,
        *,
        kernel_size: int = 7,
        spatial_dims: int = 2,
        norm: bool = True,
        bias: bool = False,
        pool_order: str = "max-mean",
        initial_gate: float | None = None,
    ) -> None:
        check_spatial_dims(spatial_dims)
        super().__init__(kind=SPATIAL, axes=("batch", "channel", *SPATIAL_AXES[spatial_dims]))
        if pool_order not in POOL_ORDERS:
            raise ValueError(f"unknown pool_order {pool_order!r}; use {' or '.join(map(repr, POOL_ORDERS))}")
        check_odd("kernel_size", kernel_size)
        self.pool_order = pool_order
        self.convolution = CONVOLUTION[spatial_dims](2, 1, kernel_size, padding=kernel_size // 2, bias=bias)
        self.norm = BATCH_NORM[spatial_dims](1, momentum=0.01) if norm else nn.Identity()
        if initial_gate is not None:
            self._start_at(initial_gate)

    def forward(self, x: Tensor) -> Tensor:
        """Gate in (0, 1) for each place of x, shaped to multiply it."""
        maximum = largest(x, 1, keepdim=True)  # (B, 1, H, W)
        mean = x.mean(dim=1, keepdim=True)  # (B, 1, H, W)
        pools = (maximum, mean) if self.pool_order == "max-mean" else (mean, maximum)
        described = torch.cat(pools, dim=1)  # (B, 2, H, W)
        logits = self.norm(self.convolution(described))  # (B, 1, H, W)
        return torch.sigmoid(logits)

    def _start_at(self, gate: float) -> None:
        if not 0 < gate < 1:
            raise ValueError(f"initial_gate is {gate}; a sigmoid gate lies strictly between 0 and 1")
        layer = self.convolution if isinstance(self.norm, nn.Identity) else self.norm
        if layer.bias is None:
            raise ValueError("initial_gate needs a bias to hold it; use norm=True or bias=True")
        nn.init.zeros_(layer.weight)
        nn.init.constant_(layer.bias, math.log(gate / (1 - gate)))


class CBAM(nn.Module):
    """Convolutional block attention module: channel attention, then spatial attention.

    Args:
        channels: C, channels of the input and the output.
        reduction: r of the channel attention.
        kernel_size: of the spatial attention.
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        mlp_bias: biases in the channel attention's MLP.
        spatial_norm: a batch norm in the spatial attention.
        spatial_bias: a bias in the spatial attention's convolution.
        pool_order: "max-mean" or "mean-max".
        initial_gate: start of the spatial map; see `SpatialAttention`.

    Raises:
        ValueError: fewer channels than `reduction`, an even kernel, or an unknown order.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import CBAM
        >>> block = CBAM(32, spatial_dims=3)
        >>> x = torch.randn(2, 32, 4, 8, 8)
        >>> block(x).shape, block.spatial(x).shape
        (torch.Size([2, 32, 4, 8, 8]), torch.Size([2, 1, 4, 8, 8]))
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        kernel_size: int = 7,
        spatial_dims: int = 2,
        mlp_bias: bool = True,
        spatial_norm: bool = True,
        spatial_bias: bool = False,
        pool_order: str = "max-mean",
        initial_gate: float | None = None,
    ) -> None:
        super().__init__()
        self.channels, self.spatial_dims = channels, spatial_dims
        self.channel = ChannelAttention(channels, reduction=reduction, spatial_dims=spatial_dims, mlp_bias=mlp_bias)
        self.spatial = SpatialAttention(
            kernel_size=kernel_size,
            spatial_dims=spatial_dims,
            norm=spatial_norm,
            bias=spatial_bias,
            pool_order=pool_order,
            initial_gate=initial_gate,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same shape."""
        check_feature_map(x, channels=self.channels, spatial_dims=self.spatial_dims)
        x = x * self.channel(x)  # (B, C, H, W) ⊗ (B, C, 1, 1)
        x = x * self.spatial(x)  # (B, C, H, W) ⊗ (B, 1, H, W)
        return x
