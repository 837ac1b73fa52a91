"""Weights by place, several stages in one map, and the border: each against a computation of the test's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.phantom_cases import PhantomCase
from medattn_lite.explain.faithfulness.stage_scores import score_stages
from medattn_lite.explain.grids.layer_boxes import layer_box
from medattn_lite.explain.grids.upsampling import to_image_grid
from medattn_lite.explain.methods.cam import class_activation_maps, grad_cam, hires_cam, layer_cam, positive_gradient
from medattn_lite.explain.methods.fused_cam import fuse, layers_to_fuse
from medattn_lite.explain.methods.padding import head_mask, outside_head, padded_with
from medattn_lite.explain.methods.registry import explain_image
from medattn_lite.explain.model.targets import ClassLogit
from medattn_lite.networks.registry import build
from tests.explain.nets import Small, Voxelwise

SIZE = {2: (9, 7), 3: (5, 9, 7)}


class Deep(nn.Module):
    """Two stages and a head that reads places differently, so that gradients differ from place to place."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[dims]
        self.stage1, self.stage2 = conv(1, 5, 3, 1, 1), conv(5, 6, 3, 2, 1)
        self.head = nn.LazyLinear(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stage2(self.stage1(x).relu()).relu().flatten(1))


def activations(model: nn.Module, layer: str, x: Tensor, index: int) -> tuple[np.ndarray, np.ndarray]:
    """A and ∂y/∂A as numpy arrays, by a hook and autograd alone."""
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda m, i, output: kept.append(output))
    logits = model(x)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[:, index].sum(), kept[0])
    return kept[0].detach().numpy(), gradient.numpy()


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("layer", ["stage1", "stage2"])
def test_layer_cam_and_hires_cam_are_pytorch_grad_cam_s_formulas(dims: int, layer: str) -> None:
    """LayerCAM: `spatial_weighted_activations = np.maximum(grads, 0) * activations`, summed over channels; HiResCAM:
    `elementwise_activations = grads * activations`, summed; both before that library's ReLU and scaling."""
    torch.manual_seed(0)
    model, x = Deep(dims), torch.randn(2, 1, *SIZE[dims])
    model(x)
    values, gradient = activations(model, layer, x, 1)
    options = {"target": ClassLogit(1), "layer": layer}
    wanted = (np.maximum(gradient, 0) * values).sum(1)
    np.testing.assert_allclose(layer_cam(model, x, **options).values, wanted, atol=1e-6)
    np.testing.assert_allclose(hires_cam(model, x, **options).values, (gradient * values).sum(1), atol=1e-6)
    weights = gradient.mean(axis=tuple(range(2, 2 + dims)), keepdims=True)
    np.testing.assert_allclose(grad_cam(model, x, **options).values, (weights * values).sum(1), atol=1e-6)
    assert not np.allclose(hires_cam(model, x, **options).values, grad_cam(model, x, **options).values, atol=1e-4)
    for method, function in (("LayerCAM", layer_cam), ("HiResCAM", hires_cam)):
        explained = explain_image(model, x, method=method, **options)
        layer_values = function(model, x, **options).values
        box = layer_box(model, x, layer_values.shape[1:])
        assert torch.allclose(explained.values, to_image_grid(layer_values, x.shape[2:], box=box)) and explained.signed
        cut = explain_image(model, x, method=method, relu=True, **options)
        assert (
            torch.equal(cut.values, to_image_grid(layer_values.clamp(min=0), x.shape[2:], box=box)) and not cut.signed
        )


def test_behind_a_mean_over_space_hires_cam_is_grad_cam() -> None:
    torch.manual_seed(1)
    network, x = Small(3), torch.randn(1, 2, 6, 8, 7)
    same = {"target": ClassLogit(0), "layer": "relu2"}
    torch.testing.assert_close(hires_cam(network, x, **same).values, grad_cam(network, x, **same).values)


