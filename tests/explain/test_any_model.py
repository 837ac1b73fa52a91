"""Networks as users have them: wrapped, compiled, with several outputs, made in inference mode, transformers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.methods.layers import default_layer
from medattn_lite.explain.methods.registry import explain_image
from medattn_lite.explain.model.targets import ClassLogit, LogRisk
from medattn_lite.explain.model.wrapped import main_output, unwrapped_network
from medattn_lite.networks.registry import build
from medattn_lite.training.inference import predict_logits
from tests.explain.nets import Small

ASKING = ["Grad-CAM", "LayerCAM", "integrated gradients", "occlusion"]


class Around(nn.Module):
    """A user's module around a network, which changes its output as told."""

    def __init__(self, network: nn.Module, change=lambda y: y) -> None:
        super().__init__()
        self.own, self.change = network, change

    def forward(self, x: Tensor):
        return self.change(self.own(x))


@pytest.fixture(scope="module")
def survival() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    network = build("survival_resnet50_cbam", layers=(1, 1, 1, 1), width=8)
    return network.eval(), torch.randn(1, 4, 32, 32, 32)


@pytest.mark.parametrize(("wrap", "prefix"), [
    (nn.DataParallel, "module."), (Around, "own."), (lambda net: nn.Sequential(nn.Sequential(net)), "0.0."),
    (lambda net: torch.compile(net, backend="eager"), "_orig_mod."),
])  # fmt: skip
def test_a_wrapper_is_asked_the_same_question_at_the_same_layer(survival, wrap, prefix: str) -> None:
    network, x = survival
    plain = explain_image(network, x)
    wrapped = wrap(copy.deepcopy(network))
    with torch.no_grad():
        wrapped(x)  # a compiled network that ran before calls no hooks
    explained = explain_image(wrapped, x)
    assert (plain.target, explained.target) == ("risk of death", "risk of death")
    assert explained.layer == prefix + plain.layer and explained.grid == plain.grid
    assert torch.equal(explained.values, plain.values) and torch.equal(explained.scores, plain.scores)


def test_a_wrapper_that_changes_the_output_speaks_for_itself(survival) -> None:
    network, x = survival
    assert unwrapped_network(Around(network), x) is network
    changed = Around(network, change=lambda y: y.softmax(1))
    assert unwrapped_network(changed, x) is changed
    assert explain_image(changed, x).target.startswith("class ")


def test_two_known_networks_side_by_side_are_no_wrapper(survival) -> None:
    network, x = survival

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = copy.deepcopy(network), copy.deepcopy(network)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) + self.second(x)

    both = Both().eval()
    assert unwrapped_network(both, x) is both and explain_image(both, x).values.shape == (1, 32, 32, 32)


@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("change", [
    lambda y: (y, y * 0), lambda y: [y], lambda y: {"hidden": y * 0, "logits": y}, lambda y: {"anything": y},
], ids=["tuple", "list", "dict", "dict of one"])  # fmt: skip
def test_of_several_outputs_the_first_or_the_logits_are_explained(method: str, change) -> None:
    torch.manual_seed(1)
    network, x = Small(3), torch.randn(2, 2, 6, 8, 7)
    options = {"method": method, **({"window": 3} if method == "occlusion" else {})}
    plain = explain_image(network, x, target=ClassLogit(1), **options)
    several = Around(network, change)
    assert torch.equal(explain_image(several, x, target=ClassLogit(1), **options).values, plain.values)
    explained = explain_image(several, x, **options)
    assert torch.equal(explained.values, explain_image(network, x, **options).values)


