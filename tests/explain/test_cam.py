"""Grad-CAM and Grad-CAM++: known in closed form, as captum and MONAI have them, and nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.explain.methods.cam import grad_cam, grad_cam_plus_plus
from medattn_lite.explain.methods.layers import default_layer, layer_sizes
from medattn_lite.explain.methods.registry import explain_image
from medattn_lite.explain.model.targets import ClassLogit, LogRisk, RegionSum
from medattn_lite.networks.dual_fusion_backbones import dynunet
from medattn_lite.networks.registry import build
from tests.explain.nets import Linear, Small, Voxelwise

SIZE = {2: (9, 7), 3: (5, 9, 7)}
A, V = [1.0, 2.0, -0.5], [[0.5, -1.0, 2.0], [3.0, 1.0, -4.0]]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("index", [0, 1])
def test_grad_cam_of_two_layers_is_the_one_on_paper(dims: int, index: int) -> None:
    x = torch.randn(2, 1, *SIZE[dims])
    cam = grad_cam(Linear(dims, A, V), x, target=ClassLogit(index), layer="layer")
    places = x[0].numel()  # ∂y/∂A_k = v_k / places everywhere
    assert torch.allclose(cam.values, x[:, 0] * np.dot(A, V[index]) / places, atol=1e-7)
    assert torch.allclose(cam.scores, x.flatten(1).mean(1) * np.dot(A, V[index]), atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_grad_cam_plus_plus_of_two_layers_is_the_one_on_paper(dims: int) -> None:
    x = torch.rand(2, 1, *SIZE[dims])
    a, v = [1.0, 2.0, 0.5], [3.0, 1.0, -4.0]
    cam = grad_cam_plus_plus(Linear(dims, a, [v]), x, target=ClassLogit(0), layer="layer")
    mean = x.flatten(1).mean(1)  # w_k = places · g / (2 + g Σ A_k), g = v_k / places, for v_k > 0
    weights = [torch.clamp(torch.tensor(vk), min=0) / (2 + max(vk, 0) * ak * mean) for ak, vk in zip(a, v, strict=True)]
    wanted = sum(w * ak for w, ak in zip(weights, a, strict=True)).reshape(-1, *[1] * dims) * x[:, 0]
    assert torch.allclose(cam.values, wanted, atol=1e-6)


def test_grad_cam_of_a_region_sums_over_the_region_alone() -> None:
    x = torch.randn(1, 1, 4, 5, 6)
    mask = torch.zeros(4, 5, 6)
    mask[1:3, 2:4, 1:5] = 1
    cam = grad_cam(Voxelwise(A, V), x, target=RegionSum(1, mask=mask), layer="layer")
    assert torch.allclose(cam.values, x[:, 0] * np.dot(A, V[1]) * mask.mean(), atol=1e-6)
    voxel = grad_cam(Voxelwise(A, V), x, target=RegionSum(1, voxel=(3, 4, 5)), layer="layer")
    assert torch.allclose(voxel.values, x[:, 0] * np.dot(A, V[1]) / 120, atol=1e-6)


@pytest.mark.parametrize("head", ["logistic", "official"])
def test_grad_cam_of_a_risk_goes_through_the_hazards(head: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 3, 4, 5)
    network = Linear(3, [1.0], torch.randn(19, 1).tolist())
    cam = grad_cam(network, x, target=LogRisk(head), layer="layer")
    step = 1e-2  # ∂y/∂A by differences: all of A moved at once moves y by places · ∂y/∂A
    with torch.no_grad():
        moved = [LogRisk(head)(network(x + sign * step)) for sign in (1, -1)]
    assert torch.allclose(cam.values, x[:, 0] * (moved[0] - moved[1]) / (2 * step) / 60, rtol=1e-3)
    cox = grad_cam(Linear(3, [1.0], [[2.0]]), x, target=LogRisk("cox"), layer="layer")
    assert torch.allclose(cox.values, x[:, 0] * 2 / 60)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("layer", ["conv1", "conv2", "relu2"])
def test_captum_finds_the_same(dims: int, layer: str) -> None:
    from captum.attr import LayerGradCam

    torch.manual_seed(1)
    network, x = Small(dims).eval(), torch.randn(2, 2, *SIZE[dims])
    wanted = LayerGradCam(network, network.get_submodule(layer)).attribute(x, target=2)
    cam = grad_cam(network, x, target=ClassLogit(2), layer=layer)
    assert torch.allclose(cam.values, wanted[:, 0].detach(), atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("name", "ours"), [("GradCAM", grad_cam), ("GradCAMpp", grad_cam_plus_plus)])
def test_monai_finds_the_same_up_to_relu_and_scale(dims: int, name: str, ours) -> None:
    import monai.visualize

    torch.manual_seed(2)
    network, x = Small(dims, inplace=False).eval().double(), torch.randn(1, 2, *SIZE[dims])
    with torch.no_grad():
        network.fc.weight *= 100  # MONAI adds 1e-7 to g², which drowns the gradients of a mean over many places
    network.fc.bias.data.zero_()
    x = x.double()
    wanted = getattr(monai.visualize, name)(network, "relu2").compute_map(x, class_idx=1).detach()[:, 0]
    cam = ours(network, x, target=ClassLogit(1), layer="relu2").values.clamp(min=0)
    scale = network(x)[0, 1].detach().exp() if name == "GradCAMpp" else 1.0  # MONAI keeps the factor exp(y)
    assert wanted.max() > 0
    assert torch.allclose(cam * scale, wanted, rtol=1e-3)
    brought = explain_image(network, x, method="Grad-CAM" if ours is grad_cam else "Grad-CAM++", layer="relu2",
                            target=ClassLogit(1), relu=True)  # fmt: skip
    assert brought.values.shape == (1, *x.shape[2:]) and not brought.signed


@pytest.mark.parametrize("method", ["Grad-CAM", "Grad-CAM++", "integrated gradients", "occlusion"])
def test_the_network_is_left_as_it_was(method: str) -> None:
    network = Small(3)
    network.train()
    network.dropout.eval()  # a mixed mode, as in dual fusion
    network.conv1.weight.grad = torch.full_like(network.conv1.weight, 7.0)
    network.conv2.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    x = torch.randn(1, 2, 5, 9, 7)
    kept = x.clone()
    with torch.no_grad():
        first = explain_image(network, x, method=method, target=ClassLogit(0))
    assert torch.equal(first.values, explain_image(network, x, method=method, target=ClassLogit(0)).values)
    assert torch.equal(x, kept) and not x.requires_grad and x.grad is None
    assert network.training and network.conv1.training and not network.dropout.training
    assert all(not m._forward_hooks and not m._forward_pre_hooks and not m._backward_hooks for m in network.modules())
    assert (network.conv1.weight.grad == 7).all() and network.fc.weight.grad is None
    assert [p.requires_grad for p in network.conv2.parameters()] == [False, False]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_hooks_go_when_a_target_does_not_fit() -> None:
    network, x = Small(2), torch.randn(1, 2, 8, 8)
    for target in (ClassLogit(3), RegionSum(0), LogRisk("cox")):
        with pytest.raises(UserError):
            grad_cam(network, x, target=target, layer="conv1")
    assert all(not module._forward_hooks for module in network.modules()) and network.training


def test_a_layer_before_an_in_place_relu_keeps_its_negative_values_and_frozen_weights_do_not_matter() -> None:
    torch.manual_seed(3)
    x = torch.randn(1, 2, 8, 8)
    in_place, plain = Small(2), Small(2, inplace=False)
    plain.load_state_dict(in_place.state_dict())
    wanted = grad_cam(plain, x, target=ClassLogit(0), layer="conv1").values
    assert torch.allclose(grad_cam(in_place, x, target=ClassLogit(0), layer="conv1").values, wanted)
    in_place.requires_grad_(False)
    assert torch.allclose(grad_cam(in_place, x, target=ClassLogit(0), layer="conv1").values, wanted)
    assert not torch.allclose(grad_cam(plain, x, target=ClassLogit(0), layer="relu1").values, wanted)


@pytest.mark.parametrize("method", ["Grad-CAM", "Grad-CAM++"])
def test_each_image_of_a_batch_is_explained_as_if_alone(method: str) -> None:
    torch.manual_seed(4)
    network, x = Small(3), torch.randn(3, 2, 5, 6, 7)
    together = explain_image(network, x, method=method, target=ClassLogit(1), layer="conv2")
    for number in range(3):
        alone = explain_image(network, x[number : number + 1], method=method, target=ClassLogit(1), layer="conv2")
        assert torch.allclose(together.values[number], alone.values[0], atol=1e-6)


def test_a_map_that_is_negative_everywhere_is_said_to_be_so() -> None:
    x = torch.rand(1, 1, 4, 5, 6) + 0.1
    explained = explain_image(
        Linear(3, [1.0], [[-1.0], [1.0]]), x, target=ClassLogit(0, name="low grade"), layer="layer"
    )
    assert explained.signed and (explained.values < 0).all()
    assert explained.note == "all values are negative: nothing speaks for low grade"
    cut = explain_image(Linear(3, [1.0], [[-1.0]]), x, target=ClassLogit(0), layer="layer", relu=True)
    assert not cut.signed and (cut.values == 0).all() and "all values are negative" in cut.note
    positive = explain_image(Linear(3, [1.0], [[1.0]]), x, layer="layer")
    assert positive.note == "" and (positive.values > 0).all()


@pytest.mark.parametrize("method", ["Grad-CAM", "Grad-CAM++", "integrated gradients", "occlusion"])
def test_a_map_of_nothing_is_zero_and_said_to_be_so(method: str) -> None:
    network = Linear(3, [1.0, 1.0], [[0.0, 0.0]])
    explained = explain_image(network, torch.rand(1, 1, 4, 5, 6), method=method)
    assert (explained.values == 0).all() and "all values are zero" in explained.note


def test_what_is_left_of_a_cancelled_sum_is_rounding_and_no_map() -> None:
    x = torch.rand(1, 1, 6, 6, 6)
    a, v = [0.1, 0.3], [[0.3, -0.1]]  # 0.1 · 0.3 − 0.3 · 0.1
    explained = explain_image(Linear(3, a, v), x, layer="layer", target=ClassLogit(0))
    assert (explained.values == 0).all() and "all values are zero" in explained.note


def test_only_the_silent_images_of_a_batch_are_named() -> None:
    x = torch.rand(3, 1, 4, 4) + 0.1
    x[1] *= -1
    explained = explain_image(Linear(2, [1.0], [[1.0]]), x, layer="layer")
    assert explained.note == "image 1: all values are negative: nothing speaks for class 0"


def test_one_class_and_one_channel_and_sides_of_one_are_no_exception() -> None:
    explained = explain_image(Small(3, channels=1, classes=1), torch.randn(1, 1, 1, 5, 3))
    assert (
        explained.values.shape == (1, 1, 5, 3)
        and torch.isfinite(explained.values).all()
        and explained.target == "class 0"
    )


def test_a_number_that_is_none_is_a_mistake_of_one_line() -> None:
    network = Linear(2, [1.0], [[float("nan")]])
    with pytest.raises(UserError, match="gives no number"):
        explain_image(network, torch.rand(1, 1, 4, 4), layer="layer")


@pytest.mark.parametrize(("layer", "says"), [("nothing", "no layer 'nothing'"), ("fc", "no places"),
                                             ("unused", "does not depend on")])
def test_a_layer_that_cannot_be_explained_at_is_a_mistake_of_one_line(layer: str, says: str) -> None:
    network = Small(2)
    network.unused = nn.Conv2d(1, 1, 1)
    says = says.replace("no places", "without places")
    with pytest.raises(UserError, match=says):
        grad_cam(network, torch.randn(1, 2, 8, 8), target=ClassLogit(0), layer=layer)


def test_a_padded_network_s_map_is_not_squeezed_into_the_image() -> None:
    """A bright block at the far end of an odd image stays at the far end."""
    torch.manual_seed(5)
    network = dynunet(in_channels=1, num_classes=1, filters=(4, 8, 16)).eval()
    small, whole = (9, 10, 13), (12, 12, 16)
    x = torch.zeros(1, 1, *whole)
    x[..., :9, :10, :13] = torch.randn(1, 1, *small)
    target = RegionSum(0, voxel=(4, 5, 6), link="sigmoid")
    unpadded = explain_image(network, x, target=target, layer="network.bottleneck").values[:, :9, :10, :13]
    explained = explain_image(network, x[..., :9, :10, :13], target=target, layer="network.bottleneck")
    assert explained.grid == (3, 3, 4)
    assert torch.allclose(explained.values, unpadded, atol=1e-6)


FAMILIES = [
    ("p3d_iam", {"layers": (1, 1, 1, 1), "width": 16}, (4, 17, 24, 21), "layer1"),
    ("p3d", {"layers": (1, 1, 1, 1), "width": 8}, (4, 40, 50, 50), "layer2"),
    ("resnest50", {"layers": (1, 1, 1, 1), "width": 8, "stem_width": 8}, (3, 64, 64), "layer3"),
    ("resnesat50", {"layers": (1, 1, 1, 1), "width": 8, "stem_width": 8}, (3, 128, 128), "layer4"),
    ("rsanet_010", {"widths": (8, 16, 32)}, (3, 16, 16, 16), "attention.center"),
    ("unet3d", {"widths": (8, 16, 32)}, (3, 8, 16, 16), "encoder.level2"),
    ("survival_densenet121", {"init_features": 8, "growth_rate": 4, "block_config": (2, 2, 2, 2)}, (4, 32, 32, 32),
     "backbone.features.denseblock2"),
    ("survival_resnet50_cbam", {"layers": (1, 1, 1, 1), "width": 8}, (4, 32, 32, 32), "backbone.layer2"),
    ("segresnet", {"init_filters": 8}, (4, 32, 32, 32), "network.down_layers.3"),
    ("dynunet", {"filters": (4, 8, 16)}, (4, 13, 16, 16), "network.bottleneck"),
    ("dual_fusion", {"filters": (4, 8, 16), "init_filters": 8, "token_grid": 4}, (4, 8, 8, 8), "head.early_fusion"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "shape", "wanted"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_the_default_layer_is_the_deepest_with_four_places_an_axis(
    name: str, options: dict, shape: tuple, wanted: str
) -> None:
    torch.manual_seed(6)
    network, x = build(name, **options), torch.randn(1, *shape)
    assert default_layer(network, x) == wanted
    assert min(layer_sizes(network, x, [wanted])[wanted]) >= 4
    explained = explain_image(network, x, target=RegionSum(0, voxel=(3, 3, 3)) if "Log" not in name and len(shape) == 4
                              and name in ("rsanet_010", "unet3d", "segresnet", "dynunet", "dual_fusion") else None)
    assert (
        explained.layer == wanted
        and explained.values.shape == (1, *shape[1:])
        and torch.isfinite(explained.values).all()
    )
    assert explained.values.abs().max() > 0
