"""RSANet: a U-Net whose deepest layers look at whole slices, by recurrent slice attention.

    encoder (4 levels) → center → decoder (4 levels) → convolutions → logits
    attention at "101" = second-lowest encoder level and decoder level, "010" = center, "111" = all three

Paper: Zhang et al. 2019, "RSANet: recurrent slice-wise attention network for multiple sclerosis lesion
segmentation"; the published code is the 010 variant, 24,554,339 parameters with 3 channels and 2 classes.
`attention="non_local"` gives the paper's NCL networks, `attention=None` its plain U-Net; any other name of
`medattn_lite.attention.names` puts that mechanism in the same places.

Readings:
- The paper's 101 and 111 are not in its code. Here the attended map of the encoder level goes on both to
  the next level and through the skip connection, and the decoder's follows its two convolutions.
- The skip connection pads or crops at the low side of each axis, as in the code, so any size works.
- The published head has no bias and reads features that are never negative. Where all of them are 0, every class
  has logit 0: a lesion's probability is one half, which no threshold of one half passes. Short training ends there
  (background is learned, lesions are what is left); `head_bias=True` is the way out, and no part of the paper.

Deviations: 2-D from the same class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import check_spatial_dims
from medattn_lite.errors import UserError
from medattn_lite.networks.attention_plug import make_attention
from medattn_lite.networks.convolution import THIN_CONVOLUTION

POSITIONS = ("encoder", "center", "decoder")
DROPOUT = {2: nn.Dropout2d, 3: nn.Dropout3d}


class ConvNormReLU(nn.Module):
    """3×3 convolution, group norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, spatial_dims: int, norm_groups: int) -> None:
        super().__init__()
        if out_channels % norm_groups:
            raise UserError(f"norm_groups={norm_groups} does not divide {out_channels} channels; change one of them")
        self.conv = THIN_CONVOLUTION[spatial_dims](in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(norm_groups, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, C_out, …)."""
        return torch.relu(self.norm(self.conv(x)))


class UpBlock(nn.Module):
    """1×1 convolution, nearest upsampling, joining with the skip connection, two convolutions."""

    def __init__(self, skip_channels: int, in_channels: int, *, spatial_dims: int, norm_groups: int) -> None:
        super().__init__()
        options = {"spatial_dims": spatial_dims, "norm_groups": norm_groups}
        self.reduce = THIN_CONVOLUTION[spatial_dims](in_channels, skip_channels, 1, bias=False)
        self.convs = nn.Sequential(
            ConvNormReLU(2 * skip_channels, skip_channels, **options),
            ConvNormReLU(skip_channels, skip_channels, **options),
        )

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """(B, C, D, H, W) and (B, 2C, D/2, H/2, W/2) to (B, C, D, H, W)."""
        x = self.reduce(x)  # (B, C, D/2, H/2, W/2)
        x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, C, D, H, W), one more where D is odd
        x = _fit(x, skip.shape[2:])  # (B, C, D, H, W)
        x = torch.cat([skip, x], dim=1)  # (B, 2C, D, H, W)
        return self.convs(x)  # (B, C, D, H, W)


class RSANet(nn.Module):
    """U-Net with slice attention, or another mechanism, near its bottom.

    Args:
        spatial_dims: 3 (published) or 2.
        in_channels: channels of the images.
        num_classes: outputs a voxel.
        widths: channels of each level, the center last; each a multiple of the one before by 2.
        attention: name of a mechanism, "rsa" as published; None or "none" for the plain U-Net.
        positions: which of encoder, center and decoder have it, as in the paper's "010", "101", "111".
        attention_options: its options.
        norm_groups: groups of each group norm.
        dropout: probability of dropping a channel after the first convolution.
        head_bias: give the last convolution a bias; the published one has none.

    Raises:
        UserError: an unknown mechanism or position, options that do not fit, or widths that do not double.
    """

    def __init__(
        self,
        *,
        spatial_dims: int = 3,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        attention: str | None = "rsa",
        positions: str = "010",
        attention_options: Mapping[str, Any] | None = None,
        norm_groups: int = 8,
        dropout: float = 0.2,
        head_bias: bool = False,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        _check(widths, positions)
        attention = "none" if attention is None else attention
        convolution = THIN_CONVOLUTION[spatial_dims]
        options = {"spatial_dims": spatial_dims, "norm_groups": norm_groups}
        self.spatial_dims = spatial_dims
        self.levels = tuple(f"level{number}" for number in range(1, len(widths)))
        self.init_conv = convolution(in_channels, widths[0], 3, padding=1, bias=False)
        self.dropout = DROPOUT[spatial_dims](dropout)
        self.encoder, self.down, self.decoder = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        previous = widths[0]
        for level, width in zip(self.levels, widths[:-1], strict=True):
            self.encoder[level] = _two_convolutions(previous, width, **options)
            self.down[level] = convolution(width, width, 3, stride=2, padding=1, bias=False)
            self.decoder[level] = UpBlock(width, 2 * width, **options)
            previous = width
        self.center = _two_convolutions(previous, widths[-1], **options)
        self.final = nn.Sequential(
            convolution(widths[0], widths[0], 3, padding=1, bias=False),
            convolution(widths[0], num_classes, 1, bias=head_bias),
        )
        channels = {"encoder": widths[-2], "center": widths[-1], "decoder": widths[-2]}
        chosen = [name for name, digit in zip(POSITIONS, positions, strict=True) if digit == "1"]
        plugs = {
            name: make_attention(attention, channels[name], spatial_dims=spatial_dims, options=attention_options)
            for name in chosen
        }
        self.attention = nn.ModuleDict(plugs if attention != "none" else {})

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) images to logits (B, classes, D, H, W) of the same size."""
        self._check_input(x)
        x = self.dropout(self.init_conv(x))  # (B, w₁, D, H, W)
        skips = {}
        for level in self.levels:
            x = self.encoder[level](x)  # (B, w_i, D / 2^(i-1), …)
            x = self._attend("encoder", x) if level == self.levels[-1] else x
            skips[level] = x
            x = self.down[level](x)  # (B, w_i, D / 2^i, …)
        x = self._attend("center", self.center(x))  # (B, w₅, D / 16, …)
        for level in reversed(self.levels):
            x = self.decoder[level](skips.pop(level), x)  # (B, w_i, D / 2^(i-1), …)
            x = self._attend("decoder", x) if level == self.levels[-1] else x
        return self.final(x)  # (B, classes, D, H, W)

    def _attend(self, position: str, x: Tensor) -> Tensor:
        return self.attention[position](x) if position in self.attention else x

    def _check_input(self, x: Tensor) -> None:
        if x.dim() != self.spatial_dims + 2:
            raise UserError(f"RSANet is {self.spatial_dims}-D and got images of shape {tuple(x.shape)}; give (B, C, …)")


def rsanet(*, in_channels: int = 3, num_classes: int = 2, **options: Any) -> RSANet:
    """RSANet as published: T1, T2 and FLAIR, lesion or not, attention at the center."""
    return RSANet(in_channels=in_channels, num_classes=num_classes, **options)


def _two_convolutions(in_channels: int, out_channels: int, **options: int) -> nn.Sequential:
    return nn.Sequential(
        ConvNormReLU(in_channels, out_channels, **options), ConvNormReLU(out_channels, out_channels, **options)
    )


def _fit(x: Tensor, size: torch.Size) -> Tensor:
    missing = [wanted - got for wanted, got in zip(size, x.shape[2:], strict=True)]
    # torch pads from the last axis backwards; a negative number crops.
    return F.pad(x, [amount for lacking in reversed(missing) for amount in (lacking, 0)])


def _check(widths: Sequence[int], positions: str) -> None:
    if len(widths) < 2 or any(after != 2 * before for before, after in zip(widths[:-1], widths[1:], strict=True)):
        raise UserError(f"widths is {tuple(widths)}; give at least two, each twice the one before")
    if len(positions) != 3 or set(positions) - {"0", "1"}:
        raise UserError(f"positions is {positions!r}; use three digits (encoder, center, decoder) such as '010'")
