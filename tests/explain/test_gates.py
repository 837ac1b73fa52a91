"""Claims about reading a model's gates and about switching them off."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.attention import SqueezeExcitation
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import capture_attention
from medattn_lite.explain.attention.gates import channel_gates, ranked_channels, spatial_gates, switched_off
from medattn_lite.networks.resnet_cbam import ResNetCBAM
from medattn_lite.networks.se_resnext import SEResNeXt
from medattn_lite.training import predict_probabilities


def small_model(kind: str, spatial_dims: int = 2) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"spatial_dims": spatial_dims, "in_channels": 2, "num_classes": 3, "layers": (1, 1, 1, 1)}
    if kind == "se":
        return SEResNeXt(**sizes, groups=4, base_width=16, stem_width=16, reduction=4)
    return ResNetCBAM(**sizes, width=8)


def some_images(count: int = 3, spatial_dims: int = 2) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 2, *[24] * spatial_dims)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("kind", ["se", "cbam"])
def test_channel_gates_are_the_captured_maps_of_an_eval_pass(kind, spatial_dims):
    model, images = small_model(kind, spatial_dims), some_images(spatial_dims=spatial_dims)
    gates = channel_gates(model, images)
    model.eval()
    with torch.no_grad(), capture_attention(model) as maps:
        model(images)
    expected = {name: captured.values for name, captured in maps.items() if captured.kind == "channel"}
    assert list(gates) == list(expected) and len(gates) == 4
    for name, values in gates.items():
        assert values.shape == (3, expected[name].shape[1])
        assert torch.equal(values, expected[name].flatten(1))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_spatial_gates_have_one_map_an_image_at_the_layers_resolution(spatial_dims):
    gates = spatial_gates(small_model("cbam", spatial_dims), some_images(spatial_dims=spatial_dims))
    assert len(gates) == 4
    for values in gates.values():
        assert values.shape[0] == 3 and values.dim() == 1 + spatial_dims
        assert 0 < values.min() and values.max() < 1


def test_a_model_without_gates_of_a_kind_gives_an_empty_dictionary():
    assert spatial_gates(small_model("se"), some_images()) == {}
    plain = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    assert channel_gates(plain, some_images()) == {}


def test_gates_do_not_depend_on_how_the_images_are_batched():
    model, images = small_model("se"), some_images(37)
    together = channel_gates(model, images)
    for name, values in channel_gates(model, images[35:]).items():
        torch.testing.assert_close(together[name][35:], values, rtol=1e-5, atol=1e-6)


def test_switching_a_channel_off_equals_multiplying_it_by_zero():
    torch.manual_seed(0)
    block = SqueezeExcitation(8, reduction=2)
    x = torch.randn(2, 8, 5, 5)
    expected = block(x)
    expected[:, [2, 5]] = 0.0
    with switched_off(block, "gate", [5, 2]):
        assert torch.equal(block(x), expected)


def test_switching_off_moves_the_prediction_and_is_undone_afterwards():
    model, images = small_model("se").eval(), some_images()
    before = predict_probabilities(model, images)
    layer = list(channel_gates(model, images))[-1]
    with switched_off(model, layer, range(32)):
        during = predict_probabilities(model, images)
        assert torch.all(channel_gates(model, images)[layer][:, :32] == 0)
    assert (during - before).abs().max() > 1e-3
    assert torch.equal(predict_probabilities(model, images), before)


def test_switching_off_is_undone_also_when_the_block_fails():
    model, images = small_model("cbam"), some_images()
    before = predict_probabilities(model, images)
    layer = list(channel_gates(model, images))[0]
    with pytest.raises(RuntimeError, match="stop"), switched_off(model, layer, [0]):
        raise RuntimeError("stop")
    assert torch.equal(predict_probabilities(model, images), before)
    assert not any(module._forward_hooks for module in model.modules())


def test_switching_nothing_off_changes_nothing():
    model, images = small_model("cbam"), some_images()
    before = predict_probabilities(model, images)
    with switched_off(model, list(channel_gates(model, images))[0], []):
        assert torch.equal(predict_probabilities(model, images), before)


def test_nested_blocks_switch_off_both_sets():
    model, images = small_model("se"), some_images()
    layer = list(channel_gates(model, images))[0]
    with switched_off(model, layer, [1]), switched_off(model, layer, [4]):
        gates = channel_gates(model, images)[layer]
    assert torch.all(gates[:, [1, 4]] == 0) and torch.all(gates[:, [0, 2, 3]] > 0)


def test_a_layer_that_is_no_channel_gate_is_refused_with_the_names_of_those_that_are():
    model = small_model("cbam")
    spatial = list(spatial_gates(model, some_images()))[0]
    for layer in (spatial, "layer9.gate"):
        with pytest.raises(UserError, match=r"not a channel gate.*layer1\.0\.cbam"), switched_off(model, layer, [0]):
            raise AssertionError("the block must not start")


@pytest.mark.parametrize("channels", [[64], [-1]])
def test_a_channel_that_does_not_exist_is_refused(channels):
    model, images = small_model("se"), some_images()
    layer = list(channel_gates(model, images))[0]
    with pytest.raises(UserError, match="channels 0 to 63"), switched_off(model, layer, channels):
        predict_probabilities(model, images)


@pytest.mark.parametrize("training", [True, False])
def test_reading_gates_leaves_the_model_in_its_mode_and_without_hooks(training):
    model = small_model("cbam").train(training)
    statistics = {name: values.clone() for name, values in model.state_dict().items()}
    channel_gates(model, some_images())
    predict_probabilities(model, some_images())
    assert model.training is training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(values, statistics[name]) for name, values in model.state_dict().items())


def test_probabilities_sum_to_one():
    probabilities = predict_probabilities(small_model("se"), some_images())
    assert probabilities.shape == (3, 3)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(3))


def test_channels_are_ranked_from_open_to_closed():
    assert ranked_channels(torch.tensor([0.2, 0.9, 0.2, 0.5])) == [1, 3, 0, 2]
    assert ranked_channels(torch.tensor([[0.0, 1.0], [0.0, 0.1]])) == [1, 0]