def test_outputs_that_nobody_can_tell_apart_are_named() -> None:
    x = torch.randn(1, 2, 8, 8)
    two = Around(Small(2), lambda y: {"grade": y, "site": y})
    with pytest.raises(UserError, match=r"gives grade, site.*target=lambda output: output\['grade'\]"):
        explain_image(two, x)
    explained = explain_image(two, x, target=lambda output: output["site"][:, 1])
    assert torch.equal(explained.values, explain_image(two.own, x, target=ClassLogit(1)).values)
    for kind in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(UserError, match=f"numbers of type {str(kind)[6:]}, which have no gradient"):
            explain_image(Around(Small(2), lambda y, kind=kind: y.to(kind)), x)
    for nothing in (None, "words", [], [[x]]):
        with pytest.raises(UserError, match="not a tensor"):
            main_output(nothing)


@pytest.mark.parametrize("method", ASKING)
def test_a_function_of_the_output_is_a_target(method: str) -> None:
    torch.manual_seed(2)
    network, x = Small(2), torch.randn(2, 2, 8, 9)
    options = {"method": method, **({"window": 3} if method == "occlusion" else {})}
    explained = explain_image(network, x, target=lambda output: output[:, 2], **options)
    assert torch.equal(explained.values, explain_image(network, x, target=ClassLogit(2), **options).values)
    assert explained.target == "the function given"

    def grade(output: Tensor) -> Tensor:
        return output[:, 1] - output[:, 0]

    assert explain_image(network, x, target=grade).target == "grade"
    with pytest.raises(UserError, match=r"one number for each image.*\(2, 3\)"):
        explain_image(network, x, target=lambda output: output, **options)


@pytest.mark.parametrize("method", ASKING)
def test_an_output_of_one_number_an_image_is_a_logit(method: str) -> None:
    torch.manual_seed(3)
    network, x = Small(2, classes=1), torch.randn(3, 2, 8, 8)
    options = {"method": method, **({"window": 3} if method == "occlusion" else {})}
    squeezed = Around(network, lambda y: y[:, 0])
    wanted = explain_image(network, x, target=ClassLogit(0), **options)
    for target in (None, ClassLogit(0)):
        assert torch.equal(explain_image(squeezed, x, target=target, **options).values, wanted.values)
    with pytest.raises(UserError, match="no class 1"):
        explain_image(squeezed, x, target=ClassLogit(1), **options)


@pytest.mark.parametrize("method", ASKING)
def test_inference_mode_changes_nothing(method: str) -> None:
    torch.manual_seed(4)
    network, x = Small(3), torch.randn(1, 2, 6, 8, 7)
    options = {"method": method, "target": ClassLogit(1), **({"window": 3} if method == "occlusion" else {})}
    wanted = explain_image(network, x, **options).values
    with torch.inference_mode():
        born, image = Small(3), x.clone()
        born.load_state_dict(network.state_dict())
        inside = explain_image(network, image, **options).values
    assert next(born.parameters()).is_inference() and image.is_inference()
    assert torch.allclose(inside, wanted, atol=1e-6)
    assert torch.allclose(explain_image(born, image, **options).values, wanted, atol=1e-6)


def test_an_image_without_its_batch_and_one_that_the_network_cannot_take_are_mistakes_of_one_line() -> None:
    with pytest.raises(UserError, match=r"3-D images.*image\[None\]"):
        explain_image(Small(3), torch.randn(2, 8, 8, 8))
    for method in ASKING:
        with pytest.raises(UserError, match=r"Small fails on an image of \(1, 5, 8, 8\): ") as caught:
            explain_image(Small(2), torch.randn(1, 5, 8, 8), method=method)
        assert caught.value.__cause__ is not None and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("close", [lambda net, x: torch.jit.trace(net, x), lambda net, x: torch.jit.script(net),
                                   lambda net, x: nn.Sequential(torch.jit.trace(net, x))])  # fmt: skip
