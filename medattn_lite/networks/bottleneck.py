"""The bottleneck block of ResNet and ResNeXt, 2-D or 3-D, which takes any attention mechanism by its name.

    block(x) = ReLU(attention(f_1(g_3(f_1(x)))) + shortcut(x))        batch norm after each f, g; g_3: 3×3, grouped

    Bottleneck(64, 64, spatial_dims=3, attention="eca")                          ResNet with ECA, 3-D
    Bottleneck(64, 64, groups=32, base_width=4, attention="se")                  SE-ResNeXt

Papers: He et al. 2016 (ResNet), Xie et al. 2017 (ResNeXt); the mechanism stands where Hu et al. 2018 and Woo et al.
2018 have it, on the branch, after the last batch norm and before the addition.

Deviations: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from medattn_lite.attention.dimensions import BATCH_NORM, CONVOLUTION
from medattn_lite.errors import UserError
from medattn_lite.networks.residual import EXPANSION, AttentiveBlock, make_shortcut


class Bottleneck(AttentiveBlock):
    """1×1 → 3×3 → 1×1, then a mechanism, then the addition; ResNet's block, with groups ResNeXt's.

    Args:
        in_channels: channels of the input.
        width: w; the output has 4w channels.
        stride: of the 3×3 convolution.
        spatial_dims: 2 or 3.
        groups: groups of the 3×3 convolution.
        base_width: channels per group at w = 64.
        attention: name of a mechanism; see `medattn_lite.attention.names`.
        attention_options: its options.

    Raises:
        UserError: a group would have no channel, or a mechanism that does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        spatial_dims: int = 2,
        groups: int = 1,
        base_width: int = 64,
        attention: str = "none",
        attention_options: Mapping[str, Any] | None = None,
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
        self.plug(attention, out_channels, spatial_dims=spatial_dims, options=attention_options)
        self.downsample = make_shortcut(convolution, batch_norm, in_channels, out_channels, stride)

    def branch(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …)."""
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, inner, …)
        x = torch.relu(self.bn2(self.conv2(x)))  # (B, inner, …), strided
        return self.bn3(self.conv3(x))  # (B, 4w, …)
