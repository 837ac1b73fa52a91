"""DynUNet and SegResNet: MONAI's own output at any size, and the last feature map."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from medattn_lite.errors import UserError
from medattn_lite.networks.dual_fusion_backbones import crop_to, dynunet, pad_to_multiple, segresnet

SMALL_FILTERS = (8, 12, 16)  # three levels: sides are padded to multiples of 4


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(1, 4, 9, 12, 11, generator=torch.Generator().manual_seed(0))


def small(name: str, **options):
    torch.manual_seed(1)
    if name == "dynunet":
        return dynunet(filters=SMALL_FILTERS, **options).eval()
    return segresnet(init_filters=8, **options).eval()


@pytest.mark.parametrize("name, padding", [("dynunet", (0, 1, 0, 0, 0, 3)), ("segresnet", (0, 5, 0, 4, 0, 7))])
def test_odd_sizes_give_monais_output_on_the_padded_image_cropped_back(name, padding, image):
    backbone = small(name)
    backbone.network.use_conv_final = True  # MONAI's own forward; DynUNet has no such switch and ignores it
    expected = backbone.network(F.pad(image, padding))[..., :9, :12, :11]
    backbone.network.use_conv_final = False
    assert backbone(image).shape == (1, 3, 9, 12, 11)
    torch.testing.assert_close(backbone(image), expected)


def test_weights_of_monais_segresnet_load_and_give_its_output():
    from monai.networks.nets import SegResNet

    official = SegResNet(in_channels=4, out_channels=3, init_filters=8).eval()
    backbone = small("segresnet")
    backbone.network.load_state_dict(official.state_dict())
    image = torch.randn(2, 4, 16, 8, 16)
    torch.testing.assert_close(backbone(image), official(image))


@pytest.mark.parametrize("name, channels, classifier", [("dynunet", 8, "output_block"),
                                                        ("segresnet", 8, "conv_final.2")])
def test_the_last_feature_map_is_what_the_classifier_sees(name, channels, classifier):
    backbone = small(name)
    image = torch.randn(1, 4, 8, 16, 8)
    features = backbone.features(image)
    assert features.shape == (1, channels, 8, 16, 8) and backbone.num_features == channels
    torch.testing.assert_close(backbone.network.get_submodule(classifier)(features), backbone(image))


def test_the_normalised_map_of_segresnet_is_what_its_last_convolution_reads_and_the_logits_stay():
    raw, normalised = small("segresnet", normalised=False), small("segresnet")
    image = torch.randn(1, 4, 8, 16, 8)
    norm, relu, convolution = normalised.network.conv_final
    torch.testing.assert_close(normalised.features(image), relu(norm(raw.features(image))))
    torch.testing.assert_close(convolution(normalised.features(image)), normalised(image))
    torch.testing.assert_close(normalised(image), raw(image))


def test_a_louder_residual_stream_changes_the_raw_map_and_not_the_normalised_one():
    image, spread = torch.randn(1, 4, 8, 16, 8), {}
    for normalised in (False, True):
        backbone = small("segresnet", normalised=normalised)
        before = backbone.features(image).detach()
        backbone.network.up_layers[-1].register_forward_hook(lambda module, inputs, output: 50 * output)
        spread[normalised] = (backbone.features(image).std() / before.std()).item()
    assert spread[False] == pytest.approx(50, rel=1e-3) and spread[True] == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("name", ["dynunet", "segresnet"])
def test_two_dimensions_work(name):
    assert small(name, spatial_dims=2, in_channels=1, num_classes=2)(torch.randn(1, 1, 13, 10)).shape == (1, 2, 13, 10)


def test_an_image_as_small_as_one_voxel_a_level_still_runs_while_training():
    assert small("dynunet").train()(torch.randn(1, 4, 4, 4, 4)).shape == (1, 3, 4, 4, 4)


@pytest.mark.parametrize(
    "size, expected",
    [
        ((8, 16, 8), (8, 16, 8)),
        ((9, 16, 8), (16, 16, 8)),
        ((1, 1, 1), (8, 8, 16)),  # nothing is longest: the last side takes the minimum
        ((3, 12, 5), (8, 16, 8)),
        ((8, 8, 5), (8, 8, 16)),
    ],
)
def test_padding_reaches_the_next_multiple_and_the_minimum(size, expected):
    x = torch.rand(2, 1, *size) + 1
    padded = pad_to_multiple(x, multiple=8, minimum=16)
    assert padded.shape == (2, 1, *expected)
    assert torch.equal(crop_to(padded, size), x)
    assert (padded != 0).sum() == x.numel()  # what was added is zero
    assert padded[..., 0, 0, 0].equal(x[..., 0, 0, 0])  # at the far ends


def test_nothing_is_copied_where_the_size_fits():
    x = torch.rand(1, 1, 8, 16, 8)
    assert pad_to_multiple(x, multiple=8, minimum=16) is x


@pytest.mark.parametrize(
    "make, what",
    [
        (lambda: dynunet(filters=(8, 16)), "three levels"),
        (lambda: dynunet(filters=(8, 8, 8), norm="layer"), "norm is 'layer'; give 'instance' or 'batch'"),
        (lambda: segresnet(init_filters=12), "multiple of 8"),
        (lambda: segresnet(init_filters=0), "multiple of 8"),
        (lambda: small("segresnet")(torch.zeros(1, 4, 8, 8)), "3-D and got images of shape"),
    ],
)
def test_impossible_sizes_are_explained(make, what):
    with pytest.raises(UserError, match=what):
        make()


def test_batch_norm_is_taken_over_all_images_of_the_batch_and_instance_norm_over_each() -> None:
    images = torch.randn(2, 1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    other = torch.cat([images[:1], 3 * images[1:]])
    changed = {}
    for norm in ("instance", "batch"):
        torch.manual_seed(0)
        network = dynunet(in_channels=1, num_classes=2, filters=(8, 8, 8), norm=norm).train()
        with torch.no_grad():
            changed[norm] = not torch.allclose(network(images)[0], network(other)[0], atol=1e-5)
    assert changed == {"instance": False, "batch": True}


def test_flat_levels_leave_the_third_axis_alone_and_as_many_as_levels_see_one_slice() -> None:
    flat = dynunet(in_channels=1, num_classes=2, filters=(8, 16, 32), flat_levels=3).eval()
    image = torch.randn(1, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    other = image.clone()
    other[:, :, 2] += 1
    # instance norm sees the whole volume, so that the slices meet there and nowhere else
    for module in flat.modules():
        if isinstance(module, nn.InstanceNorm3d):
            module.forward = lambda x: x  # type: ignore[method-assign]
    with torch.no_grad():
        first, second = flat(image), flat(other)
    assert torch.equal(first[:, :, :2], second[:, :, :2]) and not torch.equal(first[:, :, 2], second[:, :, 2])
    assert first.shape == (1, 2, 3, 16, 16)
    deep = dynunet(in_channels=1, num_classes=2, filters=(8, 16, 32), flat_levels=1)
    assert deep.padded_size((3, 16, 18)) == (4, 16, 20)
    with pytest.raises(UserError, match="flat_levels is 4"):
        dynunet(filters=(8, 16, 32), flat_levels=4)
    with pytest.raises(UserError, match="flat_levels is 1"):
        dynunet(spatial_dims=2, filters=(8, 16, 32), flat_levels=1)
