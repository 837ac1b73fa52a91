"""Claims about reading the shares of split attention and about evening them out."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.attention.split_attention import move_towards_uniform, read_splits, split_shares
from medattn_lite.networks.resnest import ResNeSt
from medattn_lite.networks.resnet_cbam import ResNetCBAM
from medattn_lite.training import predict_probabilities

LAYER = "layer2.0.conv2.rsoftmax"


def small_model(radix: int = 2, *, spatial: bool = True, spatial_dims: int = 2) -> torch.nn.Module:
    torch.manual_seed(0)
    return ResNeSt(spatial_dims=spatial_dims, in_channels=2, num_classes=3, layers=(1, 1, 1, 1), width=8, stem_width=8,
                   radix=radix, spatial_attention=spatial)  # fmt: skip


def some_images(count: int = 3, spatial_dims: int = 2) -> torch.Tensor:
    side = 32 if spatial_dims == 2 else 48  # the last pooling in 3-D wants three voxels
    return torch.randn(count, 2, *[side] * spatial_dims, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("radix", [2, 4])
def test_shares_of_every_image_sum_to_one_over_the_splits(radix, spatial_dims):
    shares = split_shares(small_model(radix, spatial_dims=spatial_dims), some_images(spatial_dims=spatial_dims))
    assert len(shares) == 4 and LAYER in shares
    for values in shares.values():
        assert values.shape[:2] == (3, radix)
        assert torch.allclose(values.sum(1), torch.ones_like(values[:, 0]))


def test_shares_do_not_depend_on_how_the_images_are_batched():
    model, images = small_model(), some_images(37)
    whole, alone = split_shares(model, images), split_shares(model, images[34:35])
    assert torch.allclose(whole[LAYER][34], alone[LAYER][0], atol=1e-6)


def test_a_model_without_split_attention_gives_no_shares_and_cannot_be_read():
    plain = ResNetCBAM(spatial_dims=2, in_channels=2, num_classes=2, layers=(1, 1, 1, 1), width=8)
    assert split_shares(plain, some_images()) == {}
    with pytest.raises(UserError, match="has no split attention"):
        read_splits(plain, some_images(1), LAYER)


def test_a_reading_is_what_the_next_layer_gets():
    model, image = small_model().eval(), some_images(1)
    seen = {}
    block = model.get_submodule("layer2.0.conv2")
    handle = block.register_forward_hook(lambda module, inputs, output: seen.update(out=output.detach()))
    with torch.no_grad():
        model(image)
    handle.remove()
    reading = read_splits(model, image, LAYER)
    assert torch.allclose(reading.mixture, seen["out"][0], atol=1e-6)
    assert torch.allclose(reading.probabilities, predict_probabilities(model, image)[0], atol=1e-6)
    assert reading.splits.shape == (2, *reading.mixture.shape) and reading.splits.min() >= 0
    assert reading.spatial.shape == image.shape[2:] and 0 < reading.spatial.min() and reading.spatial.max() < 1


def test_even_shares_give_the_plain_mean_of_the_splits():
    reading = read_splits(small_model(), some_images(1), LAYER, towards_uniform=1.0)
    assert torch.allclose(reading.mixture, reading.splits.mean(0), atol=1e-6)
    assert all(torch.allclose(values, torch.full_like(values, 0.5)) for values in reading.shares.values())


def test_evening_out_moves_a_prediction_and_leaves_the_model_as_it_was():
    model, image = small_model().train(), some_images(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plain, even = (read_splits(model, image, LAYER, towards_uniform=amount).probabilities for amount in (0.0, 1.0))
    assert (plain - even).abs().max() > 1e-4
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_half_way_to_even_is_half_way():
    shares = torch.tensor([[[0.8, 0.1], [0.2, 0.9]]])
    assert torch.allclose(move_towards_uniform(shares, 0.5), torch.tensor([[[0.65, 0.3], [0.35, 0.7]]]))
    assert torch.equal(move_towards_uniform(shares, 0.0), shares)


def test_without_spatial_attention_a_reading_has_no_map():
    assert read_splits(small_model(spatial=False), some_images(1), LAYER).spatial is None


@pytest.mark.parametrize("image", [some_images(2), some_images(1, spatial_dims=3)])
def test_only_one_slice_is_read_at_a_time(image):
    with pytest.raises(UserError, match="one slice"):
        read_splits(small_model(), image, LAYER)


def test_a_layer_that_gives_no_shares_is_named_with_those_that_do():
    with pytest.raises(UserError, match="layer1.0.conv2.rsoftmax"):
        read_splits(small_model(), some_images(1), "layer1.0.conv2")
