"""For each golden: how to build the project's module from its record, and how to convert the reference's weights.

    REFERENCES["rsa_block"].build(record) -> nn.Module
    REFERENCES["rsa_block"].convert(state_dict) -> state_dict

Sizes are read from the recorded parameter shapes, so goldens of other sizes work too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from medattn_lite.attention import CBAM, NonLocal, RecurrentSliceAttention, SplitAttention
from medattn_lite.networks import convert
from medattn_lite.networks.p3d import P3DBlock
from medattn_lite.networks.resnest import ResNeSt
from medattn_lite.networks.resnet_cbam import SURVIVAL_CBAM, ResNetCBAM
from medattn_lite.networks.rsanet import RSANet
from medattn_lite.networks.se_resnext import SEResNeXt

Record = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]
BLOCK_LIMIT = 1e-4
NETWORK_LIMIT = 1e-3


@dataclass(frozen=True)
class Reference:
    """One reference implementation.

    Attributes:
        build: record of the golden → the project's module.
        convert: the reference's state dict → the project's.
        title: the project's class.
        source: whose code made the golden.
        limit: largest relative difference allowed.
    """

    build: Callable[[Record], nn.Module]
    convert: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    title: str
    source: str
    limit: float = BLOCK_LIMIT


def _shapes(record: Record) -> Shapes:
    return {key: tuple(shape) for key, shape in record["keys"].items()}


def _stages(shapes: Shapes) -> tuple[int, ...]:
    """Blocks of layer1, layer2, …, from names such as `layer2.3.conv1.weight`."""
    blocks: dict[str, set[str]] = {}
    for key in shapes:
        if key.startswith("layer") and not key.startswith("layer0"):
            stage, block, *_ = key.split(".")
            blocks.setdefault(stage, set()).add(block)
    return tuple(len(blocks[stage]) for stage in sorted(blocks))


def _classes(shapes: Shapes, classifier: str) -> int | None:
    return shapes[f"{classifier}.weight"][0] if f"{classifier}.weight" in shapes else None


def _strides(record: Record) -> tuple[int, ...]:
    sizes = zip(record["input_shape"][2:], record["output_shape"][2:], strict=True)
    return tuple(-(-before // after) for before, after in sizes)


def build_rsa_block(record: Record) -> RecurrentSliceAttention:
    """Channels and dimensions from the first projection."""
    weight = _shapes(record)["theta_conv.weight"]
    return RecurrentSliceAttention(weight[0], spatial_dims=len(weight) - 2)


def build_cbam(record: Record) -> CBAM:
    """Reduction from the MLP, kernel from the spatial convolution."""
    shapes = _shapes(record)
    hidden, channels = shapes["ChannelGate.mlp.1.weight"]
    spatial = shapes["SpatialGate.spatial.conv.weight"]
    return CBAM(
        channels,
        reduction=channels // hidden,
        kernel_size=spatial[-1],
        spatial_dims=len(spatial) - 2,
        mlp_bias="ChannelGate.mlp.1.bias" in shapes,
        spatial_norm="SpatialGate.spatial.bn.weight" in shapes,
        spatial_bias="SpatialGate.spatial.conv.bias" in shapes,
    )


def build_non_local(record: Record) -> NonLocal:
    """With sub-sampling the value is a sequence (`g.0`), with batch norm the output is (`W.1`)."""
    shapes = _shapes(record)
    sub_sample = "g.0.weight" in shapes
    value = shapes["g.0.weight" if sub_sample else "g.weight"]
    return NonLocal(
        value[1],
        hidden_channels=value[0],
        spatial_dims=len(value) - 2,
        sub_sample=sub_sample,
        norm="W.1.weight" in shapes,
        zero_init=False,
        mode="embedded_gaussian" if "theta.weight" in shapes else "gaussian",
    )


def build_split_attention(record: Record) -> SplitAttention:
    """Groups and radix from the widths of the grouped convolutions."""
    shapes = _shapes(record)
    convolution, hidden, expand = shapes["conv.weight"], shapes["fc1.weight"], shapes["fc2.weight"]
    in_channels = record["input_shape"][1]
    groups = hidden[0] // expand[1]
    radix = in_channels // convolution[1] // groups
    return SplitAttention(
        in_channels,
        convolution[0] // radix,
        kernel_size=convolution[-1],
        stride=_strides(record)[0],
        radix=radix,
        groups=groups,
        reduction=in_channels * radix,  # leaves the hidden width to the recorded one
        minimum_hidden=hidden[0],
        norm="bn0.weight" in shapes,
        bias="conv.bias" in shapes,
        spatial_dims=len(convolution) - 2,
    )


def build_p3d_bottleneck(record: Record) -> P3DBlock:
    """The official block has plain ReLUs, and its stride on the first convolution."""
    width, in_channels, *_ = _shapes(record)["conv1.weight"]
    return P3DBlock(in_channels, width, stride=_strides(record), stride_on="first", negative_slope=0.0)


def build_resnest(record: Record) -> ResNeSt:
    """Planes from the last convolution of the first block, groups and radix from its split attention."""
    shapes = _shapes(record)
    inner, planes = shapes["layer1.0.conv1.weight"][0], shapes["layer1.0.conv3.weight"][0] // 4
    groups = shapes["layer1.0.conv2.fc1.weight"][0] // shapes["layer1.0.conv2.fc2.weight"][1]
    stem = shapes["conv1.0.weight"]
    return ResNeSt(
        spatial_dims=len(stem) - 2,
        in_channels=stem[1],
        num_classes=_classes(shapes, "fc"),
        layers=_stages(shapes),
        width=planes,
        stem_width=stem[0],
        radix=inner // shapes["layer1.0.conv2.conv.weight"][1] // groups,
        groups=groups,
        bottleneck_width=inner // groups * 64 // planes,
    )


def build_se_resnext(record: Record) -> SEResNeXt:
    """Groups from the grouped convolution of the first block, reduction from its gate."""
    shapes = _shapes(record)
    stem, grouped = shapes["layer0.conv1.weight"], shapes["layer1.0.conv2.conv.weight"]
    hidden, channels = shapes["layer1.0.se_layer.fc.0.weight"]
    groups = grouped[0] // grouped[1]
    return SEResNeXt(
        spatial_dims=len(stem) - 2,
        in_channels=stem[1],
        num_classes=_classes(shapes, "last_linear"),
        layers=_stages(shapes),
        groups=groups,
        base_width=grouped[0] // groups * 64 // (channels // 4),
        stem_width=stem[0],
        reduction=channels // hidden,
    )


def build_resnet_cbam(record: Record) -> ResNetCBAM:
    """Reduction and kernel from the first block's CBAM."""
    shapes = _shapes(record)
    stem = shapes["conv1.weight"]
    hidden, channels, *_ = shapes["layer1.0.ca.fc.0.weight"]
    return ResNetCBAM(
        spatial_dims=len(stem) - 2,
        in_channels=stem[1],
        num_classes=_classes(shapes, "fc"),
        layers=_stages(shapes),
        width=stem[0],
        reduction=channels // hidden,
        kernel_size=shapes["layer1.0.sa.conv1.weight"][-1],
        **SURVIVAL_CBAM,
    )


