"""ResNet-CBAM: residual bottleneck blocks, each ending in channel and then spatial attention.

    block(x) = ReLU(CBAM(f_1(f_3(f_1(x)))) + shortcut(x))        batch norm after each f

Papers: He et al. 2016 (ResNet), Woo et al. 2018 (CBAM); the survival deck's ResNet-50-CBAM in 3-D. With
4 channels in and 19 intervals out: 48,785,779 parameters.

The defaults are the survival code's CBAM: no biases in the MLP, no batch norm before the spatial sigmoid,
[mean ; max]. `**OFFICIAL_CBAM` gives the CBAM authors' instead (28,089,624 parameters in 2-D with 1000 classes),
whose spatial gates start at exactly 0.5. `attention=False` is the plain ResNet to compare with.

Deviations: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention import CBAM
from medattn_lite.attention.dimensions import BATCH_NORM, CONVOLUTION, MAX_POOL, check_spatial_dims
from medattn_lite.networks.residual import EXPANSION, ResidualNetwork, make_shortcut, make_stages

SURVIVAL_CBAM: dict[str, Any] = {"mlp_bias": False, "spatial_norm": False, "pool_order": "mean-max"}
OFFICIAL_CBAM: dict[str, Any] = {
    "mlp_bias": True,
    "spatial_norm": True,
    "pool_order": "max-mean",
    "initial_gate": 0.5,
}


class ResNetCBAMBlock(nn.Module):
    """1×1 → 3×3 → 1×1, then CBAM, then the addition.

    Args:
        in_channels: channels of the input.
        width: w; the output has 4w channels.
        stride: of the 3×3 convolution.
        spatial_dims: 2 or 3.
        attention: options of `CBAM`; None leaves it out.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        spatial_dims: int = 2,
        attention: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        convolution, batch_norm = CONVOLUTION[spatial_dims], BATCH_NORM[spatial_dims]
        out_channels = width * EXPANSION
        self.conv1 = convolution(in_channels, width, 1, bias=False)
        self.bn1 = batch_norm(width)
        self.conv2 = convolution(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = batch_norm(width)
        self.conv3 = convolution(width, out_channels, 1, bias=False)
        self.bn3 = batch_norm(out_channels)
        self.cbam: nn.Module = nn.Identity()
        if attention is not None:
            self.cbam = CBAM(out_channels, spatial_dims=spatial_dims, **attention)
        self.downsample = make_shortcut(convolution, batch_norm, in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …)."""
        shortcut = x if self.downsample is None else self.downsample(x)  # (B, 4w, …)
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, w, …)
        x = torch.relu(self.bn2(self.conv2(x)))  # (B, w, …), strided
        x = self.bn3(self.conv3(x))  # (B, 4w, …)
        x = self.cbam(x)  # (B, 4w, …)
        return torch.relu(x + shortcut)


class ResNetCBAM(ResidualNetwork):
    """ResNet-CBAM, 2-D or 3-D.

    Args:
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        in_channels: channels of the images.
        num_classes: outputs; None for the features alone.
        layers: blocks of the four stages.
        strides: of their first blocks; smaller ones keep a finer last map of a small image.
        width: channels after the stem, and the width of the first stage.
        attention: False for the plain ResNet.
        reduction: r of the channel attention.
        kernel_size: of the spatial attention.
        mlp_bias: biases in the channel attention.
        spatial_norm: batch norm in the spatial attention.
        spatial_bias: bias of the spatial attention's convolution.
        pool_order: "mean-max" or "max-mean".
        initial_gate: start of the spatial gates; see `medattn_lite.attention.SpatialAttention`.
        dropout: probability in front of the classifier.

    Raises:
        ValueError: sizes or options that do not fit.
    """

    def __init__(
        self,
        *,
        spatial_dims: int,
        in_channels: int,
        num_classes: int | None,
        layers: Sequence[int] = (3, 4, 6, 3),
        strides: Sequence[int] = (1, 2, 2, 2),
        width: int = 64,
        attention: bool = True,
        reduction: int = 16,
        kernel_size: int = 7,
        mlp_bias: bool = SURVIVAL_CBAM["mlp_bias"],
        spatial_norm: bool = SURVIVAL_CBAM["spatial_norm"],
        spatial_bias: bool = False,
        pool_order: str = SURVIVAL_CBAM["pool_order"],
        initial_gate: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        check_spatial_dims(spatial_dims)
        options = {
            "reduction": reduction,
            "kernel_size": kernel_size,
            "mlp_bias": mlp_bias,
            "spatial_norm": spatial_norm,
            "spatial_bias": spatial_bias,
            "pool_order": pool_order,
            "initial_gate": initial_gate,
        }
        block = partial(ResNetCBAMBlock, spatial_dims=spatial_dims, attention=options if attention else None)
        super().__init__(
            spatial_dims=spatial_dims,
            stem=CONVOLUTION[spatial_dims](in_channels, width, 7, stride=2, padding=3, bias=False),
            stem_norm=BATCH_NORM[spatial_dims](width),
            activation=nn.ReLU(),
            pool=MAX_POOL[spatial_dims](3, stride=2, padding=1),
            stages=make_stages(block, in_channels=width, width=width, layers=layers, strides=strides),
            num_features=8 * width * EXPANSION,
            num_classes=num_classes,
            dropout=dropout,
        )


def resnet50_cbam(
    *, spatial_dims: int = 3, in_channels: int = 4, num_classes: int | None = 19, **options: Any
) -> ResNetCBAM:
    """ResNet-50-CBAM as published; by default the survival deck's, 3-D, 4 MRI contrasts, 19 intervals."""
    return ResNetCBAM(spatial_dims=spatial_dims, in_channels=in_channels, num_classes=num_classes, **options)
