"""ResNeSt and ResNeSAt: residual blocks of split attention, the second with spatial attention on top.

    block(x)   = ReLU(BN(f_1(pool(SplitAttention(f_1(x))))) + shortcut(x))            ResNeSt
    ResNeSAt: M_s(·) ⊗ · on the branch, after its last batch norm and before the addition

Papers: Zhang et al. 2020, "ResNeSt: Split-attention networks"; the ResNeSAt paper, "Brain tumors classification
for MR images based on attention guided deep learning model". With 2 classes in 2-D: 25,438,338 parameters,
and 1,568 more with spatial attention. Layers carry the names of the authors' code, so files of ImageNet
weights (also timm's `resnest50d`) load as they are; see `networks.convert.load_matching`.

Readings:
- The paper's Table II lists the layers of a block in the order in which the code registers them. They run as in
  the authors' code: the block's own pooling comes after split attention, the listed AvgPool, Conv, BN is the shortcut.
- Spatial attention before the addition (default), as in CBAM's ResNet, or after the last ReLU (`place="after"`).
- 7×7 convolution without bias and without batch norm (default): only that gives the printed file sizes. So its gate
  starts near 0.5 and halves each residual branch of a pretrained network; `initial_gate=0.98` with
  `spatial_bias=True` starts near 1.

Deviations: 3-D from the same class. A batch of 1 cannot be trained on (batch norm inside split attention).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention import SpatialAttention, SplitAttention
from medattn_lite.attention.dimensions import AVERAGE_POOL, BATCH_NORM, CONVOLUTION, MAX_POOL, check_spatial_dims
from medattn_lite.errors import UserError
from medattn_lite.networks.residual import EXPANSION, AttentiveBlock, ResidualNetwork, make_stages

PLACES = ("before", "after")


class ResNeStBlock(AttentiveBlock):
    """1×1 → split attention → pool → 1×1, then spatial attention or a mechanism if asked for, then the addition.

    Args:
        in_channels: channels of the input.
        width: w; the output has 4w channels.
        stride: of the pool after split attention.
        spatial_dims: 2 or 3.
        radix: number of splits.
        groups: cardinality.
        bottleneck_width: channels per group at w = 64.
        spatial_attention: options of `SpatialAttention`; None leaves it out.
        place: of spatial attention or the mechanism, "before" or "after" the addition.
        attention: name of a mechanism; see `medattn_lite.attention.names`.
        attention_options: its options.

    Raises:
        UserError: an unknown place, spatial attention and a mechanism at once, or a mechanism that does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        spatial_dims: int = 2,
        radix: int = 2,
        groups: int = 1,
        bottleneck_width: int = 64,
        spatial_attention: dict[str, Any] | None = None,
        place: str = "before",
        attention: str = "none",
        attention_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if spatial_attention is not None and attention != "none":
            raise UserError(f"spatial_attention and attention={attention!r} want the same place; give one of them")
        if place not in PLACES:
            raise UserError(f"place is {place!r}; use 'before' or 'after' (the addition)")
        convolution, batch_norm = CONVOLUTION[spatial_dims], BATCH_NORM[spatial_dims]
        inner, out_channels = width * bottleneck_width // 64 * groups, width * EXPANSION
        self.conv1 = convolution(in_channels, inner, 1, bias=False)
        self.bn1 = batch_norm(inner)
        self.conv2 = SplitAttention(inner, inner, radix=radix, groups=groups, spatial_dims=spatial_dims)
        self.avd_layer = AVERAGE_POOL[spatial_dims](3, stride, padding=1) if stride > 1 else nn.Identity()
        self.conv3 = convolution(inner, out_channels, 1, bias=False)
        self.bn3 = batch_norm(out_channels)
        self.sa: nn.Module | None = None
        if spatial_attention is not None:
            self.sa = SpatialAttention(spatial_dims=spatial_dims, **spatial_attention)
        self.plug(attention, out_channels, spatial_dims=spatial_dims, options=attention_options)
        self.place = place
        self.downsample = _pooled_shortcut(spatial_dims, in_channels, out_channels, stride)

    def branch(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …)."""
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, inner, …)
        x = self.conv2(x)  # (B, inner, …)
        x = self.avd_layer(x)  # (B, inner, …), strided
        return self.bn3(self.conv3(x))  # (B, 4w, …)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, 4w, …)."""
        shortcut = x if self.downsample is None else self.downsample(x)  # (B, 4w, …)
        x = self.branch(x)  # (B, 4w, …)
        x = self._attend(x) if self.place == "before" else x
        x = self.activate(x + shortcut)
        return self._attend(x) if self.place == "after" else x

    def _attend(self, x: Tensor) -> Tensor:
        return self.attention(x) if self.sa is None else x * self.sa(x)  # (B, 4w, …) ⊗ (B, 1, …)