def test_weights_by_place_see_the_region_that_is_asked_about() -> None:
    """Grad-CAM spreads one weight over all places; LayerCAM stays on the voxels whose logits are summed."""
    from medattn_lite.explain.model.targets import RegionSum

    x = torch.rand(1, 1, 4, 5, 6) + 0.1
    mask = torch.zeros(4, 5, 6)
    mask[1:3, 2:4, 1:5] = 1
    model = Voxelwise([1.0, 2.0], [[1.0, 3.0]])
    options = {"target": RegionSum(0, mask=mask), "layer": "layer"}
    torch.testing.assert_close(layer_cam(model, x, **options).values, x[:, 0] * 7.0 * mask)
    assert (grad_cam(model, x, **options).values > 0).all()


def test_several_layers_of_one_pass_are_each_layer_s_own_map() -> None:
    torch.manual_seed(2)
    model, x = Deep(2), torch.randn(2, 1, 9, 7)
    passes: list[int] = []
    handle = model.register_forward_pre_hook(lambda module, inputs: passes.append(1))
    (maps,) = class_activation_maps(model, x, [positive_gradient], layers=["stage1", "stage2"], target=ClassLogit(0))
    handle.remove()
    assert len(passes) == 1
    for layer_map in maps:
        alone = layer_cam(model, x, target=ClassLogit(0), layer=layer_map.layer)
        assert torch.allclose(layer_map.values, alone.values, atol=1e-7)


def test_fused_layer_cam_by_hand() -> None:
    torch.manual_seed(3)
    network = build("p3d", layers=(1, 1, 1, 1), width=8).eval()
    x = torch.randn(2, 4, 32, 32, 32)
    layers = layers_to_fuse(network, x)
    assert layers == ["layer1", "layer2"], "the later stages have fewer than four places along an axis"
    fine = []
    for layer in layers:
        single = explain_image(network, x, method="LayerCAM", target=ClassLogit(1), layer=layer).values.clamp(min=0)
        fine.append(single / single.flatten(1).amax(1).reshape(-1, 1, 1, 1))
    explained = explain_image(network, x, method="fused LayerCAM", target=ClassLogit(1))
    torch.testing.assert_close(explained.values, (fine[0] * fine[1]).sqrt())
    assert explained.layer == "layer1 + layer2" and not explained.signed and 0 < explained.values.max() <= 1
    maximum = explain_image(network, x, method="fused LayerCAM", target=ClassLogit(1), fusion="maximum")
    torch.testing.assert_close(maximum.values, torch.maximum(torch.tanh(2 * fine[0]), torch.tanh(2 * fine[1])))
    one = explain_image(network, x, method="fused LayerCAM", target=ClassLogit(1), layer="layer2")
    torch.testing.assert_close(one.values, fine[1])
    again = explain_image(network, x, method="fused LayerCAM", target=ClassLogit(1), layer=explained.layer)
    assert torch.equal(again.values, explained.values)
    with pytest.raises(UserError, match="unknown fusion 'sum'"):
        explain_image(network, x, method="fused LayerCAM", fusion="sum")


def test_fused_maps_that_agree_nowhere_are_zero_and_said_to_be_so() -> None:
    left, right = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    left[..., :2], right[..., 2:] = 3.0, 5.0
    assert (fuse([left, right]) == 0).all() and (fuse([left, right], fusion="maximum") > 0.9).all()
    assert (fuse([torch.full((1, 4, 4), -1.0), right]) == 0).all()
    network = Small(2)
    nn.init.zeros_(network.fc.weight)
    explained = explain_image(network, torch.randn(1, 2, 16, 16), method="fused LayerCAM", target=ClassLogit(0))
    assert "nothing speaks for class 0 in all of these layers" in explained.note


def test_layers_of_an_unknown_network_are_the_last_of_each_size() -> None:
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3, 1, 1), nn.Conv2d(2, 3, 3, 2, 1)
            self.d, self.fc = nn.Conv2d(3, 3, 3, 4, 1), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.d(self.c(self.b(self.a(x)))).mean((2, 3)))

    assert layers_to_fuse(Pyramid(), torch.randn(1, 1, 16, 16)) == ["b", "c"]
    with pytest.raises(UserError, match="no layer of Pyramid has 4 places"):
        layers_to_fuse(Pyramid(), torch.randn(1, 1, 6, 6))


