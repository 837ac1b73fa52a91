"""ResNet-CBAM: residual bottleneck blocks, each ending in channel and then spatial attention.

    block(x) = ReLU(CBAM(f_1(f_3(f_1(x)))) + shortcut(x))        batch norm after each f

Papers: He et al. 2016 (ResNet), Woo et al. 2018 (CBAM); the survival deck's ResNet-50-CBAM in 3-D. With
4 channels in and 19 intervals out: 48,785,779 parameters.

The defaults are the survival code's CBAM: no biases in the MLP, no batch norm before the spatial sigmoid,
[mean ; max]. `**OFFICIAL_CBAM` gives the CBAM authors' instead (28,089,624 parameters in 2-D with 1000 classes),
whose spatial gates start at exactly 0.5. `attention="none"` is the plain ResNet to compare
with, and any other name of `medattn_lite.attention.names` puts that mechanism in CBAM's place.

Deviations: none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from medattn_lite.attention.dimensions import BATCH_NORM, CONVOLUTION, MAX_POOL, check_spatial_dims
from medattn_lite.networks.attention_plug import choose_attention
from medattn_lite.networks.bottleneck import Bottleneck
from medattn_lite.networks.residual import EXPANSION, ResidualNetwork, make_stages

SURVIVAL_CBAM: dict[str, Any] = {"mlp_bias": False, "spatial_norm": False, "pool_order": "mean-max"}
OFFICIAL_CBAM: dict[str, Any] = {
    "mlp_bias": True,
    "spatial_norm": True,
    "pool_order": "max-mean",
    "initial_gate": 0.5,
}


_DEFAULTS: dict[str, Any] = {
    "reduction": 16,
    "kernel_size": 7,
    "spatial_bias": False,
    "initial_gate": None,
    **SURVIVAL_CBAM,
}


class ResNetCBAM(ResidualNetwork):
    """ResNet-CBAM, 2-D or 3-D.

    Args:
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        in_channels: channels of the images.
        num_classes: outputs; None for the features alone.
        layers: blocks of the four stages.
        strides: of their first blocks; smaller ones keep a finer last map of a small image.
        width: channels after the stem, and the width of the first stage.
        attention: name of the mechanism at the end of every block; True for "cbam", False for "none".
        attention_options: its options.
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
        attention: str | bool = "cbam",
        attention_options: Mapping[str, Any] | None = None,
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
        name, options = choose_attention(
            attention, attention_options, published="cbam", published_options=options, defaults=_DEFAULTS
        )
        block = partial(Bottleneck, spatial_dims=spatial_dims, attention=name, attention_options=options)
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
    """Builds ResNet-50-CBAM as published; by default the survival deck's, 3-D, 4 MRI contrasts, 19 intervals.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import resnet50_cbam
        >>> network = resnet50_cbam(spatial_dims=2, in_channels=1, num_classes=2, layers=(1, 1, 1, 1), width=16)
        >>> network(torch.randn(1, 1, 64, 64)).shape
        torch.Size([1, 2])
    """
    return ResNetCBAM(spatial_dims=spatial_dims, in_channels=in_channels, num_classes=num_classes, **options)
