"""SE-ResNeXt: residual blocks with grouped convolutions, each ending in squeeze-and-excitation.

    block(x) = ReLU(SE(f_1(g_3(f_1(x)))) + shortcut(x))        g_3: 3×3 in 32 groups; batch norm after each f, g

Papers: Hu et al. 2018 (SE), Xie et al. 2017 (ResNeXt); the survival deck's SE-ResNeXt-50 in 3-D, for which its
code takes MONAI's `SEResNext50`. With 4 channels in and 19 intervals out: 28,457,539 parameters.

Deviations: none from MONAI's network. `attention="none"` gives the same network without the gates, to compare with,
`attention="eca"` or any other name of `medattn_lite.attention.names` another mechanism in their place. Smaller
numbers (`layers`, `stem_width`, `groups`, `base_width`) give the same network smaller.
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


class SEResNeXt(ResidualNetwork):
    """SE-ResNeXt, 2-D or 3-D.

    Args:
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        in_channels: channels of the images.
        num_classes: outputs; None for the features alone.
        layers: blocks of the four stages.
        strides: of their first blocks; smaller ones keep a finer last map of a small image.
        groups: groups of the 3×3 convolutions.
        base_width: channels per group at width 64.
        stem_width: channels after the stem, and the width of the first stage.
        reduction: r of squeeze-and-excitation.
        squeeze_excitation: False for the plain ResNeXt, as `attention="none"`.
        attention: name of the mechanism at the end of every block.
        attention_options: its options.
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
        attention: str = "se",
        attention_options: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
    ) -> None:
        check_spatial_dims(spatial_dims)
        name, options = choose_attention(
            attention if squeeze_excitation else "none",
            attention_options,
            published="se",
            published_options={"reduction": reduction},
            defaults={"reduction": 16},
        )
        block = partial(
            Bottleneck,
            spatial_dims=spatial_dims,
            groups=groups,
            base_width=base_width,
            attention=name,
            attention_options=options,
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
    """Builds SE-ResNeXt-50 (32×4d) as published; by default the survival deck's, 3-D, 4 MRI contrasts, 19 intervals.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import se_resnext50
        >>> network = se_resnext50(spatial_dims=2, in_channels=1, num_classes=2, layers=(1, 1, 1, 1))
        >>> network(torch.randn(1, 1, 64, 64)).shape
        torch.Size([1, 2])
    """
    return SEResNeXt(spatial_dims=spatial_dims, in_channels=in_channels, num_classes=num_classes, **options)