def test_padding_is_changed_inside_the_block_alone() -> None:
    torch.manual_seed(4)
    network, x = Small(2).eval(), torch.rand(1, 2, 8, 8) + 1
    before = network(x)
    with padded_with(network, "replicate") as count:
        inside = network(x)
        wanted = nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), network.conv1.weight,
                                      network.conv1.bias)  # fmt: skip
        torch.testing.assert_close(network.conv1(x), wanted)
    assert count == 2 and not torch.allclose(inside, before) and torch.equal(network(x), before)
    with pytest.raises(RuntimeError), padded_with(network, "replicate"):
        raise RuntimeError
    assert {network.conv1.padding_mode, network.conv2.padding_mode} == {"zeros"}
    with pytest.raises(UserError, match="unknown padding"), padded_with(network, "mirror"):
        pass


def test_the_air_is_where_every_channel_is_darkest_and_can_be_left_out() -> None:
    x = torch.full((1, 2, 6, 6), -1.0)
    x[0, 0, 2:4, 2:4], x[0, 1, 4, 4] = 1.0, 0.5
    head = head_mask(x)
    assert head.sum() == 5 and head[0, 4, 4]
    values = torch.zeros(1, 6, 6)
    values[0, 2, 2], values[0, 0, 0], values[0, 5, 5] = 1.0, 3.0, -7.0
    assert float(outside_head(values, head)) == pytest.approx(0.75)
    network = Small(2)
    plain = explain_image(network, x, target=ClassLogit(1), layer="relu1")
    explained = explain_image(network, x, target=ClassLogit(1), layer="relu1", head_only=True)
    assert torch.equal(explained.values, plain.values * head)
    share = float(outside_head(plain.values, head).nan_to_num())
    assert f"{share:.0%} of what speaks for class 1 lay outside the head" in explained.note


def test_scores_by_stage_know_a_map_in_the_air_from_one_on_the_signal() -> None:
    """A network that looks at brightness alone: its early map is on the bright cube, and so is every score."""
    class Bright(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.early, self.late = nn.Conv3d(1, 1, 3, padding=1, bias=False), nn.AvgPool3d(4, 4)
            nn.init.constant_(self.early.weight, 1 / 27)

        def forward(self, x: Tensor) -> Tensor:
            y = self.late(self.early(x.relu())).mean((1, 2, 3, 4))
            return torch.stack([-y, y], dim=1)

    image = torch.full((1, 1, 20, 20, 20), -1.0)
    head = torch.zeros(20, 20, 20, dtype=torch.bool)
    head[2:18, 2:18, 2:18] = True
    image[0, 0][head] = -0.5
    signal = torch.zeros_like(head)
    signal[8:12, 8:12, 8:12] = True
    image[0, 0][signal] = 4.0
    case = PhantomCase("one", image, signal, head, ClassLogit(1))
    rows = {row["method"]: row for row in score_stages(Bright(), case)}
    stages = ("late", "late, replicate")
    assert set(rows) == {f"{method} at {stage}" for method in ("Grad-CAM", "LayerCAM", "HiResCAM") for stage in stages}
    good = rows["LayerCAM at late"]
    assert good["pointing game"] == 1 and good["AUC"] > 0.95 and good["mass ÷ chance"] > 5
    assert good["mass in the air"] == 0 and good["peak in the air"] == 0
    layer = torch.zeros_like(signal)
    layer[3] = True
    away = PhantomCase("two", image, layer & head, head, ClassLogit(1))
    assert {row["method"]: row for row in score_stages(Bright(), away)}["LayerCAM at late"]["pointing game"] == 0
    outside = PhantomCase("three", image, torch.ones_like(head) & ~signal & head, head & ~signal, ClassLogit(1))
    assert {row["method"]: row for row in score_stages(Bright(), outside)}["LayerCAM at late"]["peak in the air"] == 1
