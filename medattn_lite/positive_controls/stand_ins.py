"""What stands in the mechanism's place: plain convolutions of at least as many parameters, and cheap alternatives.

    plain         x + 1×1(ReLU(3×3(x))), as wide as it takes to have the parameters of the largest mechanism
    spatial       the second half of CBAM: a gate per place, from a 7×7 neighbourhood
    averaged      split attention whose splits are averaged: its convolutions without its weights
    global mean   the mean of every channel over the image, laid beside every pixel
    depthwise     a 7×7 convolution within each channel
    unet          two poolings by 3, convolutions, and the way back: a receptive field as large as the image
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention import SpatialAttention, names
from medattn_lite.attention.dimensions import CONVOLUTION, INTERPOLATION, spatial_indices
from medattn_lite.networks.attention_plug import make_attention


class Plain(nn.Module):
    """x + 1×1(ReLU(3×3(x))): two convolutions with a shortcut.

    Args:
        channels: C.
        spatial_dims: 2 or 3.
        parameters: it has at least these many; the least width that has them is taken.
    """

    def __init__(self, channels: int, *, spatial_dims: int, parameters: int) -> None:
        super().__init__()
        convolution = CONVOLUTION[spatial_dims]
        each = channels * 3**spatial_dims + 1 + channels  # parameters of one hidden channel
        width = max(1, -(-(parameters - channels) // each))
        self.layers = nn.Sequential(
            convolution(channels, width, 3, padding=1), nn.ReLU(), convolution(width, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to the same shape."""
        return x + self.layers(x)


class SpatialGate(nn.Module):
    """x times the spatial attention of CBAM, without its channel attention."""

    def __init__(self, *, spatial_dims: int) -> None:
        super().__init__()
        self.gate = SpatialAttention(spatial_dims=spatial_dims)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to the same shape."""
        return x * self.gate(x)


class AveragedSplits(nn.Module):
    """Split attention's convolutions, their splits averaged instead of weighted."""

    def __init__(self, channels: int, *, spatial_dims: int, radix: int = 2) -> None:
        super().__init__()
        self.radix = radix
        self.convolution = CONVOLUTION[spatial_dims](channels, channels * radix, 3, padding=1, groups=radix)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to the same shape."""
        splits = torch.relu(self.convolution(x))  # (B, R · C, *S)
        return splits.unflatten(1, (self.radix, -1)).mean(dim=1)


class GlobalMean(nn.Module):
    """x + 1×1([x ; mean of x over the image]): what a gate knows, without a gate."""

    def __init__(self, channels: int, *, spatial_dims: int) -> None:
        super().__init__()
        self.dims = spatial_indices(spatial_dims)
        self.join = CONVOLUTION[spatial_dims](2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to the same shape."""
        mean = x.mean(dim=self.dims, keepdim=True).expand_as(x)  # (B, C, *S)
        return torch.relu(x + self.join(torch.cat([x, mean], dim=1)))


class Depthwise(nn.Module):
    """x + 1×1(7×7 within each channel): a far look at the price of a few weights."""

    def __init__(self, channels: int, *, spatial_dims: int, kernel: int = 7) -> None:
        super().__init__()
        convolution = CONVOLUTION[spatial_dims]
        self.layers = nn.Sequential(
            convolution(channels, channels, kernel, padding=kernel // 2, groups=channels),
            nn.ReLU(),
            convolution(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to the same shape."""
        return x + self.layers(x)


class SmallUNet(nn.Module):
    """x + what two poolings by 3 in plane and two convolutions see of the whole image."""

    def __init__(self, channels: int, *, spatial_dims: int) -> None:
        super().__init__()
        convolution = CONVOLUTION[spatial_dims]
        self.mode = INTERPOLATION[spatial_dims]
        self.pool = (3, 3) if spatial_dims == 2 else (1, 3, 3)
        self.down = convolution(channels, channels, 3, padding=1)
        self.bottom = convolution(channels, channels, 3, padding=1)
        self.up = convolution(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to the same shape."""
        pool = F.max_pool2d if x.dim() == 4 else F.max_pool3d
        middle = torch.relu(self.down(pool(x, self.pool)))  # (B, C, *S / 3)
        bottom = torch.relu(self.bottom(pool(middle, self.pool)))  # (B, C, *S / 9)
        bottom = F.interpolate(bottom, size=middle.shape[2:], mode=self.mode, align_corners=False)
        joined = self.up(torch.cat([middle, bottom], dim=1))  # (B, C, *S / 3)
        return x + F.interpolate(joined, size=x.shape[2:], mode=self.mode, align_corners=False)


STAND_INS: Mapping[str, Callable[..., nn.Module]] = {
    "plain": lambda channels, spatial_dims: Plain(
        channels, spatial_dims=spatial_dims, parameters=most_parameters(channels, spatial_dims)
    ),
    "spatial": lambda channels, spatial_dims: SpatialGate(spatial_dims=spatial_dims),
    "averaged": AveragedSplits,
    "global-mean": GlobalMean,
    "depthwise": Depthwise,
    "unet": SmallUNet,
}


def make_plug(name: str, channels: int, *, spatial_dims: int, options: dict[str, Any] | None = None) -> nn.Module:
    """A mechanism of `attention.names()`, or a stand-in.

    Raises:
        UserError: no such name, none in so many dimensions, or options that do not fit.
    """
    if name in STAND_INS:
        return STAND_INS[name](channels, spatial_dims=spatial_dims)
    return make_attention(name, channels, spatial_dims=spatial_dims, options=options)


def most_parameters(channels: int, spatial_dims: int) -> int:
    """Parameters of the largest mechanism of so many channels, with r = 2 where it has a reduction."""
    return max(
        sum(parameter.numel() for parameter in make_attention(
            name, channels, spatial_dims=spatial_dims, options=REDUCED.get(name)).parameters())
        for name in names(spatial_dims)
    )  # fmt: skip


# Sixteen channels cannot be divided by the usual 16 and leave a hidden layer worth the name.
REDUCED: Mapping[str, dict[str, Any]] = {
    "se": {"reduction": 2},
    "cbam": {"reduction": 2},
    "iam": {"reduction": 2},
    "non_local": {"zero_init": False},
}
