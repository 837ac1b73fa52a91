"""Inter-slice attention module (IAM): which channel matters in which slice, then where.

    x^c = mean of x over H and W                                         (B, C, D, 1, 1)
    a^c = σ(f_{3×1×1, C}(δ(f_{3×1×1, C/r}(x^c))))                        eq. 5, δ = ReLU
    x_a = a^c ⊗ x
    x^s = mean of x_a over C                                             (B, 1, D, H, W)
    a^s = σ(f(x^s))                                                      eq. 6
    x'  = a^s ⊗ x_a                                                      eq. 4

Paper: the P3D + IAM paper, "Pseudo-3D CNN with inter-slice attention for glioma grading". No code is
public. 3-D only: the formula needs slices.

Readings, each with its option:
- Eq. 6 writes a 3×1×3 kernel, the sentence below it 3×3×3. Default 3×3×3, which treats both in-plane
  axes alike; `spatial_kernel=(3, 1, 3)` is the other.
- Eq. 6 gives a^s C channels, the text one. Here one, the declared shape.
- r is not given: 16, as in SE and CBAM.
- Biases and batch norms are not mentioned: biases, no batch norm (`bias=`, `norm=`).
Padding keeps D, which the paper leaves unsaid. Mean pooling only, unlike CBAM.

Deviations: none from the equations; where they and the text disagree, see above.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import SPATIAL_AXES, check_feature_map, check_odd, reduced_channels
from medattn_lite.attention.maps import CHANNEL_SLICE, SPATIAL, AttentionMap


class InterSliceChannelAttention(AttentionMap):
    """a^c; its output is the map (B, C, D, 1, 1), a gate for each channel of each slice."""

    def __init__(self, channels: int, *, reduction: int = 16, bias: bool = True, norm: bool = False) -> None:
        super().__init__(kind=CHANNEL_SLICE, axes=("batch", "channel", *SPATIAL_AXES[3]))
        hidden = reduced_channels(channels, reduction)
        self.reduce = nn.Conv3d(channels, hidden, (3, 1, 1), padding=(1, 0, 0), bias=bias)
        self.reduce_norm = nn.BatchNorm3d(hidden) if norm else nn.Identity()
        self.expand = nn.Conv3d(hidden, channels, (3, 1, 1), padding=(1, 0, 0), bias=bias)
        self.expand_norm = nn.BatchNorm3d(channels) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Gate in (0, 1) for each channel and slice of x (B, C, D, H, W)."""
        squeezed = x.mean(dim=(3, 4), keepdim=True)  # (B, C, D, 1, 1)
        hidden = self.reduce_norm(self.reduce(squeezed))  # (B, C / r, D, 1, 1)
        hidden = torch.relu(hidden)
        logits = self.expand_norm(self.expand(hidden))  # (B, C, D, 1, 1)
        return torch.sigmoid(logits)


class InterSliceSpatialAttention(AttentionMap):
    """a^s; its output is the map (B, 1, D, H, W), a gate for each voxel."""

    def __init__(self, *, kernel_size: tuple[int, int, int] = (3, 3, 3), bias: bool = True, norm: bool = False) -> None:
        super().__init__(kind=SPATIAL, axes=("batch", "channel", *SPATIAL_AXES[3]))
        if len(kernel_size) != 3:
            raise ValueError(f"spatial_kernel is {kernel_size}; give three sizes, such as (3, 3, 3) or (3, 1, 3)")
        depth, height, width = (check_odd("spatial_kernel", size) for size in kernel_size)
        padding = (depth // 2, height // 2, width // 2)
        self.convolution = nn.Conv3d(1, 1, (depth, height, width), padding=padding, bias=bias)
        self.norm = nn.BatchNorm3d(1) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Gate in (0, 1) for each voxel of x (B, C, D, H, W)."""
        squeezed = x.mean(dim=1, keepdim=True)  # (B, 1, D, H, W)
        logits = self.norm(self.convolution(squeezed))  # (B, 1, D, H, W)
        return torch.sigmoid(logits)


class InterSliceAttention(nn.Module):
    """Inter-slice attention module, IAM.

    Args:
        channels: C, channels of the input and the output.
        reduction: r of the channel-wise part.
        spatial_kernel: kernel (D, H, W) of the spatial part; (3, 3, 3) or (3, 1, 3).
        bias: biases in its three convolutions.
        norm: a batch norm after each of them.
        spatial_dims: 3, the only one that has slices.

    Raises:
        ValueError: fewer channels than `reduction`, an even kernel, or 2-D.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import InterSliceAttention
        >>> block = InterSliceAttention(32)
        >>> x = torch.randn(2, 32, 6, 8, 8)
        >>> block(x).shape, block.channel(x).shape  # a gate for each channel of each slice
        (torch.Size([2, 32, 6, 8, 8]), torch.Size([2, 32, 6, 1, 1]))
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        spatial_kernel: tuple[int, int, int] = (3, 3, 3),
        bias: bool = True,
        norm: bool = False,
        spatial_dims: int = 3,
    ) -> None:
        super().__init__()
        if spatial_dims != 3:
            raise ValueError(f"inter-slice attention needs slices and got spatial_dims={spatial_dims}; use 3")
        self.channels = channels
        self.channel = InterSliceChannelAttention(channels, reduction=reduction, bias=bias, norm=norm)
        self.spatial = InterSliceSpatialAttention(kernel_size=spatial_kernel, bias=bias, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        check_feature_map(x, channels=self.channels, spatial_dims=3)
        x = x * self.channel(x)  # (B, C, D, H, W) ⊗ (B, C, D, 1, 1)
        x = x * self.spatial(x)  # (B, C, D, H, W) ⊗ (B, 1, D, H, W)
        return x
