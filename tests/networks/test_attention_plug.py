"""Every frame takes every registered mechanism: it runs, trains, shows its maps, and is found by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from medattn_lite.attention import MECHANISMS, AttentionMap
from medattn_lite.attention.registry import names
from medattn_lite.errors import UserError
from medattn_lite.explain import capture_attention
from medattn_lite.networks import Bottleneck, P3DResNet, ResNeSt, ResNetCBAM, RSANet, SEResNeXt, build
from medattn_lite.networks.p3d import P3DBlock
from medattn_lite.networks.registry import NETWORKS, describe, find, mechanism_table
from medattn_lite.networks.residual import AttentiveBlock

SHORT: dict[str, Any] = {"in_channels": 1, "num_classes": 2, "layers": (1, 1, 1, 1)}
FRAMES: dict[str, tuple[int, Callable[..., nn.Module]]] = {
    "ResNet 2-D": (2, lambda **options: ResNetCBAM(spatial_dims=2, width=8, **SHORT, **options)),
    "ResNet 3-D": (3, lambda **options: ResNetCBAM(spatial_dims=3, width=8, **SHORT, **options)),
    "ResNeXt 2-D": (
        2,
        lambda **options: SEResNeXt(spatial_dims=2, stem_width=8, groups=4, base_width=32, **SHORT, **options),
    ),
    "ResNeXt 3-D": (
        3,
        lambda **options: SEResNeXt(spatial_dims=3, stem_width=8, groups=4, base_width=32, **SHORT, **options),
    ),
    "P3D": (3, lambda **options: P3DResNet(width=8, **SHORT, **options)),
    "ResNeSt 2-D": (2, lambda **options: ResNeSt(width=8, stem_width=4, **SHORT, **options)),
    "ResNeSt 3-D": (3, lambda **options: ResNeSt(spatial_dims=3, width=8, stem_width=4, **SHORT, **options)),
    "U-Net 2-D": (2, lambda **options: RSANet(spatial_dims=2, positions="111", widths=(16, 32), **UNET, **options)),
    "U-Net 3-D": (3, lambda **options: RSANet(spatial_dims=3, positions="111", widths=(16, 32), **UNET, **options)),
}
UNET = {"in_channels": 1, "num_classes": 2}
SIZES = {2: (36, 33), 3: (20, 17, 18)}
LARGER = (36, 33, 34)  # its pools of 3 need more than 2 places along each axis
PLUGGED = [(frame, name) for frame, (spatial_dims, _) in FRAMES.items() for name in names(spatial_dims)]


@pytest.mark.parametrize(("frame", "name"), PLUGGED)
def test_every_frame_takes_every_mechanism_and_trains_with_it(frame: str, name: str) -> None:
    spatial_dims, make = FRAMES[frame]
    torch.manual_seed(0)
    network, x = make(attention=name), torch.randn(2, 1, *(LARGER if frame == "ResNeSt 3-D" else SIZES[spatial_dims]))
    plain = make(attention="none")
    plugged = [module for module in network.modules() if isinstance(module, MECHANISMS[name].load())]
    if name != "none":
        assert len(plugged) >= (4 if hasattr(network, "layer4") else 3)
        assert len(plugged) > sum(isinstance(module, MECHANISMS[name].load()) for module in plain.modules())
    with capture_attention(network.eval(), empty_ok=True) as maps, torch.no_grad():
        network(x)
    assert (len(maps) > sum(isinstance(module, AttentionMap) for module in plain.modules())) == (name != "none")
    network.train()(x).square().mean().backward()
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if "U-Net" not in frame])
def test_a_mechanism_is_a_part_of_each_block_by_its_own_name(frame: str) -> None:
    network = FRAMES[frame][1](attention="eca")
    blocks = [module for module in network.modules() if isinstance(module, AttentiveBlock)]
    assert len(blocks) == 4 and all(block.attention is block.eca for block in blocks)
    assert "layer1.0.eca.gate.convolution.weight" in network.state_dict()


class HalfAndOne(nn.Module):
    """A mechanism whose action is known: x / 2 + 1, which tells apart before, after and beside the addition."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2 + 1


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if "U-Net" not in frame])
def test_the_mechanism_acts_on_the_branch_alone_and_the_shortcut_goes_around_it(
    frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setitem(SHORT, "layers", (1, 1, 2, 1))  # one block whose shortcut is its input itself
    spatial_dims, make = FRAMES[frame]
    network = make(attention="none").eval()
    seen: dict[str, dict[str, torch.Tensor]] = {}
    for name, block in network.named_modules():
        if isinstance(block, AttentiveBlock):
            setattr(block, block.mechanism, HalfAndOne())
            block.register_forward_hook(
                lambda module, inputs, output, name=name: seen.update({name: {"x": inputs[0], "y": output}})
            )
    with torch.no_grad():
        network(torch.randn(1, 1, *(LARGER if frame == "ResNeSt 3-D" else SIZES[spatial_dims])))
        assert list(seen) == ["layer1.0", "layer2.0", "layer3.0", "layer3.1", "layer4.0"]
        for name, values in seen.items():
            block = network.get_submodule(name)
            assert (block.downsample is None) == (name == "layer3.1")
            shortcut = values["x"] if block.downsample is None else block.downsample(values["x"])
            wanted = block.activate(block.branch(values["x"]) / 2 + 1 + shortcut)
            torch.testing.assert_close(values["y"], wanted)
            activation = nn.functional.leaky_relu if frame == "P3D" else torch.relu
            torch.testing.assert_close(block.activate(shortcut - 1), activation(shortcut - 1))


def test_options_of_the_mechanism_reach_it_and_those_of_the_published_one_are_its_own() -> None:
    network = ResNetCBAM(spatial_dims=2, width=8, attention="eca", attention_options={"kernel_size": 9}, **SHORT)
    assert network.layer1[0].eca.gate.convolution.kernel_size == (9,)
    assert ResNetCBAM(spatial_dims=2, width=8, reduction=4, **SHORT).layer1[0].cbam.channel.mlp[0].out_features == 8
    for off in (False, None, "none"):
        assert list(ResNetCBAM(spatial_dims=2, width=8, attention=off, **SHORT).layer1[0].attention.parameters()) == []
    published, chosen = P3DResNet(width=8, **SHORT), P3DResNet(width=8, attention=True, **SHORT)
    assert published.state_dict().keys() == chosen.state_dict().keys()


def test_the_start_of_a_plugged_mechanism_survives_the_initialisation_of_its_network() -> None:
    network = ResNetCBAM(
        spatial_dims=2, width=8, attention="non_local", attention_options={"norm": False}, **SHORT
    )
    assert all(not block.non_local.output.weight.any() for block in network.modules() if isinstance(block, Bottleneck))


def test_blocks_stand_alone() -> None:
    x = torch.randn(2, 16, 6, 7)
    assert Bottleneck(16, 8, stride=2, attention="coordinate")(x).shape == (2, 32, 3, 4)
    assert P3DBlock(16, 8, attention="eca")(x[..., None]).shape == (2, 32, 6, 7, 1)
    with pytest.raises(NotImplementedError):
        AttentiveBlock().branch(x)


@pytest.mark.parametrize("frame", [name for name, entry in NETWORKS.items() if entry.is_frame])
def test_every_frame_of_the_registry_takes_a_mechanism_by_name(frame: str) -> None:
    with torch.device("meta"):
        network = build(f"{frame}+eca")
    plugged = [name for name, module in network.named_modules() if type(module).__name__ == "EfficientChannelAttention"]
    assert len(plugged) >= 1
    published = {type(module).__name__ for module in network.modules()}
    assert not published & {"SqueezeExcitation", "CBAM", "InterSliceAttention", "NonLocal", "RecurrentSliceAttention"}
    assert network.built_from == {"network": f"{frame}+eca", "options": dict(find(f"{frame}+eca").options)}


def test_frame_and_mechanism_are_described_as_one_network() -> None:
    description = describe("p3d+eca")
    assert description.name == "p3d+eca" and "efficient channel attention" in description.summary
    # one kernel per block: 3 of 256 channels, 4 of 512, 6 of 1024 and 3 of 2048
    assert description.parameters == describe("p3d").parameters + 5 * 3 + 5 * 4 + 5 * 6 + 7 * 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("p3d+ecb", "'p3d' takes no mechanism 'ecb': use one of none, se, eca"),
        ("resnest50+iam", "'resnest50' takes no mechanism 'iam': use one of none, se, eca, cbam, coordinate, split"),
        ("dynunet+eca", "'dynunet' has no place for another mechanism: use one of p3d_iam, p3d"),
        ("resnesat50+eca", "'resnesat50' has no place for another mechanism"),
        ("unet+eca", "no network is called 'unet'"),
    ],
)
def test_a_plug_that_does_not_fit_gets_one_line(name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        build(name)


def test_the_table_of_mechanisms_has_each_of_them_with_its_size() -> None:
    lines = mechanism_table()
    for name, mechanism in MECHANISMS.items():
        line = next(line for line in lines if line.split()[:1] == [name])
        assert mechanism.title in line and ("3-D only" in line) == (mechanism.spatial_dims == (3,))
    assert next(line for line in lines if line.startswith("  eca ")).split()[1] == "3"  # k of 64 channels
    assert "p3d+eca" in lines[0]
