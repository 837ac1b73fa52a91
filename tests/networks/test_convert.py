"""Official checkpoints load: live against MONAI at other sizes, and records of other sizes than the goldens."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.networks import OFFICIAL_CBAM, ResNeSt, ResNetCBAM, SEResNeXt, convert, load_matching
from tests.parity.goldens import output_and_gradient, records, reference_state, relative
from tests.parity.references import REFERENCES


def stirred(network: nn.Module) -> nn.Module:
    """Running statistics and gains away from their start."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point() and value.dim() == 1:
                value.add_(0.2 * torch.rand_like(value)) if "var" in key else value.add_(0.1 * torch.randn_like(value))
    return network.eval()


def assert_equal_networks(ours: nn.Module, theirs: nn.Module, x: torch.Tensor) -> None:
    for mine, reference in zip(output_and_gradient(ours, x), output_and_gradient(theirs, x), strict=True):
        assert relative(mine.numpy(), reference.numpy()) < 1e-5


def record_of(network: nn.Module, x: torch.Tensor) -> dict:
    keys = {key: list(value.shape) for key, value in network.state_dict().items() if "num_batches" not in key}
    with torch.no_grad():
        return {"keys": keys, "input_shape": list(x.shape), "output_shape": list(network(x).shape)}


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_record_of_another_size_builds_monais_se_resnext(spatial_dims: int) -> None:
    from monai.networks.nets import SENet

    torch.manual_seed(spatial_dims)
    theirs = stirred(
        SENet(
            spatial_dims=spatial_dims,
            in_channels=2,
            block="se_resnetxt_bottleneck",
            layers=(2, 1, 1, 1),
            groups=16,
            reduction=8,
            dropout_prob=None,
            inplanes=64,
            downsample_kernel_size=1,
            input_3x3=False,
            num_classes=5,
        )
    )
    x = torch.randn(1, 2, *(41, 35, 33)[:spatial_dims], dtype=torch.float64)
    ours = REFERENCES["se_resnext50_3d"].build(record_of(theirs, x.float())).eval()
    ours.load_state_dict(REFERENCES["se_resnext50_3d"].convert(theirs.state_dict()))
    assert_equal_networks(ours.double(), theirs.double(), x)


def test_the_plain_network_is_monais_resnet() -> None:
    from monai.networks.nets import ResNet

    torch.manual_seed(0)
    theirs = stirred(
        ResNet(
            "bottleneck",
            [1, 2, 1, 1],
            [8, 16, 32, 64],
            n_input_channels=2,
            conv1_t_stride=2,
            num_classes=3,
            bias_downsample=False,
        )
    )
    ours = ResNetCBAM(spatial_dims=3, in_channels=2, num_classes=3, layers=(1, 2, 1, 1), width=8, attention=False)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 2, 33, 41, 35, dtype=torch.float64)
    assert_equal_networks(ours.eval().double(), theirs.double(), x)


def test_flat_and_convolutional_gates_of_se_resnext_load_alike() -> None:
    options = {"spatial_dims": 2, "in_channels": 3, "num_classes": 2, "layers": (1, 1, 1, 1), "stem_width": 16}
    network = SEResNeXt(**options, groups=4)
    senet = {
        key.replace(".se.gate.reduce.", ".se_module.fc1.")
        .replace(".se.gate.expand.", ".se_module.fc2.")
        .replace("fc.", "last_linear.", 1 if key.startswith("fc.") else 0): (
            value[..., None, None] if ".se.gate." in key and value.dim() == 2 else value
        )
        for key, value in network.state_dict().items()
    }
    senet = {f"layer0.{key}" if key.startswith(("conv1", "bn1")) else key: value for key, value in senet.items()}
    converted = convert.from_senet_se_resnext(senet)
    assert {key: value.shape for key, value in converted.items()} == {
        key: value.shape for key, value in network.state_dict().items()
    }


def test_the_cbam_authors_names_load() -> None:
    network = ResNetCBAM(spatial_dims=2, in_channels=3, num_classes=2, layers=(1, 1, 1, 1), width=8, **OFFICIAL_CBAM)
    names = {".channel.mlp.0.": ".ChannelGate.mlp.1.", ".channel.mlp.2.": ".ChannelGate.mlp.3."}
    names |= {".spatial.convolution.": ".SpatialGate.spatial.conv.", ".spatial.norm.": ".SpatialGate.spatial.bn."}
    official = {}
    for key, value in network.state_dict().items():
        for ours, theirs in names.items():
            key = key.replace(ours, theirs)
        official[f"module.{key}"] = value  # as saved from DataParallel
    assert set(convert.from_official_resnet_cbam(official)) == set(network.state_dict())


def conv(out: int, into: int, *kernel: int) -> list[int]:
    return [out, into, *kernel]


def norm(name: str, channels: int) -> dict[str, list[int]]:
    return {f"{name}.{leaf}": [channels] for leaf in ("weight", "bias", "running_mean", "running_var")}


