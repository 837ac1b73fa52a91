"""Common 2-D classifiers to stand beside ResNeSAt, as MONAI builds them: ResNet-50 and DenseNet-121.

The ResNeSAt paper compares its network with common CNNs (its figure 3). With three channels and two classes these have
the parameters of torchvision's: 23,512,130 (ResNet-50) and 6,955,906 (DenseNet-121).

Papers: He et al. 2016 (ResNet), Huang et al. 2017 (DenseNet). Deviations: none; MONAI's ResNet has a stem of stride 1
unless it is asked for the published 2, and a bias in its shortcuts unless it is asked for none, as it is here.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from medattn_lite.errors import UserError


def resnet50(
    *, in_channels: int = 3, num_classes: int = 2, layers: Sequence[int] = (3, 4, 6, 3), width: int = 64
) -> nn.Module:
    """ResNet-50 for images (B, C, H, W); gives logits (B, num_classes).

    Args:
        in_channels: channels of the images.
        num_classes: outputs.
        layers: bottlenecks in each of the four stages.
        width: channels inside the first stage's bottlenecks; doubled from stage to stage.

    Raises:
        UserError: not four stages.
    """
    from monai.networks.nets.resnet import ResNet, ResNetBottleneck

    if len(layers) != 4:
        raise UserError(f"layers is {tuple(layers)}: give the blocks of four stages, such as (3, 4, 6, 3)")
    return ResNet(
        ResNetBottleneck,
        list(layers),
        [width, 2 * width, 4 * width, 8 * width],
        spatial_dims=2,
        n_input_channels=in_channels,
        conv1_t_size=7,
        conv1_t_stride=2,
        num_classes=num_classes,
        bias_downsample=False,
    )


def densenet121(
    *,
    in_channels: int = 3,
    num_classes: int = 2,
    init_features: int = 64,
    growth_rate: int = 32,
    block_config: Sequence[int] = (6, 12, 24, 16),
) -> nn.Module:
    """DenseNet-121 for images (B, C, H, W); gives logits (B, num_classes).

    Args:
        in_channels: channels of the images.
        num_classes: outputs.
        init_features: channels after the stem.
        growth_rate: channels that each layer adds.
        block_config: layers of each dense block.
    """
    from monai.networks.nets import DenseNet

    return DenseNet(
        spatial_dims=2,
        in_channels=in_channels,
        out_channels=num_classes,
        init_features=init_features,
        growth_rate=growth_rate,
        block_config=tuple(block_config),
    )
