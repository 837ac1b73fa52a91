"""The networks of the positive controls: one small network in which the mechanism is exchanged.

    trunk: convolutions of a stated receptive field, ReLU          (B, C, *S) to (B, F, *S)
    plug:  the mechanism, or what stands in its place
    mix:   1×1 convolution, ReLU
    head:  1×1 convolution, one logit per pixel: is this pixel part of a lesion?

There is no pooling and no norm in trunk, mix and head, so that what a pixel's logit can depend on is the trunk's
receptive field and what the mechanism adds to it. Two scans have a trunk each; their features are joined by channel,
or by dual fusion attention.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import CONVOLUTION
from medattn_lite.attention.dual_fusion import DualFusionAttention
from medattn_lite.networks.dual_fusion_net import EarlyFusionHead, average_probabilities
from medattn_lite.positive_controls.stand_ins import make_plug

# Dual fusion's two projections start larger by this: its scores are divided by √F, and at torch's start nearly every
# weight is the same, so that some seeds stay at chance.
SHARPER = 4.0


def trunk(in_channels: int, features: int, *, spatial_dims: int, layers: int = 2, kernel: int = 3) -> nn.Sequential:
    """Convolutions in plane with ReLU; their receptive field is 1 + layers · (kernel − 1) pixels.

    Args:
        in_channels: C.
        features: F.
        spatial_dims: 2 or 3; in 3-D each slice is seen on its own.
        layers: how many convolutions.
        kernel: pixels per side.
    """
    size = (kernel,) * 2 if spatial_dims == 2 else (1, kernel, kernel)
    padding = tuple(side // 2 for side in size)
    convolve: Callable[..., nn.Conv2d | nn.Conv3d] = CONVOLUTION[spatial_dims]
    parts: list[nn.Module] = []
    for layer in range(layers):
        convolution = convolve(in_channels if layer == 0 else features, features, size, padding=padding)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # torch's start shrinks what a gate can see
        parts += [convolution, nn.ReLU()]
    return nn.Sequential(*parts)


class ControlNet(nn.Module):
    """Trunk, plug, mix and head.

    Args:
        in_channels: C.
        spatial_dims: 2 or 3.
        attention: a name of `attention.names()` or of `STAND_INS`.
        features: F.
        layers: convolutions of the trunk.
        scans: trunks, each for its share of the channels.
        options: of the mechanism.

    Raises:
        UserError: no such mechanism, or options that do not fit.
    """

    def __init__(
        self, in_channels: int, *, spatial_dims: int, attention: str = "none", features: int = 16, layers: int = 2,
        scans: int = 1, options: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        channels = in_channels // scans
        self.trunks = nn.ModuleList(
            trunk(channels, features, spatial_dims=spatial_dims, layers=layers) for _ in range(scans)
        )
        width = features * scans
        self.plug = make_plug(attention, width, spatial_dims=spatial_dims, options=options)
        self.mix = nn.Sequential(CONVOLUTION[spatial_dims](width, width, 1), nn.ReLU())
        self.head = CONVOLUTION[spatial_dims](width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to logits (B, 1, *S)."""
        parts = x.chunk(len(self.trunks), dim=1)  # scans × (B, C / scans, *S)
        features = [branch(part) for branch, part in zip(self.trunks, parts, strict=True)]
        joined = torch.cat(features, dim=1)  # (B, F · scans, *S)
        attended = self.plug(joined)  # (B, F · scans, *S)
        return self.head(self.mix(attended))


class TwoScanNet(nn.Module):
    """A trunk for each of two scans, joined by `fusion`: late, early, or dual fusion attention.

    Args:
        spatial_dims: 2 or 3.
        fusion: "late", "early" or "dual_fusion".
        features: F of each trunk.
        layers: convolutions of each trunk.
        options: of `DualFusionAttention`.
    """

    def __init__(
        self, *, spatial_dims: int = 2, fusion: str = "dual_fusion", features: int = 16, layers: int = 2,
        options: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.trunks = nn.ModuleList(trunk(1, features, spatial_dims=spatial_dims, layers=layers) for _ in range(2))
        convolution = CONVOLUTION[spatial_dims]
        self.fusion = fusion
        self.join: EarlyFusionHead | DualFusionAttention
        if fusion == "late":
            self.heads = nn.ModuleList(convolution(features, 1, 1) for _ in range(2))
        elif fusion == "early":
            self.join = EarlyFusionHead((features, features), num_classes=1, spatial_dims=spatial_dims)
        else:
            settings = {"channels": features, **(options or {})}
            join = DualFusionAttention((features, features), num_classes=1, spatial_dims=spatial_dims, **settings)
            with torch.no_grad():
                for projection in (join.first, join.second):
                    projection.weight.mul_(SHARPER)
            self.join = join

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2, *S) to logits (B, 1, *S) on the grid of the first scan."""
        first, second = (branch(part) for branch, part in zip(self.trunks, x.chunk(2, dim=1), strict=True))
        if self.fusion == "late":
            return average_probabilities(self.heads[0](first), self.heads[1](second))
        return self.join(first, second)
