"""SE-ResNeXt: residual blocks with grouped convolutions, each ending in squeeze-and-excitation.

    block(x) = ReLU(SE(f_1(g_3(f_1(x)))) + shortcut(x))        g_3: 3×3 in 32 groups; batch norm after each f, g

Papers: Hu et al. 2018 (SE), Xie et al. 2017 (ResNeXt); the survival deck's SE-ResNeXt-50 in 3-D, for which its
code takes MONAI's `SEResNext50`. With 4 channels in and 19 intervals out: 28,457,539 parameters.

Deviations: none from MONAI's network. `squeeze_excitation=False` gives the same network without the gates,
to compare with. Smaller numbers (`layers`, `stem_width`, `groups`, `base_width`) give the same network smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention import SqueezeExcitation
from medattn_lite.attention.dimensions import BATCH_NORM, CONVOLUTION, MAX_POOL, check_spatial_dims
from medattn_lite.errors import UserError
from medattn_lite.networks.residual import EXPANSION, ResidualNetwork, make_shortcut, make_stages


class SEResNeXtBlock(nn.Module):
    """1×1 → grouped 3×3 → 1×1, then squeeze-and-excitation, then the addition.

    Args:
        in_channels: channels of the input.
        width: w; the output has 4w channels.
        stride: of the 3×3 convolution.
        spatial_dims: 2 or 3.
        groups: groups of the 3×3 convolution.
        base_width: channels a group at w = 64.
        reduction: r of squeeze-and-excitation.
        squeeze_excitation: False leaves the gate out.

    Raises:
        UserError: a group would have no channel.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        spatial_dims: int = 2,
        groups: int = 32,
        base_width: int = 4,
        reduction: int = 16,
        squeeze_excitation: bool = True,
    ) -> None:
        super().__init__()
        group_width = width * base_width // 64
        if group_width < 1:
            raise UserError(
                f"width {width} × base_width {base_width} / 64 leaves no channel for a group; raise stem_width or "
                "base_width (lower groups to keep the size)"
            )
        convolution, batch_norm = CONVOLUTION[spatial_dims], BATCH_NORM[spatial_dims]
        inner, out_channels = group_width * groups, width * EXPANSION
        self.conv1 = convolution(in_channels, inner, 1, bias=False)
        self.bn1 = batch_norm(inner)
        self.conv2 = convolution(inner, inner, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.bn2 = batch_norm(inner)
        self.conv3 = convolution(inner, out_channels, 1, bias=False)
        self.bn3 = batch_norm(out_channels)
        self.se: nn.Module = nn.Identity()
        if squeeze_excitation:
            self.se = SqueezeExcitation(out_channels, reduction=reduction, spatial_dims=spatial_dims)
        self.downsample = make_shortcut(convolution, batch_norm, in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …)."""
        shortcut = x if self.downsample is None else self.downsample(x)  # (B, 4w, …)
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, inner, …)
        x = torch.relu(self.bn2(self.conv2(x)))  # (B, inner, …), strided
        x = self.bn3(self.conv3(x))  # (B, 4w, …)
        x = self.se(x)  # (B, 4w, …)
        return torch.relu(x + shortcut)


class SEResNeXt(ResidualNetwork):
    """SE-ResNeXt, 2-D or 3-D.

    Args:
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        in_channels: channels of the images.
        num_classes: outputs; None for the features alone.
        layers: blocks of the four stages.
        strides: of their first blocks; smaller ones keep a finer last map of a small image.
        groups: groups of the 3×3 convolutions.
        base_width: channels a group at width 64.
        stem_width: channels after the stem, and the width of the first stage.
        reduction: r of squeeze-and-excitation.
        squeeze_excitation: False for the plain ResNeXt.
        dropout: probability in front of the classifier.

    Raises:
        UserError: sizes that do not fit each other.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        in_channels: int,
        num_classes: int | None,
        layers: Sequence[int] = (3, 4, 6, 3),
        strides: Sequence[int] = (1, 2, 2, 2),
        groups: int = 32,
        base_width: int = 4,
        stem_width: int = 64,
        reduction: int = 16,
        squeeze_excitation: bool = True,
        dropout: float = 0.0,
    ) -> None:
        check_spatial_dims(spatial_dims)
        block = partial(
            SEResNeXtBlock,
            spatial_dims=spatial_dims,
            groups=groups,
            base_width=base_width,
            reduction=reduction,
            squeeze_excitation=squeeze_excitation,
        )
        super().__init__(
            spatial_dims=spatial_dims,
            stem=CONVOLUTION[spatial_dims](in_channels, stem_width, 7, stride=2, padding=3, bias=False),
            stem_norm=BATCH_NORM[spatial_dims](stem_width),
            activation=nn.ReLU(),
            # Rounds up instead of padding, as SENet's Caffe pooling did.
            pool=MAX_POOL[spatial_dims](3, stride=2, ceil_mode=True),
            stages=make_stages(block, in_channels=stem_width, width=stem_width, layers=layers, strides=strides),
            num_features=8 * stem_width * EXPANSION,
            num_classes=num_classes,
            dropout=dropout,
        )


def se_resnext50(
    *, spatial_dims: int = 3, in_channels: int = 4, num_classes: int | None = 19, **options: Any
) -> SEResNeXt:
    """SE-ResNeXt-50 (32×4d) as published; by default the survival deck's, 3-D, 4 MRI contrasts, 19 intervals."""
    return SEResNeXt(spatial_dims=spatial_dims, in_channels=in_channels, num_classes=num_classes, **options)
