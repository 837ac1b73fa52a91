"""One call for every method: what it takes, what it says, and where the network's own attention comes from."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import capture_attention
from medattn_lite.explain.grids.layer_boxes import layer_box
from medattn_lite.explain.grids.upsampling import to_image_grid
from medattn_lite.explain.methods.registry import METHODS, explain_image
from medattn_lite.networks.registry import build
from tests.explain.nets import Pooled, Small

SMALL = {"layers": (1, 1, 1, 1), "width": 16}


def test_the_methods_by_name() -> None:
    assert list(METHODS) == ["Grad-CAM", "Grad-CAM++", "LayerCAM", "HiResCAM", "fused LayerCAM", "integrated gradients",
                             "occlusion", "attention"]  # fmt: skip
    assert [method.name for method in METHODS.values()] == list(METHODS)


@pytest.mark.parametrize("method", ["Grad-CAM", "Grad-CAM++", "integrated gradients", "occlusion"])
@pytest.mark.parametrize("dims", [2, 3])
def test_every_method_finds_the_cube_that_decides(method: str, dims: int) -> None:
    size, cube = (21, 17, 13)[:dims], (slice(12, 16), slice(4, 8), slice(6, 10))[:dims]
    image = torch.zeros(1, 1, *size)
    image[(0, 0, *cube)] = 5
    explained = explain_image(Pooled(dims), image, method=method, **({"window": 2} if method == "occlusion" else {}))
    assert (
        explained.target == "class 1"
        and explained.values.shape == (1, *size)
        and explained.values.dtype == torch.float32
    )
    peak = torch.unravel_index(explained.values[0].argmax(), size)
    assert all(part.start <= int(index) < part.stop for part, index in zip(cube, peak, strict=True))
    inside = explained.values[(0, *cube)].sum() / explained.values.clamp(min=0).sum()
    assert inside > (0.99 if method in ("integrated gradients", "occlusion") else 0.5)
    assert explained.signed and explained.note == ""


@pytest.mark.parametrize(("name", "options", "shape", "wanted"), [
    ("p3d_iam", SMALL, (4, 18, 24, 21), "layer1.0.iam.spatial"),
    ("survival_resnet50_cbam", SMALL, (4, 32, 32, 32), "backbone.layer2.0.cbam.spatial"),
    ("resnesat50", {**SMALL, "stem_width": 8}, (3, 64, 64), "layer3.0.sa"),
])  # fmt: skip
def test_attention_is_the_network_s_last_spatial_map_with_four_places_an_axis(
    name: str, options: dict, shape: tuple, wanted: str
) -> None:
    torch.manual_seed(0)
    network, x = build(name, **options).eval(), torch.randn(2, *shape)
    explained = explain_image(network, x, method="attention")
    assert (
        explained.layer == wanted and not explained.signed and explained.target == "" and explained.scores.isnan().all()
    )
    with torch.no_grad(), capture_attention(network) as maps:
        network(x)
    gate = maps[wanted].values[:, 0]
    box = layer_box(network, x, gate.shape[1:])
    assert torch.allclose(explained.values, to_image_grid(gate, shape[1:], box=box), atol=1e-6)
    other = explain_image(network, x, method="attention", layer=wanted.replace("layer3", "layer1"))
    assert other.layer == wanted.replace("layer3", "layer1")


def test_flat_attention_is_said_to_be_flat() -> None:
    network = build("resnesat50", **SMALL, stem_width=8)
    for module in network.modules():
        if hasattr(module, "pool_order"):
            torch.nn.init.zeros_(module.convolution.weight)
    explained = explain_image(network, torch.randn(1, 3, 64, 64), method="attention")
    assert explained.note == "the map is nearly flat, 0.500 to 0.500"


@pytest.mark.parametrize("name", ["rsanet_010", "ncl_010"])
def test_attention_of_slices_and_voxels_is_what_each_voxel_receives(name: str) -> None:
    pytest.importorskip("medattn_lite.explain.attention.affinities")
    torch.manual_seed(1)
    network = build(name, widths=(8, 16))
    with torch.no_grad():  # both blocks start as the identity
        for parameter_name, parameter in network.attention.named_parameters():
            if parameter.numel() <= 3 or "norm" in parameter_name:
                parameter.fill_(0.5)
    explained = explain_image(network, torch.randn(1, 3, 6, 8, 10), method="attention")
    assert explained.layer == "attention.center" and explained.values.shape == (1, 6, 8, 10)
    assert (explained.values >= 0).all() and explained.values.sum() > 0


@pytest.mark.parametrize(("options", "says"), [
    ({"method": "saliency"}, "unknown method 'saliency'"),
    ({"method": "Grad-CAM", "window": 3}, "no option 'window'"),
    ({"method": "occlusion", "layer": "conv1"}, "takes no layer"),
    ({"method": "attention"}, "no attention over places"),
])
def test_what_a_method_does_not_know_is_a_mistake_of_one_line(options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        explain_image(Small(2), torch.randn(1, 2, 8, 8), **options)


def test_images_need_a_batch_and_channels() -> None:
    with pytest.raises(UserError, match="B, C, D, H, W"):
        explain_image(Small(2), torch.randn(8, 8))
    with pytest.raises(UserError, match="only over channel"):
        explain_image(build("survival_se_resnext50", layers=(1, 1, 1, 1), stem_width=8, base_width=32, groups=8),
                      torch.randn(1, 4, 32, 32, 32), method="attention")
    with pytest.raises(UserError, match="is not a spatial attention"):
        explain_image(build("p3d_iam", **SMALL), torch.randn(1, 4, 16, 16, 16), method="attention", layer="layer9")
