"""The frames of the comparison: small networks of the papers with one place for a mechanism, and their plain controls.

    make_network("p3d", "eca", spatial_dims=3, in_channels=4, width=8)
    matched_width("p3d", "iam", …)         the narrowest plain network of at least as many parameters as with IAM

A network that wins with a mechanism may win by its parameters alone. So each mechanism has a plain control, wider by as
much as it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from medattn_lite.attention import registry
from medattn_lite.errors import UserError

PLAIN = "none"
# As published, split attention's own 3×3 convolution stands in the place of the block's. At the end of a block it would
# be one more, with 17 times the parameters of the whole network: with 1×1 and groups what is added is the attention.
OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"split": {"kernel_size": 1, "groups": 4}})
WIDEST = 16  # times the width: from there on, a plain control is not looked for


@dataclass(frozen=True)
class Frame:
    """One kind of network.

    Attributes:
        title: what it is, in words.
        spatial_dims: which of 2-D and 3-D it takes.
        make: called with mechanism, spatial_dims, in_channels and width.
        step: widths are multiples of it.
        places: where the mechanism stands, in words.
    """

    title: str
    spatial_dims: tuple[int, ...]
    make: Callable[[str, int, int, int], nn.Module]
    step: int
    places: str


def _p3d(mechanism: str, spatial_dims: int, in_channels: int, width: int) -> nn.Module:
    from medattn_lite.networks.p3d import P3DResNet

    return P3DResNet(in_channels=in_channels, num_classes=2, layers=(1, 1, 1, 1), strides=(1, 2, 1, 1), width=width,
                     attention=mechanism, attention_options=OPTIONS.get(mechanism), dropout=0.0)  # fmt: skip


def _resnet(mechanism: str, spatial_dims: int, in_channels: int, width: int) -> nn.Module:
    from medattn_lite.networks.resnet_cbam import ResNetCBAM

    return ResNetCBAM(spatial_dims=spatial_dims, in_channels=in_channels, num_classes=2, layers=(1, 1, 1, 1),
                      strides=(1, 2, 1, 1), width=width, attention=mechanism,
                      attention_options=OPTIONS.get(mechanism))  # fmt: skip


def _unet(mechanism: str, spatial_dims: int, in_channels: int, width: int) -> nn.Module:
    from medattn_lite.networks.rsanet import RSANet

    network = RSANet(spatial_dims=spatial_dims, in_channels=in_channels, num_classes=2, norm_groups=2, dropout=0.0,
                     widths=(width, 2 * width, 4 * width), attention=mechanism, positions="111", head_bias=True,
                     attention_options=OPTIONS.get(mechanism))  # fmt: skip
    # Starts at a probability of 2 % in each voxel. From one half, short training ends where nothing is marked.
    with torch.no_grad():
        network.final[-1].get_parameter("bias").copy_(torch.tensor([2.0, -2.0]))
    return network


_BLOCKS = "at the end of each of its four blocks"
FRAMES: Mapping[str, Frame] = MappingProxyType({
    "p3d": Frame("pseudo-3-D ResNet, four blocks", (3,), _p3d, 1, _BLOCKS),
    "resnet": Frame("ResNet, four blocks", (2, 3), _resnet, 1, _BLOCKS),
    "unet": Frame("U-Net, two levels and a centre", (2, 3), _unet, 2,
                  "in the encoder, the centre and the decoder"),
})  # fmt: skip


def make_network(frame: str, mechanism: str, *, spatial_dims: int, in_channels: int, width: int) -> nn.Module:
    """Builds a network of a frame with a mechanism in its place.

    Args:
        frame: one of `FRAMES`.
        mechanism: one of `medattn_lite.attention.names()`; "none" for the plain network.
        spatial_dims: 2 or 3.
        in_channels: of the images.
        width: channels of the first stage.

    Raises:
        UserError: the frame or the mechanism is not defined in so many dimensions, or the width does not fit.
    """
    design = FRAMES[frame]
    if spatial_dims not in design.spatial_dims:
        raise UserError(f"the frame {frame!r} is not defined in {spatial_dims}-D: use 'resnet' or 'unet'")
    if width < design.step or width % design.step:
        raise UserError(f"width={width} does not fit the frame {frame!r}: use a multiple of {design.step}")
    return design.make(mechanism, spatial_dims, in_channels, width)


def is_defined(mechanism: str, spatial_dims: int) -> bool:
    """Whether a mechanism is defined in so many dimensions; inter-slice attention needs slices, and so three."""
    return mechanism in registry.names(spatial_dims)


def started(frame: str, mechanism: str, *, spatial_dims: int, in_channels: int, width: int, seed: int) -> nn.Module:
    """A network with the weights of its seed: what it shares with the plain network starts from the same numbers.

    The mechanism's own weights come from the same seed, and are its own. torch's random state is left as it was.
    """
    options = {"spatial_dims": spatial_dims, "in_channels": in_channels, "width": width}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        plain = make_network(frame, PLAIN, **options)
        torch.manual_seed(seed)
        network = make_network(frame, mechanism, **options)
    network.load_state_dict(plain.state_dict(), strict=False)
    return network


def parameters(frame: str, mechanism: str, *, spatial_dims: int, in_channels: int, width: int) -> int:
    """How many a network has, counted without memory for them."""
    with torch.device("meta"):
        network = make_network(frame, mechanism, spatial_dims=spatial_dims, in_channels=in_channels, width=width)
    return sum(parameter.numel() for parameter in network.parameters())


def matched_width(frame: str, mechanism: str, *, spatial_dims: int, in_channels: int, width: int) -> int:
    """Width of the narrowest plain network that has at least as many parameters as the mechanism's.

    Args:
        frame: one of `FRAMES`.
        mechanism: its name.
        spatial_dims: 2 or 3.
        in_channels: of the images.
        width: of the mechanism's network; "none" gives this width.

    Raises:
        UserError: none up to 16 times the width has as many.
    """
    options = {"spatial_dims": spatial_dims, "in_channels": in_channels}
    wanted = parameters(frame, mechanism, width=width, **options)
    for candidate in range(width, WIDEST * width + 1, FRAMES[frame].step):
        if parameters(frame, PLAIN, width=candidate, **options) >= wanted:
            return candidate
    raise UserError(f"no plain network up to width {WIDEST * width} has the {wanted:,} parameters of {mechanism!r}: "
                    "leave this mechanism out")  # fmt: skip