class ResNeSt(ResidualNetwork):
    """ResNeSt, and ResNeSAt with `spatial_attention=True`.

    Args:
        spatial_dims: 2 (published) or 3.
        in_channels: channels of the images.
        num_classes: outputs; None for the features alone.
        layers: blocks of the four stages.
        width: width of the first stage.
        stem_width: channels of the stem's first two convolutions; the third has twice as many.
        radix: number of splits.
        groups: cardinality.
        bottleneck_width: channels per group at width 64.
        spatial_attention: spatial attention in every block (ResNeSAt).
        place: "before" or "after" the addition.
        kernel_size: of spatial attention.
        spatial_norm: batch norm in spatial attention.
        spatial_bias: bias of its convolution.
        initial_gate: its start; see `medattn_lite.attention.SpatialAttention`.
        attention: name of a mechanism for every block, in the place of spatial attention.
        attention_options: its options.
        dropout: probability in front of the classifier.

    Raises:
        ValueError: sizes or options that do not fit.
    """

    def __init__(
        self,
        *,
        spatial_dims: int = 2,
        in_channels: int,
        num_classes: int | None,
        layers: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        stem_width: int = 32,
        radix: int = 2,
        groups: int = 1,
        bottleneck_width: int = 64,
        spatial_attention: bool = False,
        place: str = "before",
        kernel_size: int = 7,
        spatial_norm: bool = False,
        spatial_bias: bool = False,
        initial_gate: float | None = None,
        attention: str | None = "none",
        attention_options: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
    ) -> None:
        check_spatial_dims(spatial_dims)
        options = {
            "kernel_size": kernel_size,
            "norm": spatial_norm,
            "bias": spatial_bias,
            "initial_gate": initial_gate,
        }
        block = partial(
            ResNeStBlock,
            spatial_dims=spatial_dims,
            radix=radix,
            groups=groups,
            bottleneck_width=bottleneck_width,
            spatial_attention=options if spatial_attention else None,
            place=place,
            attention=attention or "none",
            attention_options=attention_options,
        )
        super().__init__(
            spatial_dims=spatial_dims,
            stem=_deep_stem(spatial_dims, in_channels, stem_width),
            stem_norm=BATCH_NORM[spatial_dims](2 * stem_width),
            activation=nn.ReLU(),
            pool=MAX_POOL[spatial_dims](3, stride=2, padding=1),
            stages=make_stages(block, in_channels=2 * stem_width, width=width, layers=layers),
            num_features=8 * width * EXPANSION,
            num_classes=num_classes,
            dropout=dropout,
        )


def resnest50(*, in_channels: int = 3, num_classes: int | None = 2, **options: Any) -> ResNeSt:
    """Builds ResNeSt-50 as published (radix 2, cardinality 1, deep stem).

    Example:
        >>> import torch
        >>> from medattn_lite.networks import resnest50
        >>> network = resnest50(in_channels=1, layers=(1, 1, 1, 1), stem_width=8, width=16)
        >>> network.eval()(torch.randn(1, 1, 64, 64)).shape
        torch.Size([1, 2])
    """
    return ResNeSt(in_channels=in_channels, num_classes=num_classes, **options)


def resnesat50(*, in_channels: int = 3, num_classes: int | None = 2, **options: Any) -> ResNeSt:
    """Builds ResNeSAt: ResNeSt-50 with spatial attention in every block.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import resnesat50
        >>> network = resnesat50(in_channels=1, layers=(1, 1, 1, 1), stem_width=8, width=16)
        >>> network.eval()(torch.randn(1, 1, 64, 64)).shape
        torch.Size([1, 2])
    """
    return ResNeSt(in_channels=in_channels, num_classes=num_classes, spatial_attention=True, **options)


def _deep_stem(spatial_dims: int, in_channels: int, stem_width: int) -> nn.Sequential:
    convolution, batch_norm = CONVOLUTION[spatial_dims], BATCH_NORM[spatial_dims]
    return nn.Sequential(
        convolution(in_channels, stem_width, 3, stride=2, padding=1, bias=False),
        batch_norm(stem_width),
        nn.ReLU(),
        convolution(stem_width, stem_width, 3, padding=1, bias=False),
        batch_norm(stem_width),
        nn.ReLU(),
        convolution(stem_width, 2 * stem_width, 3, padding=1, bias=False),
    )


def _pooled_shortcut(spatial_dims: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        AVERAGE_POOL[spatial_dims](stride, stride, ceil_mode=True, count_include_pad=False),
        CONVOLUTION[spatial_dims](in_channels, out_channels, 1, bias=False),
        BATCH_NORM[spatial_dims](out_channels),
    )
