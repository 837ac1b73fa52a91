"""Non-local block: every voxel becomes a weighted sum of all voxels, added to itself.

    y_i = Σ_j softmax_j(θ(x_i)ᵀ φ(x_j)) g(x_j)          embedded Gaussian
    z   = BN(W y) + x

Paper: Wang et al. 2018, "Non-local neural networks"; the comparison (NCL) of the RSANet paper. θ, φ, g are
1×1 convolutions to C / 2 channels, W brings them back.

Readings, each with its option:
- `sub_sample`: keys and values are max pooled by 2 in plane, (1, 2, 2) in 3-D, as in the paper's
  implementation notes (default); it leaves the queries, and so the output, at full size.
- `scaled`: the formula has no 1 / √d (default); the authors' Caffe2 code has.
- `norm`: batch norm after W (default).
- `zero_init`: the block starts as the identity, by γ = 0 of the batch norm or W = 0 (default).
- `mode`: "embedded_gaussian" (default), "gaussian" (θ = φ = identity), "dot_product" (no softmax, ÷ N).

Deviations: an axis of length 1 is not pooled, where the usual code would fail. The (N, M) matrix is not built unless
a hook listens to `affinity` (memory-efficient kernel of torch); the result is the same up to rounding.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import (
    BATCH_NORM,
    CONVOLUTION,
    check_feature_map,
    check_positive,
    check_spatial_dims,
)
from medattn_lite.attention.voxel_affinity import VoxelAffinity, attend_voxels

MODES = ("embedded_gaussian", "gaussian", "dot_product")


class NonLocal(nn.Module):
    """Non-local block.

    Args:
        channels: C, channels of the input and the output.
        hidden_channels: channels of queries, keys and values; C / 2 if None.
        spatial_dims: 2 or 3.
        sub_sample: max pool keys and values in plane.
        scaled: divide the dot products by √hidden.
        norm: batch norm after the last convolution.
        zero_init: start as the identity.
        mode: "embedded_gaussian", "gaussian" or "dot_product".

    Raises:
        ValueError: no channel would be left, or an unknown mode.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import NonLocal
        >>> block, x = NonLocal(16, spatial_dims=2), torch.randn(2, 16, 8, 8)
        >>> torch.equal(block(x), x)  # starts as the identity
        True
    """

    def __init__(
        self,
        channels: int,
        *,
        hidden_channels: int | None = None,
        spatial_dims: int = 3,
        sub_sample: bool = True,
        scaled: bool = False,
        norm: bool = True,
        zero_init: bool = True,
        mode: str = "embedded_gaussian",
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_positive("channels", channels)
        if mode not in MODES:
            raise ValueError(f"unknown mode {mode!r}; use one of {', '.join(map(repr, MODES))}")
        hidden = max(channels // 2, 1) if hidden_channels is None else hidden_channels
        check_positive("hidden_channels", hidden)
        convolution = CONVOLUTION[spatial_dims]
        embedded = mode != "gaussian"
        self.channels, self.spatial_dims = channels, spatial_dims
        self.sub_sample = sub_sample
        self.query = convolution(channels, hidden, 1) if embedded else nn.Identity()
        self.key = convolution(channels, hidden, 1) if embedded else nn.Identity()
        self.value = convolution(channels, hidden, 1)
        self.affinity = VoxelAffinity(spatial_dims=spatial_dims, softmax=mode != "dot_product", scaled=scaled)
        self.output = convolution(hidden, channels, 1)
        self.norm = BATCH_NORM[spatial_dims](channels) if norm else nn.Identity()
        if zero_init:
            last = self.norm if norm else self.output
            for parameter in last.parameters():  # weight and bias
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        check_feature_map(x, channels=self.channels, spatial_dims=self.spatial_dims)
        query = self.query(x)  # (B, C / 2, D, H, W)
        key = self._pool(self.key(x))  # (B, C / 2, D, H / 2, W / 2)
        value = self._pool(self.value(x))  # (B, C / 2, D, H / 2, W / 2)
        context = attend_voxels(self.affinity, query, key, value)  # (B, C / 2, D, H, W)
        return x + self.norm(self.output(context))

    def _pool(self, features: Tensor) -> Tensor:
        if not self.sub_sample:
            return features
        in_plane = tuple(min(2, size) for size in features.shape[-2:])
        if self.spatial_dims == 2:
            return F.max_pool2d(features, in_plane)
        return F.max_pool3d(features, (1, *in_plane))