OTHER_SIZES = {
    "rsa_block": (
        {f"{name}_conv.weight": conv(6, 6, 1, 1) for name in ("theta", "phi", "g")}
        | {f"{name}_conv.bias": [6] for name in ("theta", "phi", "g")}
        | {f"betas.{index}": [] for index in range(2)},
        [1, 6, 5, 7],
        [1, 6, 5, 7],
    ),
    "cbam2d": (
        {
            "ChannelGate.mlp.1.weight": [3, 50],
            "ChannelGate.mlp.3.weight": [50, 3],
            "SpatialGate.spatial.conv.weight": [1, 2, 3, 3, 3],
        },
        [1, 50, 4, 5, 6],
        [1, 50, 4, 5, 6],
    ),
    "non_local3d": (
        {f"{name}.weight": conv(5, 12, 1, 1, 1) for name in ("theta", "phi.0", "g.0")}
        | {f"{name}.bias": [5] for name in ("theta", "phi.0", "g.0")}
        | {"W.weight": conv(12, 5, 1, 1, 1), "W.bias": [12]},
        [1, 12, 3, 4, 5],
        [1, 12, 3, 4, 5],
    ),
    "split_attention": (
        {
            "conv.weight": conv(54, 4, 5, 5),
            "conv.bias": [54],
            "fc1.weight": conv(40, 9, 1, 1),
            "fc1.bias": [40],
            "fc2.weight": conv(54, 20, 1, 1),
            "fc2.bias": [54],
        },
        [2, 24, 9, 10],
        [2, 18, 5, 5],
    ),
    "p3d_a_bottleneck": (
        {
            "conv1.weight": conv(4, 12, 1, 1, 1),
            "conv2.weight": conv(4, 4, 1, 3, 3),
            "conv3.weight": conv(4, 4, 3, 1, 1),
            "conv4.weight": conv(16, 4, 1, 1, 1),
            "downsample.0.weight": conv(16, 12, 1, 1, 1),
            **norm("bn1", 4),
            **norm("bn2", 4),
            **norm("bn3", 4),
            **norm("bn4", 16),
            **norm("downsample.1", 16),
        },
        [1, 12, 5, 9, 7],
        [1, 16, 5, 5, 4],
    ),
}


@pytest.mark.parametrize("name", OTHER_SIZES)
def test_a_record_of_another_size_builds_the_block(name: str) -> None:
    keys, input_shape, output_shape = OTHER_SIZES[name]
    record = {"keys": keys, "input_shape": input_shape, "output_shape": output_shape}
    module = REFERENCES[name].build(record)
    module.load_state_dict(REFERENCES[name].convert(reference_state(record)))
    assert list(module.eval()(torch.randn(input_shape)).shape) == output_shape


@pytest.mark.parametrize("name", sorted(records()))
def test_a_converted_state_dict_has_exactly_the_names_of_the_module(name: str) -> None:
    record = records()[name]
    reference = REFERENCES[name.rsplit("_", 1)[0]]
    with torch.device("meta"):
        module = reference.build(record)
    converted = {key: torch.empty(shape, device="meta") for key, shape in record["keys"].items()}
    expected = {key: value.shape for key, value in module.state_dict().items() if "num_batches" not in key}
    assert {key: value.shape for key, value in reference.convert(converted).items()} == expected


def test_imagenet_weights_load_into_two_classes_and_the_rest_is_listed() -> None:
    options = {"in_channels": 3, "width": 8, "stem_width": 4, "layers": (1, 1, 1, 1)}
    source = ResNeSt(num_classes=10, **options).state_dict() | {"aux.weight": torch.zeros(1)}
    network = ResNeSt(num_classes=2, spatial_attention=True, **options)
    before = network.fc.weight.clone()
    report = load_matching(network, {f"module.{key}": value for key, value in source.items()})
    assert report.other_shape == ("fc.weight", "fc.bias")
    assert report.unused == ("aux.weight",)
    assert report.missing == tuple(f"layer{stage}.0.sa.convolution.weight" for stage in (1, 2, 3, 4))
    assert "other shape: fc.weight, fc.bias" in str(report)
    assert torch.equal(network.fc.weight, before)
    assert torch.equal(network.layer3[0].conv1.weight, source["layer3.0.conv1.weight"])


def test_a_checkpoint_of_another_network_is_refused_in_one_line() -> None:
    network = ResNeSt(in_channels=1, num_classes=2, width=8, stem_width=4, layers=(1, 1, 1, 1))
    with pytest.raises(UserError, match="nothing in the checkpoint fits ResNeSt: it has names such as encoder.weight"):
        load_matching(network, {"encoder.weight": torch.zeros(3)})


def test_two_names_that_become_one_are_refused() -> None:
    with pytest.raises(UserError, match="both be called fc.weight"):
        convert.from_monai_se_resnext({"last_linear.weight": torch.zeros(1), "fc.weight": torch.zeros(1)})
