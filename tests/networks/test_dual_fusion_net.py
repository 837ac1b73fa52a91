"""Dual fusion: late, early, attention; frozen networks; exact attention or tokens."""

from __future__ import annotations

import logging

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.networks.dual_fusion_backbones import dynunet, segresnet
from medattn_lite.networks.dual_fusion_net import (
    DualFusionNet,
    EarlyFusionHead,
    average_probabilities,
    dual_fusion,
)

SMALL = {"filters": (8, 12, 16), "init_filters": 8, "channels": 4, "num_classes": 3}


def small(fusion: str = "attention", **options) -> DualFusionNet:
    torch.manual_seed(2)
    channels = options.pop("channels", SMALL["channels"])
    return dual_fusion(fusion=fusion, **{**SMALL, "channels": channels, **options})


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(1, 4, 9, 12, 11, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("fusion", ["late", "early", "attention"])
@pytest.mark.parametrize("batch", [1, 2])
def test_any_size_and_batch_gives_logits_of_every_region(fusion, batch, image):
    logits = small(fusion).train()(image.expand(batch, -1, -1, -1, -1))
    assert logits.shape == (batch, 3, 9, 12, 11)
    assert logits.isfinite().all()


def test_late_fusion_is_the_mean_of_both_probabilities(image):
    network = small("late").eval()
    mean = (network.first(image).sigmoid() + network.second(image).sigmoid()) / 2
    torch.testing.assert_close(network(image).sigmoid(), mean)


def test_the_mean_probability_keeps_its_order_where_a_sigmoid_is_flat():
    high = torch.tensor([60.0, 80.0])
    averaged = average_probabilities(high, high)
    torch.testing.assert_close(averaged, high)  # sigmoid(60) and sigmoid(80) are both 1 in float32
    torch.testing.assert_close(average_probabilities(-high, -high), -high)
    assert average_probabilities(torch.tensor(300.0), torch.tensor(-300.0)) == 0


def test_early_fusion_mixes_the_joined_maps_voxel_by_voxel():
    head = EarlyFusionHead((2, 3), channels=4, num_classes=1)
    first, second = torch.randn(1, 2, 2, 2, 2), torch.randn(1, 3, 2, 2, 2)
    joined = torch.cat([first[0, :, 0, 1, 0], second[0, :, 0, 1, 0]])
    hidden = torch.relu(head.join.weight[:, :, 0, 0, 0] @ joined + head.join.bias)
    expected = head.head.weight[:, :, 0, 0, 0] @ hidden + head.head.bias
    torch.testing.assert_close(head(first, second)[0, :, 0, 1, 0], expected)
    changed = first.clone()
    changed[..., 1, 1, 1] += 5
    assert head(changed, second)[..., 0, 1, 0].equal(head(first, second)[..., 0, 1, 0])


@pytest.mark.parametrize("fusion", ["early", "attention"])
def test_the_head_sees_both_feature_maps_in_order(fusion, image):
    network = small(fusion).eval()
    expected = network.head(network.first.features(image), network.second.features(image))
    torch.testing.assert_close(network(image), expected)
    for backbone in (network.first, network.second):
        with torch.no_grad():
            parameter = next(backbone.parameters())
            parameter += 0.5
        assert not torch.allclose(network(image), expected)


def test_frozen_networks_get_no_gradient_and_do_not_change_in_training(image):
    network = small("attention")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.5)
    network.train()
    network(image).square().mean().backward()
    optimiser.step()
    backbones, head = [*network.first.parameters(), *network.second.parameters()], list(network.head.parameters())
    assert all(parameter.grad is None for parameter in backbones)
    assert all(parameter.grad.abs().sum() > 0 for parameter in head)
    changed = {name.split(".")[0] for name, value in network.state_dict().items() if not value.equal(before[name])}
    assert changed == {"head"}


def test_frozen_networks_stay_in_evaluation_mode():
    network = small("attention")
    network.first.add_module("dropout", torch.nn.Dropout(0.5))
    for train in (True, False):
        network.train(train)
        assert not any(m.training for backbone in (network.first, network.second) for m in backbone.modules())
        assert all(m.training == train for m in network.head.modules())


def test_networks_that_are_not_frozen_learn_with_the_head(image):
    network = small("attention", frozen=False).train()
    assert all(module.training for module in network.modules())
    network(image).square().mean().backward()
    # The last convolutions of the two networks are left out of this fusion.
    unused = {f"first.network.output_block.conv.conv.{leaf}" for leaf in ("weight", "bias")}
    unused |= {name for name, _ in network.named_parameters() if name.startswith("second.network.conv_final.2")}
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert without == unused


def test_small_maps_are_attended_voxel_by_voxel_and_large_ones_over_tokens(image):
    network, exact = small(token_grid=6).eval(), small(token_grid=None).eval()
    exact.load_state_dict(network.state_dict())
    fits = torch.randn(1, 4, 6, 5, 6)
    torch.testing.assert_close(network(fits), exact(fits), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(network(image), exact(image), rtol=1e-3, atol=1e-4)


def test_the_log_says_once_for_each_size_whether_attention_was_exact(image, caplog):
    caplog.set_level(logging.INFO, logger="medattn_lite")
    network = small(token_grid=10).eval()
    network(image)
    network(image)
    network(image[..., :8, :8, :8])
    assert [record.message for record in caplog.records] == [
        "dual fusion attends to 9×10×10 tokens, means over the voxels of 9×12×11",
        "dual fusion attends to all voxels of 8×8×8, exactly",
    ]


def test_other_fusions_do_not_speak_of_attention(image, caplog):
    caplog.set_level(logging.INFO, logger="medattn_lite")
    small("late")(image), small("early")(image)
    assert not caplog.records


def test_the_published_size_runs_with_one_image():
    network = dual_fusion()
    parts = [network.first, network.second, network.head, network]
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [31_192_035, 4_702_227, 117_635, 36_011_897]
    assert network(torch.randn(1, 4, 30, 33, 32)).shape == (1, 3, 30, 33, 32)


def test_networks_trained_alone_are_joined_as_they_are(image):
    torch.manual_seed(4)
    first, second = dynunet(filters=(8, 12, 16)).eval(), segresnet(init_filters=8).eval()
    alone = (first(image).sigmoid() + second(image).sigmoid()) / 2
    torch.testing.assert_close(DualFusionNet(first, second, fusion="late")(image).sigmoid(), alone)


@pytest.mark.parametrize(
    "make, what",
    [
        (lambda: small("middle"), "unknown fusion 'middle'; use late, early, attention"),
        (lambda: DualFusionNet(dynunet(filters=(8, 8, 8), num_classes=2), segresnet(init_filters=8)), "num_classes: 2"),
        (lambda: DualFusionNet(dynunet(filters=(8, 8, 8), spatial_dims=2), segresnet(init_filters=8)), "spatial_dims"),
    ],
)
def test_networks_that_do_not_fit_are_explained(make, what):
    with pytest.raises(UserError, match=what):
        make()
