"""A layer's map is laid where the layer looks: found by touching the image and watching the layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from medattn_lite.explain.grids.layer_boxes import layer_box
from medattn_lite.explain.grids.upsampling import to_image_grid
from medattn_lite.networks.dual_fusion_backbones import dynunet
from medattn_lite.networks.registry import build

SMALL = {"layers": (1, 1, 1, 1), "width": 8}
LAYERS = [  # network, its options, image, layer, its stride, and by how much a map laid edge on edge is too far up
    ("p3d", SMALL, (4, 96, 40, 40), "layer2", 8, 3.5),
    ("survival_resnet50_cbam", SMALL, (4, 96, 40, 40), "backbone.layer2", 8, 3.5),
    ("survival_se_resnext50", {"layers": (1, 1, 1, 1), "stem_width": 8, "base_width": 32, "groups": 8},
     (4, 96, 40, 40), "backbone.layer2", 8, 1.5),
    ("survival_densenet121", {"init_features": 8, "growth_rate": 4, "block_config": (2, 2, 2, 2)}, (4, 64, 32, 32),
     "backbone.features.denseblock2", 8, 1.5),
    ("unet3d", {"widths": (8, 16, 32, 64)}, (3, 64, 16, 16), "center", 8, 3.5),
    ("dynunet", {"filters": (4, 8, 16)}, (4, 61, 20, 20), "network.bottleneck", 4, None),
    ("segresnet", {"init_filters": 8}, (4, 45, 16, 16), "network.down_layers.2", 4, None),
    ("resnesat50", {**SMALL, "stem_width": 8}, (3, 128, 128), "layer2", 8, None),
]  # fmt: skip


def touched(network: nn.Module, image: Tensor, layer: str, places: list[int]) -> Tensor:
    """How much each voxel of a layer changes if the middle of slice k is touched, for each k; (k, d, h, w)."""
    kept: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        network(image)
        for place in places:
            changed = image.clone()
            changed[(0, slice(None), place, *(side // 2 for side in image.shape[3:]))] += 3
            network(changed)
    handle.remove()
    change = torch.stack([(features - kept[0]).square().sum(dim=1)[0] for features in kept[1:]])
    flat = change.flatten(1)
    background = flat.median(dim=1).values  # gates change every place a little
    return (change - background.reshape(-1, *[1] * (change.dim() - 1))).clamp(min=0)


@pytest.mark.parametrize(("name", "options", "shape", "layer", "stride", "edges"), LAYERS,
                         ids=[f"{entry[0]} {entry[3]}" for entry in LAYERS])
def test_a_touched_slice_lights_up_in_the_layer_s_map_where_it_was_touched(
    name: str, options: dict, shape: tuple, layer: str, stride: int, edges: float | None
) -> None:
    torch.manual_seed(0)
    network, image = build(name, **options).eval(), torch.randn(1, *shape)
    middle = shape[1] // 2 // stride * stride
    places = [middle + step for step in range(-stride, stride)]  # two whole steps of the layer
    change = touched(network, image, layer, places).flatten(2).sum(dim=2)  # (k, d)
    box = layer_box(network, image, _grid(network, image, layer))
    missed = {}
    for how, extent in (("box", box[0]), ("edges", (0.0, float(shape[1])))):
        n = change.shape[1]
        centres = extent[0] + (torch.arange(n) + 0.5) * (extent[1] - extent[0]) / n - 0.5
        centre = (change * centres).sum(dim=1) / change.sum(dim=1)
        missed[how] = float((centre - torch.tensor(places)).mean())
    branches = 0.25 if name == "resnesat50" else 0.12  # its two branches look at places half a step apart
    assert abs(missed["box"]) < branches * stride, missed
    if edges is not None:
        assert missed["edges"] == pytest.approx(edges, abs=0.12 * stride), missed


def _grid(network: nn.Module, image: Tensor, layer: str) -> tuple[int, ...]:
    sizes: list[tuple[int, ...]] = []
    handle = network.get_submodule(layer).register_forward_hook(lambda m, i, output: sizes.append(output.shape[2:]))
    with torch.no_grad():
        network(image)
    handle.remove()
    return tuple(sizes[0])


@pytest.mark.parametrize(("module", "box"), [
    (nn.AvgPool2d(2), (0, 16)),
    (nn.AvgPool2d(4), (0, 16)),
    (nn.Conv2d(1, 1, 3, stride=2, padding=1), (-0.5, 15.5)),
    (nn.Conv2d(1, 1, 7, stride=2, padding=3), (-0.5, 15.5)),
    (nn.Conv2d(1, 1, 3), (1, 15)),  # the outermost voxels are no middle of anything
    (nn.MaxPool2d(3, stride=2, ceil_mode=True), (0.5, 16.5)),
    (nn.Conv2d(1, 1, 3, stride=4, padding=2, dilation=2), (-1.5, 14.5)),
    (nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.Conv2d(1, 1, 3, 2, 1)), (-1.5, 14.5)),
    (nn.Sequential(nn.AvgPool2d(4), nn.ConvTranspose2d(1, 1, 2, stride=2)), (0, 16)),
    (nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.Upsample(scale_factor=2)), (0, 16)),
    (nn.AdaptiveAvgPool2d(3), (0, 16)),
    (nn.Identity(), (0, 16)),
])  # fmt: skip
def test_boxes_of_single_layers(module: nn.Module, box: tuple) -> None:
    image = torch.randn(1, 1, 16, 16)
    assert layer_box(module, image, module(image).shape[2:]) == (box, box)


def test_a_padded_network_s_layers_reach_beyond_the_image() -> None:
    network, image = dynunet(in_channels=1, filters=(4, 8, 16)), torch.randn(1, 1, 9, 10, 13)
    assert layer_box(network, image, (12, 12, 16)) == ((0, 12), (0, 12), (0, 16))
    assert layer_box(network, image, (3, 3, 4)) == ((-1.5, 10.5), (-1.5, 10.5), (-1.5, 14.5))


def test_a_layer_s_ramp_comes_out_as_the_image_s() -> None:
    """Each voxel of a strided layer tells the slice that it looks at; brought back, every slice tells its own."""
    layer = nn.Conv3d(1, 1, 3, stride=2, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.zero_()[0, 0, 1, 1, 1] = 1
    image = torch.arange(17.0).reshape(1, 1, 17, 1, 1).expand(1, 1, 17, 8, 8)
    output = layer(image)[:, 0].detach()
    fine = to_image_grid(output, image.shape[2:], box=layer_box(layer, image, output.shape[1:]))
    assert torch.allclose(fine, image[:, 0])
    assert not torch.allclose(to_image_grid(output, image.shape[2:]), image[:, 0])