def test_a_traced_or_scripted_network_is_explained_from_outside_only(close) -> None:
    from medattn_lite.explain import capture_attention

    network, x = Small(2).eval(), torch.randn(1, 2, 8, 8)
    closed = close(network, x)
    for options in ({}, {"layer": "conv1"}, {"method": "fused LayerCAM"}, {"method": "attention"}):
        with pytest.raises(UserError, match="traced or scripted"):
            explain_image(closed, x, target=None if "method" in options else ClassLogit(0), **options)
    with pytest.raises(UserError, match="traced or scripted"), capture_attention(closed):
        closed(x)
    explained = explain_image(closed, x, method="occlusion", window=3, target=ClassLogit(0))
    assert torch.allclose(explained.values, explain_image(network, x, method="occlusion", window=3,
                                                          target=ClassLogit(0)).values, atol=1e-6)  # fmt: skip


def test_nothing_named_takes_one_pass_from_the_second_image_on() -> None:
    network, x = build("survival_se_resnext50", layers=(1, 1, 1, 1), stem_width=8, base_width=32, groups=8), []
    handle = network.register_forward_pre_hook(lambda module, inputs: x.append(tuple(inputs[0].shape)))
    image = torch.randn(2, 4, 32, 32, 32)
    first = explain_image(network, image)
    x.clear()
    again = explain_image(network, image)
    assert x == [(2, 4, 32, 32, 32)], "target, layer and map of one pass"
    assert torch.equal(first.values, again.values) and again.target == "risk of death"
    x.clear()
    explain_image(network, image[..., :24])  # of another size the layer is looked for again
    assert len(x) > 1
    handle.remove()
    assert isinstance(unwrapped_network(network, image).head, str) and LogRisk(network.head).words == again.target


def test_parts_frozen_in_eval_mode_stay_frozen() -> None:
    ends = nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), *ends)
    network.train()
    network[1].eval()
    before = network[1].running_mean.clone()
    predict_logits(network, torch.randn(4, 1, 8, 8) + 3)
    explain_image(network, torch.randn(4, 1, 8, 8) + 3, layer="0")
    assert [module.training for module in network] == [True, False, True, True, True]
    assert torch.equal(network[1].running_mean, before)


def vit(size: tuple[int, ...] = (16, 24, 32), **options) -> nn.Module:
    pytest.importorskip("einops", reason="MONAI's transformers need einops")
    from monai.networks.nets import ViT

    torch.manual_seed(5)
    return ViT(1, size, 8, hidden_size=24, mlp_dim=32, num_layers=2, num_heads=3, classification=True, num_classes=2,
               spatial_dims=len(size), post_activation="none", **options).eval()  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("proj_type", ["conv", "perceptron"])
def test_grad_cam_of_a_vit_lies_on_the_grid_of_its_patches(batch: int, proj_type: str) -> None:
    model, x = vit(proj_type=proj_type), torch.randn(batch, 1, 16, 24, 32)
    assert default_layer(model, x) == "blocks.1.norm1"
    explained = explain_image(model, x, target=ClassLogit(1))
    assert explained.grid == (2, 3, 4) and explained.values.shape == (batch, 16, 24, 32)
    assert "24 tokens laid out as a grid of 2×3×4; the class token is left out" in explained.note
    kept: list[Tensor] = []
    handle = model.blocks[1].norm1.register_forward_hook(lambda m, i, output: kept.append(output))
    logits = model(x)[0]
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), kept[0])
    tokens, slope = kept[0][:, 1:].detach(), gradient[:, 1:]
    wanted = (tokens * slope.mean(1, keepdim=True)).sum(-1).reshape(batch, 2, 3, 4)
    torch.testing.assert_close(explained.values[:, 4::8, 4::8, 4::8].clamp(-1, 1),
                               _between(wanted).clamp(-1, 1), atol=1e-6, rtol=1e-3)  # fmt: skip


def _between(coarse: Tensor) -> Tensor:
    """Linear interpolation at the voxel half a voxel behind each patch's middle."""
    for axis in (1, 2, 3):
        n = coarse.shape[axis]
        after = coarse.index_select(axis, torch.arange(1, n + 1).clamp(max=n - 1))
        coarse = coarse + (after - coarse) * (0.5 / 8)
    return coarse


