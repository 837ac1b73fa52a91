"""Published size: parameter counts and feature-map shapes of the papers, without any memory (meta device)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.attention import AttentionMap
from medattn_lite.networks import (
    OFFICIAL_CBAM,
    P3DResNet,
    ResNetCBAM,
    RSANet,
    SEResNeXt,
    p3d_resnet50,
    resnesat50,
    resnest50,
    resnet50_cbam,
    se_resnext50,
)

COUNTS = {
    "SE-ResNeXt-50 3-D, 4 channels, 19 intervals": (lambda: se_resnext50(), 28_457_539),
    "SE-ResNeXt-50 3-D, 1 channel, 2 classes": (lambda: se_resnext50(in_channels=1, num_classes=2), 28_356_850),
    "SE-ResNeXt-50 2-D, ImageNet": (lambda: se_resnext50(spatial_dims=2, in_channels=3, num_classes=1000), 27_559_896),
    "ResNet-50-CBAM 3-D, 4 channels, 19 intervals": (lambda: resnet50_cbam(), 48_785_779),
    "ResNet-50-CBAM 2-D of the CBAM authors, ImageNet": (
        lambda: ResNetCBAM(spatial_dims=2, in_channels=3, num_classes=1000, **OFFICIAL_CBAM),
        28_089_624,
    ),
    "ResNet-50 2-D, ImageNet": (
        lambda: ResNetCBAM(spatial_dims=2, in_channels=3, num_classes=1000, attention=False),
        25_557_032,
    ),
    "ResNet-50 3-D, 4 channels": (
        lambda: ResNetCBAM(spatial_dims=3, in_channels=4, num_classes=2, attention=False),
        46_225_026,
    ),
    "P3D-ResNet-50": (lambda: p3d_resnet50(attention=False), 27_370_498),
    "P3D-ResNet-50 without the inner norm": (lambda: p3d_resnet50(attention=False, inner_norm=False), 27_362_946),
    "P3D-ResNet-50 with IAM": (lambda: p3d_resnet50(), 34_931_826),
    "P3D-ResNet-50 with IAM, r = 8": (lambda: p3d_resnet50(reduction=8), 42_477_602),
    "P3D-ResNet-50 with IAM, r = 4": (lambda: p3d_resnet50(reduction=4), 57_569_154),
    "full 3-D ResNet-50": (lambda: p3d_resnet50(attention=False, pseudo_3d=False), 46_225_026),
    "ResNeSt-50": (lambda: resnest50(), 25_438_338),
    "ResNeSt-50, ImageNet": (lambda: resnest50(num_classes=1000), 27_483_240),
    "ResNeSAt-50": (lambda: resnesat50(), 25_438_338 + 1_568),
    "ResNeSAt-50 with bias": (lambda: resnesat50(spatial_bias=True), 25_438_338 + 1_584),
    "ResNeSAt-50 with norm": (lambda: resnesat50(spatial_norm=True), 25_438_338 + 1_600),
    "RSANet": (lambda: RSANet(in_channels=3, num_classes=2), 24_554_339),
    "RSANet, 4 channels": (lambda: RSANet(in_channels=4, num_classes=2), 24_555_203),
    "3-D U-Net of RSANet": (lambda: RSANet(in_channels=3, num_classes=2, attention=None), 24_554_339 - 787_971),
    "RSANet 101": (
        lambda: RSANet(in_channels=3, num_classes=2, positions="101"),
        24_554_339 - 787_971 + 2 * (3 * (256 * 256 + 256) + 3),
    ),
    "NCL 010": (
        lambda: RSANet(in_channels=3, num_classes=2, attention="non_local"),
        24_554_339 - 787_971 + 526_592,
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count_is_the_published_one(name: str) -> None:
    build, expected = COUNTS[name]
    with torch.device("meta"):
        network = build()
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def stage_shapes(network: nn.Module, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    for name in ("bn1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output: shapes.append(tuple(output.shape[1:]))
        )
    with torch.device("meta"):
        shapes.append(tuple(network(torch.empty(1, *shape)).shape[1:]))
    return shapes


def on_meta(build, **options) -> nn.Module:
    with torch.device("meta"):
        return build(**options).eval()


@pytest.mark.parametrize("attention", [False, True])
def test_p3d_has_the_output_shapes_of_table_1(attention: bool) -> None:
    network = on_meta(p3d_resnet50, attention=attention)
    assert stage_shapes(network, (4, 128, 128, 128)) == [
        (64, 64, 64, 64),
        (64, 32, 32, 32),
        (256, 32, 32, 32),
        (512, 16, 16, 16),
        (1024, 8, 8, 8),
        (2048, 4, 4, 4),
        (2,),
    ]


def test_the_survival_networks_have_the_published_shapes_at_test_size() -> None:
    size = (4, 120, 120, 78)
    rounded_up = stage_shapes(on_meta(se_resnext50), size)
    assert rounded_up[1:3] == [(64, 30, 30, 19), (256, 30, 30, 19)]
    assert rounded_up[3:] == [(512, 15, 15, 10), (1024, 8, 8, 5), (2048, 4, 4, 3), (19,)]
    padded = stage_shapes(on_meta(resnet50_cbam), size)
    assert padded[1] == (64, 30, 30, 20)
    assert padded[-2:] == [(2048, 4, 4, 3), (19,)]


def test_resnesat_has_the_published_shapes() -> None:
    assert stage_shapes(on_meta(resnesat50), (3, 256, 256)) == [
        (64, 128, 128),
        (64, 64, 64),
        (256, 64, 64),
        (512, 32, 32),
        (1024, 16, 16),
        (2048, 8, 8),
        (2,),
    ]


@pytest.mark.parametrize(
    ("build", "gates"), [(p3d_resnet50, 32), (resnesat50, 32), (se_resnext50, 16), (resnet50_cbam, 32)]
)
def test_every_one_of_the_sixteen_blocks_has_its_attention(build, gates: int) -> None:
    network = on_meta(build)
    assert sum(isinstance(module, AttentionMap) for module in network.modules()) == gates


@pytest.mark.parametrize("build", [SEResNeXt, ResNetCBAM])
def test_the_baseline_lacks_the_gates_and_nothing_else(build) -> None:
    option = "squeeze_excitation" if build is SEResNeXt else "attention"
    options = {"spatial_dims": 2, "in_channels": 1, "num_classes": 2}
    full, plain = on_meta(build, **options).state_dict(), on_meta(build, **options, **{option: False}).state_dict()
    extra = {key for key in full if ".se." in key or ".cbam." in key}
    assert extra and set(plain) == set(full) - extra


def test_p3d_and_its_full_version_differ_in_the_middle_convolutions_only() -> None:
    p3d = on_meta(P3DResNet, in_channels=4, num_classes=2)
    full = on_meta(P3DResNet, in_channels=4, num_classes=2, pseudo_3d=False)
    changed = set(p3d.state_dict()) ^ set(full.state_dict())
    assert changed and all(".conv3." in key or ".bn3." in key for key in changed)
    assert full.layer2[0].conv2.weight.shape == (128, 128, 3, 3, 3)
    assert p3d.layer2[0].conv2.weight.shape == (128, 128, 1, 3, 3)
