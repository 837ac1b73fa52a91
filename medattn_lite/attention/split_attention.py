"""Split attention: several versions of each feature, mixed channel by channel with weights that sum to 1.

    u = ReLU(BN(conv(x)))                           R·C channels, R = radix, in K·R groups
    z = mean over space of Σ_r u_r                  (B, C)
    a = softmax over r of W₂ ReLU(BN(W₁ z))         (B, R, C); W₁, W₂ in K groups, hidden max(C_in·R / 4, 32)
    x' = Σ_r a_r ⊗ u_r

Paper: Zhang et al. 2020, "ResNeSt: Split-attention networks"; names of the layers are those of the
authors' code, so their weights load as they are. With radix 1 the softmax becomes a sigmoid, and the
block a convolution with squeeze-and-excitation.

Deviations: 3-D from the same class (published in 2-D only). While training, batch norm on the 1×1
descriptor needs a batch of at least 2; the block says so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import (
    BATCH_NORM,
    CONVOLUTION,
    broadcast_shape,
    check_feature_map,
    check_odd,
    check_positive,
    check_spatial_dims,
    spatial_indices,
)
from medattn_lite.attention.maps import SPLIT, AttentionMap


class RadixSoftmax(AttentionMap):
    """Weights over the R splits of each channel; its output is the map (B, R, C).

    Args:
        radix: R; with 1 split the weights are a sigmoid instead of a softmax.
        groups: K, groups (cardinality) in which the logits come.
    """

    def __init__(self, *, radix: int, groups: int) -> None:
        super().__init__(kind=SPLIT, axes=("batch", "radix", "channel"))
        self.radix = radix
        self.groups = groups

    def forward(self, logits: Tensor) -> Tensor:
        """(B, K·R·C/K, 1, 1) to (B, R, C)."""
        size = logits.shape[1] // (self.groups * self.radix)
        logits = logits.reshape(logits.shape[0], self.groups, self.radix, size)  # (B, K, R, C / K)
        logits = logits.transpose(1, 2)  # (B, R, K, C / K)
        weights = torch.softmax(logits, dim=1) if self.radix > 1 else torch.sigmoid(logits)
        return weights.flatten(2)  # (B, R, C)


class SplitAttention(nn.Module):
    """Convolution with split attention, "SplAtConv" of ResNeSt.

    Args:
        in_channels: channels of the input.
        channels: C, channels of the output; as many as the input has if None.
        kernel_size: odd; the padding keeps the size.
        stride: of the convolution.
        radix: R, number of splits.
        groups: K, cardinality.
        reduction: the hidden layer has C_in·R / reduction channels …
        minimum_hidden: … but at least these many.
        norm: batch norm after the convolution and in the hidden layer.
        bias: bias of the convolution.
        spatial_dims: 2 (published) or 3.

    Raises:
        ValueError: the groups do not divide the channels.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import SplitAttention
        >>> SplitAttention(16, 32)(torch.randn(2, 16, 8, 8)).shape
        torch.Size([2, 32, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        channels: int | None = None,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        radix: int = 2,
        groups: int = 1,
        reduction: int = 4,
        minimum_hidden: int = 32,
        norm: bool = True,
        bias: bool = False,
        spatial_dims: int = 2,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_odd("kernel_size", kernel_size)
        channels = in_channels if channels is None else channels
        hidden = max(in_channels * radix // reduction, minimum_hidden)
        _check_groups(in_channels, channels, hidden, radix=radix, groups=groups)
        convolution = CONVOLUTION[spatial_dims]
        batch_norm = BATCH_NORM[spatial_dims] if norm else nn.Identity
        self.in_channels, self.spatial_dims = in_channels, spatial_dims
        self.radix = radix
        self.conv = convolution(
            in_channels,
            channels * radix,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups * radix,
            bias=bias,
        )
        self.bn0 = batch_norm(channels * radix)
        self.fc1 = convolution(channels, hidden, 1, groups=groups)
        self.bn1 = batch_norm(hidden)
        self.fc2 = convolution(hidden, channels * radix, 1, groups=groups)
        self.rsoftmax = RadixSoftmax(radix=radix, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C, H', W')."""
        check_feature_map(x, channels=self.in_channels, spatial_dims=self.spatial_dims)
        self._check_batch(x)
        splits = torch.relu(self.bn0(self.conv(x)))  # (B, R·C, H, W)
        splits = splits.unflatten(1, (self.radix, splits.shape[1] // self.radix))  # (B, R, C, H, W)
        described = splits.sum(dim=1)  # (B, C, H, W)
        described = described.mean(dim=spatial_indices(self.spatial_dims), keepdim=True)  # (B, C, 1, 1)
        hidden = torch.relu(self.bn1(self.fc1(described)))  # (B, hidden, 1, 1)
        weights = self.rsoftmax(self.fc2(hidden))  # (B, R, C)
        weights = weights.reshape(*weights.shape, *broadcast_shape(self.spatial_dims))  # (B, R, C, 1, 1)
        return (weights * splits).sum(dim=1)  # (B, C, H, W)

    def _check_batch(self, x: Tensor) -> None:
        if self.training and x.shape[0] == 1 and not isinstance(self.bn1, nn.Identity):
            raise ValueError(
                "split attention cannot train on a batch of 1, because its batch norm sees one value per channel; "
                "use a larger batch, .eval(), or norm=False"
            )


def _check_groups(in_channels: int, channels: int, hidden: int, *, radix: int, groups: int) -> None:
    for name, value in {"in_channels": in_channels, "channels": channels, "radix": radix, "groups": groups}.items():
        check_positive(name, value)
    if in_channels % (groups * radix):
        raise ValueError(
            f"in_channels={in_channels} is not a multiple of groups × radix = {groups * radix}; change one of them"
        )
    if channels % groups or hidden % groups:
        raise ValueError(f"groups={groups} must divide channels={channels} and the hidden {hidden}; use fewer groups")
