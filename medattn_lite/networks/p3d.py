"""P3D-ResNet: each 3×3×3 convolution becomes one in the slice and one across slices, with IAM on top.

    P3D(x) = f_{3×1×1}(f_{1×3×3}(x))                                      eq. 1, structure A (in sequence)
    block(x) = LeakyReLU(IAM(f_1(P3D(f_1(x)))) + shortcut(x))

Papers: Qiu, Yao, Mei 2017 (P3D); the P3D + IAM paper, "Pseudo-3D CNN with inter-slice attention for glioma
grading". With 4 channels in, 2 classes and r = 16: 27,370,498 parameters without IAM, 34,931,826 with; the
full 3×3×3 network (`pseudo_3d=False`) has 46,225,026.

Readings, each with its option:
- Order after a convolution: batch norm, then LeakyReLU(0.01), as in the P3D code (default); the table's note
  read literally is `order="act-norm"`.
- Norm and activation also stand between the two parts of P3D, as the note and the P3D code say (default);
  `inner_norm=False` is eq. 1 read literally.
- The stride sits on the P3D convolutions (default) or on the first 1×1×1 (`stride_on="first"`, the P3D code).
- Dropout is named without a number: 0.5, as in the P3D code.
- The table's pooling row (4 × 4, d = 2) contradicts its own 4 × 4 × 4 input: a mean over all of space here.

Deviations: none beyond these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.networks.attention_plug import choose_attention
from medattn_lite.networks.residual import EXPANSION, AttentiveBlock, ResidualNetwork, make_shortcut, make_stages

ORDERS = ("norm-act", "act-norm")
STRIDE_PLACES = ("middle", "first")
_DEFAULTS: dict[str, Any] = {"reduction": 16, "spatial_kernel": (3, 3, 3), "bias": True, "norm": False}


class P3DBlock(AttentiveBlock):
    """1×1×1 → 1×3×3 → 3×1×1 → 1×1×1, then a mechanism, then the addition.

    Args:
        in_channels: channels of the input.
        width: w; the output has 4w channels.
        stride: of the block, one number or one for each of D, H, W.
        attention: name of a mechanism; see `medattn_lite.attention.names`.
        attention_options: its options.
        pseudo_3d: False for one 3×3×3 convolution in the middle.
        negative_slope: of the LeakyReLU; 0 for a ReLU.
        order: "norm-act" or "act-norm".
        inner_norm: norm and activation between the two parts of P3D.
        stride_on: "middle" or "first".

    Raises:
        UserError: an unknown option.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int | tuple[int, int, int] = 1,
        attention: str = "none",
        attention_options: Mapping[str, Any] | None = None,
        pseudo_3d: bool = True,
        negative_slope: float = 0.01,
        order: str = "norm-act",
        inner_norm: bool = True,
        stride_on: str = "middle",
    ) -> None:
        super().__init__()
        if order not in ORDERS or stride_on not in STRIDE_PLACES:
            raise UserError(f"order is {order!r}, stride_on {stride_on!r}; use one of {ORDERS} and of {STRIDE_PLACES}")
        out_channels = width * EXPANSION
        strides = (stride, stride, stride) if isinstance(stride, int) else stride
        first, middle = (strides, (1, 1, 1)) if stride_on == "first" else ((1, 1, 1), strides)
        self.norm_first = order == "norm-act"
        self.conv1 = nn.Conv3d(in_channels, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = _middle_convolution(width, in_plane=True, pseudo_3d=pseudo_3d, stride=middle)
        self.bn2 = nn.BatchNorm3d(width) if inner_norm or not pseudo_3d else None
        self.conv3 = _middle_convolution(width, in_plane=False, pseudo_3d=True, stride=middle) if pseudo_3d else None
        self.bn3 = nn.BatchNorm3d(width) if pseudo_3d else None
        self.conv4 = nn.Conv3d(width, out_channels, 1, bias=False)
        self.bn4 = nn.BatchNorm3d(out_channels)
        self.plug(attention, out_channels, spatial_dims=3, options=attention_options)
        self.relu = nn.LeakyReLU(negative_slope)
        self.downsample = make_shortcut(nn.Conv3d, nn.BatchNorm3d, in_channels, out_channels, strides)

    def branch(self, x: Tensor) -> Tensor:
        """(B, C_in, D, H, W) to (B, 4w, D, H, W)."""
        x = self._normalise(self.bn1, self.conv1(x))  # (B, w, D, H, W)
        x = self._normalise(self.bn2, self.conv2(x))  # (B, w, D, H, W), strided in plane
        if self.conv3 is not None:
            x = self._normalise(self.bn3, self.conv3(x))  # (B, w, D, H, W), strided across slices
        return self.bn4(self.conv4(x))  # (B, 4w, D, H, W)

    def activate(self, x: Tensor) -> Tensor:
        """LeakyReLU."""
        return self.relu(x)

    def _normalise(self, norm: nn.Module | None, x: Tensor) -> Tensor:
        if norm is None:
            return x
        return self.relu(norm(x)) if self.norm_first else norm(self.relu(x))


class P3DResNet(ResidualNetwork):
    """P3D-ResNet with inter-slice attention, with another mechanism or with none.

    Args:
        in_channels: channels of the images; 4 MRI contrasts in the paper.
        num_classes: outputs; None for the features alone.
        layers: blocks of the four stages.
        strides: of their first blocks; smaller ones keep a finer last map of a small image.
        width: channels after the stem, and the width of the first stage.
        attention: name of the mechanism at the end of every block; True for "iam", False for "none".
        attention_options: its options.
        reduction: r of IAM (not given in the paper).
        spatial_kernel: of IAM; (3, 3, 3) or (3, 1, 3).
        attention_bias: biases in IAM.
        attention_norm: batch norms in IAM.
        pseudo_3d: False for the full 3×3×3 network.
        negative_slope: of every LeakyReLU.
        order: "norm-act" or "act-norm".
        inner_norm: norm and activation between the two parts of P3D.
        stride_on: "middle" or "first".
        dropout: probability in front of the classifier.

    Raises:
        ValueError: sizes or options that do not fit.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_classes: int | None,
        layers: Sequence[int] = (3, 4, 6, 3),
        strides: Sequence[int] = (1, 2, 2, 2),
        width: int = 64,
        attention: str | bool = "iam",
        attention_options: Mapping[str, Any] | None = None,
        reduction: int = 16,
        spatial_kernel: tuple[int, int, int] = (3, 3, 3),
        attention_bias: bool = True,
        attention_norm: bool = False,
        pseudo_3d: bool = True,
        negative_slope: float = 0.01,
        order: str = "norm-act",
        inner_norm: bool = True,
        stride_on: str = "middle",
        dropout: float = 0.5,
    ) -> None:
        name, options = choose_attention(
            attention,
            attention_options,
            published="iam",
            published_options={
                "reduction": reduction,
                "spatial_kernel": spatial_kernel,
                "bias": attention_bias,
                "norm": attention_norm,
            },
            defaults=_DEFAULTS,
        )
        block = partial(
            P3DBlock,
            attention=name,
            attention_options=options,
            pseudo_3d=pseudo_3d,
            negative_slope=negative_slope,
            order=order,
            inner_norm=inner_norm,
            stride_on=stride_on,
        )
        super().__init__(
            spatial_dims=3,
            stem=nn.Conv3d(in_channels, width, 7, stride=2, padding=3, bias=False),
            stem_norm=nn.BatchNorm3d(width),
            activation=nn.LeakyReLU(negative_slope),
            pool=nn.MaxPool3d(3, stride=2, padding=1),
            stages=make_stages(block, in_channels=width, width=width, layers=layers, strides=strides),
            num_features=8 * width * EXPANSION,
            num_classes=num_classes,
            dropout=dropout,
            norm_first=order == "norm-act",
        )


def p3d_resnet50(*, in_channels: int = 4, num_classes: int | None = 2, **options: Any) -> P3DResNet:
    """Builds P3D-ResNet-50 with IAM as published: 4 MRI contrasts, low or high grade.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import p3d_resnet50
        >>> network = p3d_resnet50(in_channels=1, layers=(1, 1, 1, 1), width=16)
        >>> network.eval()(torch.randn(1, 1, 8, 32, 32)).shape
        torch.Size([1, 2])
    """
    return P3DResNet(in_channels=in_channels, num_classes=num_classes, **options)


def _middle_convolution(width: int, *, in_plane: bool, pseudo_3d: bool, stride: tuple[int, int, int]) -> nn.Conv3d:
    depth, height, breadth = stride
    if not pseudo_3d:
        return nn.Conv3d(width, width, 3, stride=stride, padding=1, bias=False)
    if in_plane:
        return nn.Conv3d(width, width, (1, 3, 3), stride=(1, height, breadth), padding=(0, 1, 1), bias=False)
    return nn.Conv3d(width, width, (3, 1, 1), stride=(depth, 1, 1), padding=(1, 0, 0), bias=False)