def build_rsanet(record: Record) -> RSANet:
    """Widths from the downsampling convolutions and the center."""
    shapes = _shapes(record)
    stem = shapes["init_conv.weight"]
    levels = sum(key.startswith("down") for key in shapes)
    widths = [shapes[f"down{level}.down.weight"][0] for level in range(1, levels + 1)]
    return RSANet(
        spatial_dims=len(stem) - 2,
        in_channels=stem[1],
        num_classes=shapes["final.1.weight"][0],
        widths=(*widths, shapes["center.layer.layer.0.conv.weight"][0]),
        attention="rsa" if any(key.startswith("rsa_block.") for key in shapes) else None,
    )


REFERENCES: dict[str, Reference] = {
    "rsa_block": Reference(build_rsa_block, convert.from_rsa_block, "RecurrentSliceAttention", "tinymilky/RSANet"),
    "cbam2d": Reference(build_cbam, convert.from_cbam, "CBAM", "Jongchan/attention-module"),
    "non_local3d": Reference(build_non_local, convert.from_non_local, "NonLocal", "AlexHex7/Non-local_pytorch"),
    "split_attention": Reference(
        build_split_attention, convert.from_split_attention, "SplitAttention", "zhanghang1989/ResNeSt"
    ),
    "p3d_a_bottleneck": Reference(
        build_p3d_bottleneck, convert.from_p3d_bottleneck, "P3DBlock", "qijiezhao/pseudo-3d-pytorch"
    ),
    "resnest50": Reference(build_resnest, convert.from_resnest, "ResNeSt", "zhanghang1989/ResNeSt", NETWORK_LIMIT),
    "rsanet": Reference(build_rsanet, convert.from_rsanet, "RSANet", "tinymilky/RSANet", NETWORK_LIMIT),
    "se_resnext50_3d": Reference(
        build_se_resnext, convert.from_monai_se_resnext, "SEResNeXt", "MONAI SEResNext50", NETWORK_LIMIT
    ),
    "resnet50_cbam3d_features": Reference(
        build_resnet_cbam,
        convert.from_survival_resnet_cbam,
        "ResNetCBAM",
        "kyuchoi/3D_MRI_survival_glioma",
        NETWORK_LIMIT,
    ),
}
