"""The same classes at small numbers: odd sizes, batch 1, training, options, and one line for a mistake."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from medattn_lite.attention import NonLocal, RecurrentSliceAttention, SpatialAttention
from medattn_lite.errors import UserError
from medattn_lite.networks import OFFICIAL_CBAM, P3DResNet, ResNeSt, ResNetCBAM, RSANet, SEResNeXt

SHORT = {"layers": (1, 1, 1, 2), "num_classes": 2}
SE = {**SHORT, "stem_width": 8, "groups": 4, "base_width": 32}
SMALL: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "SE-ResNeXt 2-D": (2, lambda: SEResNeXt(spatial_dims=2, in_channels=2, **SE)),
    "SE-ResNeXt 3-D": (3, lambda: SEResNeXt(spatial_dims=3, in_channels=2, **SE)),
    "ResNeXt 2-D": (2, lambda: SEResNeXt(spatial_dims=2, in_channels=2, squeeze_excitation=False, **SE)),
    "ResNet-CBAM 2-D": (2, lambda: ResNetCBAM(spatial_dims=2, in_channels=2, width=8, **SHORT)),
    "ResNet-CBAM 3-D": (3, lambda: ResNetCBAM(spatial_dims=3, in_channels=2, width=4, kernel_size=3, **SHORT)),
    "ResNet-CBAM of the authors": (
        2,
        lambda: ResNetCBAM(spatial_dims=2, in_channels=2, width=8, **SHORT, **OFFICIAL_CBAM),
    ),
    "P3D with IAM": (3, lambda: P3DResNet(in_channels=2, width=4, **SHORT)),
    "P3D, other readings": (
        3,
        lambda: P3DResNet(
            in_channels=2,
            width=4,
            spatial_kernel=(3, 1, 3),
            order="act-norm",
            inner_norm=False,
            stride_on="first",
            attention_norm=True,
            **SHORT,
        ),
    ),
    "full 3-D ResNet": (3, lambda: P3DResNet(in_channels=2, width=4, pseudo_3d=False, **SHORT)),
    "ResNeSt 2-D": (2, lambda: ResNeSt(in_channels=2, width=8, stem_width=4, **SHORT)),
    "ResNeSAt 2-D": (2, lambda: ResNeSt(in_channels=2, width=8, stem_width=4, spatial_attention=True, **SHORT)),
    "ResNeSAt 3-D, after": (
        3,
        lambda: ResNeSt(
            spatial_dims=3, in_channels=2, width=4, stem_width=4, spatial_attention=True, place="after", **SHORT
        ),
    ),
}
SIZES = {2: (45, 38), 3: (37, 33, 40)}
every_network = pytest.mark.parametrize("name", SMALL)


def make(name: str, batch: int = 2) -> tuple[nn.Module, torch.Tensor]:
    spatial_dims, build = SMALL[name]
    torch.manual_seed(0)
    return build(), torch.randn(batch, 2, *SIZES[spatial_dims])


@every_network
def test_odd_sizes_and_a_batch_of_one_run_and_agree_with_the_batch(name: str) -> None:
    network, x = make(name)
    network.eval()
    with torch.no_grad():
        together = network(x)
        assert together.shape == (2, 2)
        torch.testing.assert_close(network(x[:1]), together[:1], rtol=1e-4, atol=1e-5)


@every_network
def test_a_few_steps_lower_the_loss_and_reach_every_parameter(name: str) -> None:
    network, x = make(name, batch=4)
    labels = torch.tensor([0, 1, 0, 1])
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(network(x), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-2:]) < losses[0]
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


@every_network
def test_the_same_seed_makes_the_same_network(name: str) -> None:
    first, second = make(name)[0].state_dict(), make(name)[0].state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_without_classes_the_features_come_out() -> None:
    network = SEResNeXt(spatial_dims=2, in_channels=1, **{**SE, "num_classes": None}).eval()
    x = torch.randn(2, 1, 40, 40)
    assert network(x).shape == (2, network.num_features) == (2, 256)
    torch.testing.assert_close(network(x), network.features(x).mean(dim=(2, 3)))


def test_the_start_of_a_gate_survives_the_initialisation_of_its_network() -> None:
    network = ResNetCBAM(spatial_dims=2, in_channels=1, width=8, **SHORT, **OFFICIAL_CBAM).eval()
    gates = [module for module in network.modules() if isinstance(module, SpatialAttention)]
    assert len(gates) == 5
    assert all(torch.equal(gate(torch.randn(1, 8, 9, 9)), torch.full((1, 1, 9, 9), 0.5)) for gate in gates)


@pytest.mark.parametrize("gate", [0.5, 0.98])
def test_resnesat_scales_each_branch_by_the_start_of_its_gate(gate: float) -> None:
    options = {"in_channels": 1, "width": 8, "stem_width": 4, **SHORT}
    plain = ResNeSt(**options).eval()
    gated = ResNeSt(**options, spatial_attention=True, spatial_bias=True, initial_gate=gate).eval()
    gated.load_state_dict(plain.state_dict(), strict=False)
    block, gated_block = plain.layer4[1], gated.layer4[1]
    x = torch.randn(1, 256, 5, 5)
    branch = plain_branch(block, x)
    torch.testing.assert_close(gated_block(x), torch.relu(x + gate * branch), rtol=1e-4, atol=1e-5)


def plain_branch(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return block.bn3(block.conv3(block.avd_layer(block.conv2(torch.relu(block.bn1(block.conv1(x)))))))


def test_p3d_convolves_in_the_slice_before_it_convolves_across() -> None:
    torch.manual_seed(0)
    block = P3DResNet(in_channels=1, width=4, attention=False, **SHORT).eval().layer4[1]
    x = torch.randn(1, 128, 3, 4, 5)
    act, y = nn.functional.leaky_relu, x
    for number in (1, 2, 3):
        y = act(block.get_submodule(f"bn{number}")(block.get_submodule(f"conv{number}")(y)))
    torch.testing.assert_close(block(x), act(block.bn4(block.conv4(y)) + x))


@pytest.mark.parametrize("positions", ["000", "010", "101", "111"])
@pytest.mark.parametrize("attention", ["rsa", "non_local"])
def test_rsanet_keeps_any_size_and_puts_attention_where_it_is_told(attention: str, positions: str) -> None:
    torch.manual_seed(0)
    network = RSANet(in_channels=2, num_classes=2, widths=(8, 16, 32), attention=attention, positions=positions).eval()
    kind = {"rsa": RecurrentSliceAttention, "non_local": NonLocal}[attention]
    places = [name.split(".")[1] for name, module in network.named_modules() if isinstance(module, kind)]
    wanted = zip(("encoder", "center", "decoder"), positions, strict=True)
    assert places == [name for name, digit in wanted if digit == "1"]
    for size in ((9, 14, 11), (4, 5, 16)):
        x = torch.randn(1, 2, *size)
        assert network(x).shape == (1, 2, *size)


def test_rsanet_attention_changes_the_result_once_it_has_learned() -> None:
    torch.manual_seed(0)
    network = RSANet(in_channels=1, num_classes=2, widths=(8, 16, 32), positions="111").eval()
    x = torch.randn(1, 1, 8, 12, 12)
    with torch.no_grad():
        before = network(x)
        for position in ("encoder", "center", "decoder"):
            network.attention[position].betas[0].fill_(1.0)
            after = network(x)
            assert (after - before).abs().max() > 1e-3
            before = after


def test_rsanet_runs_in_two_dimensions_and_trains() -> None:
    torch.manual_seed(0)
    network = RSANet(spatial_dims=2, in_channels=1, num_classes=1, widths=(8, 16), positions="111")
    network(torch.randn(2, 1, 13, 10)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: SEResNeXt(spatial_dims=2, in_channels=1, num_classes=2, stem_width=8), "raise stem_width or"),
        (lambda: SEResNeXt(spatial_dims=2, in_channels=1, num_classes=2, layers=(3, 4)), "of four stages"),
        (lambda: ResNetCBAM(spatial_dims=1, in_channels=1, num_classes=2), "use 2 for"),
        (lambda: ResNetCBAM(spatial_dims=2, in_channels=1, num_classes=2, width=2), "use reduction=8 or less"),
        (lambda: ResNetCBAM(spatial_dims=2, in_channels=1, num_classes=2, layers=(1, 0, 1, 1)), "at least 1"),
        (lambda: P3DResNet(in_channels=1, num_classes=2, order="act"), "order is 'act'"),
        (lambda: ResNeSt(in_channels=1, num_classes=2, place="inside"), "'before' or 'after'"),
        (lambda: RSANet(in_channels=1, num_classes=2, attention="cbma"), "use one of none, se, eca"),
        (lambda: RSANet(spatial_dims=2, in_channels=1, num_classes=2, attention="iam"), "not defined in 2-D"),
        (lambda: ResNetCBAM(spatial_dims=2, in_channels=1, num_classes=2, attention="iam"), "not defined in 2-D"),
        (
            lambda: ResNetCBAM(spatial_dims=2, in_channels=1, num_classes=2, attention="eca", reduction=4),
            "reduction belongs to 'cbam', not to 'eca'",
        ),
        (
            lambda: P3DResNet(in_channels=1, num_classes=2, attention="se", attention_options={"size": 3}),
            "'se' has no option 'size'",
        ),
        (
            lambda: ResNeSt(in_channels=1, num_classes=2, attention="eca", spatial_attention=True),
            "want the same place",
        ),
        (lambda: RSANet(in_channels=1, num_classes=2, positions="21"), "three digits"),
        (lambda: RSANet(in_channels=1, num_classes=2, widths=(8, 24)), "each twice the one before"),
        (lambda: RSANet(in_channels=1, num_classes=2, widths=(6, 12)), "norm_groups=8 does not divide"),
    ],
)
def test_a_wrong_size_gets_one_line_that_says_what_to_do(build: Callable[[], nn.Module], says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        build()
    assert "\n" not in str(error.value)


def test_a_volume_for_a_two_dimensional_network_is_refused_in_words() -> None:
    network = ResNetCBAM(spatial_dims=2, in_channels=1, width=8, **SHORT)
    with pytest.raises(UserError, match=r"ResNetCBAM is 2-D and got images of shape .* give \(B, C, H, W\)"):
        network(torch.randn(1, 1, 8, 8, 8))
    with pytest.raises(UserError, match="RSANet is 3-D"):
        RSANet(in_channels=1, num_classes=2, widths=(8, 16))(torch.randn(1, 1, 8, 8))


def test_published_lesion_head_gives_one_half_to_a_voxel_without_features():
    empty = torch.zeros(1, 8, 4, 4, 4)
    options = {"in_channels": 3, "num_classes": 2, "widths": (8, 16, 32)}
    published, biased = RSANet(**options), RSANet(**options, head_bias=True)
    assert (published.final(empty).softmax(1) == 0.5).all(), "no bias: nothing can say background here"
    with torch.no_grad():
        biased.final[1].bias.copy_(torch.tensor([0.0, 3.0]))
    assert (biased.final(empty).softmax(1)[:, 1] > 0.95).all()


@pytest.mark.parametrize("network", [P3DResNet, ResNetCBAM, SEResNeXt], ids=lambda make: make.__name__)
def test_strides_keep_a_finer_last_map_with_the_same_weights(network):
    size = {"stem_width": 8, "groups": 4, "base_width": 32} if network is SEResNeXt else {"width": 8}
    options = {"in_channels": 1, **SHORT, **size, **({} if network is P3DResNet else {"spatial_dims": 3})}
    published, fine = network(**options).eval(), network(**options, strides=(1, 2, 1, 1)).eval()
    fine.load_state_dict(published.state_dict())
    image = torch.randn(1, 1, 32, 34, 33)
    coarse, small = (network.features(image).shape[2:] for network in (published, fine))
    assert max(coarse) <= 2 and min(small) >= 4
    with pytest.raises(UserError, match="give 1 or 2 for each of four stages"):
        network(**options, strides=(1, 2, 4, 1))