def test_tokens_whose_grid_cannot_be_told_are_named_and_can_be_given() -> None:
    class Words(nn.Module):
        """Patches of 3 × 2 voxels, cut by a module that has no weights."""

        def __init__(self) -> None:
            super().__init__()
            self.cut, self.norm, self.fc = nn.Unfold((3, 2), stride=(3, 2)), nn.LayerNorm(6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.norm(self.cut(x).movedim(1, 2)).relu().mean(1))

    x = torch.randn(2, 1, 6, 10)  # 2 × 5 patches of 3 × 2 voxels: no square of voxels cuts the image into ten
    with pytest.raises(UserError, match=r"10 tokens and nothing says how they lie.*token_sides"):
        explain_image(Words(), x, layer="norm", target=ClassLogit(0))
    explained = explain_image(Words(), x, layer="norm", target=ClassLogit(0), token_sides=(2, 5))
    assert explained.grid == (2, 5) and "grid of 2×5" in explained.note and "left out" not in explained.note
    with pytest.raises(UserError, match="do not lie on a grid"):
        explain_image(Words(), x, layer="norm", target=ClassLogit(0), token_sides=(4, 5))


def test_attention_of_a_vit_is_what_the_class_token_looks_at() -> None:
    from medattn_lite.explain import capture_attention

    model, x = vit((16, 24)), torch.randn(2, 1, 16, 24)
    explained = explain_image(model, x, method="attention")
    with torch.no_grad(), capture_attention(model) as maps:
        model(x)
    wanted = maps["blocks.1.attn"].values.mean(1)[:, 0, 1:].reshape(2, 2, 3)
    assert (
        explained.layer == "blocks.1.attn"
        and explained.grid == (2, 3)
        and "looked at by the class token" in explained.note
    )
    torch.testing.assert_close(explained.values[:, 0, 0], wanted[:, 0, 0])
    torch.testing.assert_close(explained.values[:, -1, -1], wanted[:, 1, 2])


def test_swin_unetr_is_explained_at_a_map_of_its_decoder_and_has_no_attention_over_the_whole_image() -> None:
    pytest.importorskip("einops", reason="MONAI's transformers need einops")
    from monai.networks.nets import SwinUNETR

    torch.manual_seed(7)
    model = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, depths=(1, 1, 1, 1), num_heads=(1, 2, 3, 4),
                      spatial_dims=2).eval()  # fmt: skip
    x = torch.randn(3, 1, 64, 128)
    explained = explain_image(model, x, target=lambda output: output[:, 1].mean((1, 2)))
    assert explained.values.shape == (3, 64, 128) and explained.grid[1] == 2 * explained.grid[0]
    with pytest.raises(UserError, match="no attention over places, only over query×key"):
        explain_image(model, x, method="attention")


@pytest.mark.parametrize("method", ASKING)
def test_the_number_of_a_class_asks_for_its_logit(method: str) -> None:
    torch.manual_seed(0)
    network, image = Small(2).eval(), torch.randn(1, 2, 12, 12)
    one, other = (explain_image(network, image, method=method, target=number) for number in (0, 1))
    torch.testing.assert_close(one.values, explain_image(network, image, method=method, target=ClassLogit(0)).values)
    assert one.target == "class 0" and not torch.equal(one.values, other.values)


@pytest.mark.parametrize("number", [np.int64(1), torch.tensor(1), np.array([[0.0, 2.0]]).argmax()])
def test_numbers_of_numpy_and_torch_are_numbers_of_a_class(number: object) -> None:
    assert explain_image(Small(2).eval(), torch.randn(1, 2, 12, 12), target=number).target == "class 1"


@pytest.mark.parametrize("target", ["high grade", [1], 1.5, True, np.True_, torch.tensor(True), torch.tensor([1, 2])])
def test_what_is_no_target_is_one_line_that_says_what_is(target: object) -> None:
    with pytest.raises(UserError, match="target=1, or a function"):
        explain_image(Small(2).eval(), torch.randn(1, 2, 12, 12), target=target)
