"""`capture_attention` sees every map of one pass, whatever the model is wrapped in, and leaves nothing behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.attention import (
    CBAM,
    AttentionWeights,
    DualFusionAttention,
    ExcitationGate,
    InterSliceAttention,
    MultiHeadAttention,
    NonLocal,
    RecurrentSliceAttention,
    Seq2SeqAttention,
    SliceAttention,
    SplitAttention,
    SqueezeExcitation,
)
from medattn_lite.errors import UserError
from medattn_lite.explain import capture_attention
from medattn_lite.networks import P3DResNet, ResNetCBAM, SEResNeXt

torch.manual_seed(0)
IMAGE, VOLUME = torch.randn(2, 16, 5, 7), torch.randn(2, 16, 3, 5, 7)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize(
    ("block", "inputs", "expected"),
    [
        (SqueezeExcitation(16), (IMAGE,), {"gate": ("channel", (2, 16, 1, 1))}),
        (CBAM(16), (IMAGE,), {"channel": ("channel", (2, 16, 1, 1)), "spatial": ("spatial", (2, 1, 5, 7))}),
        (SplitAttention(16, 8), (IMAGE,), {"rsoftmax": ("split", (2, 2, 8))}),
        (
            InterSliceAttention(16),
            (VOLUME,),
            {"channel": ("channel×slice", (2, 16, 3, 1, 1)), "spatial": ("spatial", (2, 1, 3, 5, 7))},
        ),
        (NonLocal(16), (VOLUME,), {"affinity": ("voxel×voxel", (2, 3, 5, 7, 3, 2, 3))}),
        (SliceAttention(16), (VOLUME,), {"affinity": ("slice×slice", (2, 3, 3))}),
        (
            RecurrentSliceAttention(16),
            (VOLUME,),
            {
                "affinities.coronal": ("slice×slice", (2, 5, 5)),
                "affinities.sagittal": ("slice×slice", (2, 7, 7)),
                "affinities.axial": ("slice×slice", (2, 3, 3)),
            },
        ),
        (
            DualFusionAttention((16, 16), channels=4, token_grid=None),
            (VOLUME, VOLUME),
            {"global_fusion.affinity": ("voxel×voxel", (2, 3, 5, 7, 3, 5, 7))},
        ),
        (Seq2SeqAttention(7), (IMAGE[:, 0], IMAGE[:, 1]), {"weights": ("query×key", (2, 5, 5))}),
        (MultiHeadAttention(6, num_heads=2), (torch.randn(2, 4, 6),), {"weights": ("query×key", (2, 2, 4, 4))}),
    ],
)
def test_every_block_shows_its_maps_with_kind_and_axes(block: nn.Module, inputs: tuple, expected: dict) -> None:
    with capture_attention(block) as maps:
        block(*inputs)
    assert {name: (captured.kind, tuple(captured.values.shape)) for name, captured in maps.items()} == expected
    for name, captured in maps.items():
        assert captured.layer == name
        assert len(captured.axes) == captured.values.dim()
        assert captured.axes == block.get_submodule(name).axes


def test_captured_gate_is_the_one_that_was_multiplied() -> None:
    block = SqueezeExcitation(16)
    with capture_attention(block) as maps:
        output = block(IMAGE)
    torch.testing.assert_close(output, IMAGE * maps["gate"].values)


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda block: nn.Sequential(nn.Identity(), nn.Sequential(block, nn.ReLU())), "1.0.gate"),
        (lambda block: nn.DataParallel(block), "module.gate"),
        (lambda block: nn.DataParallel(nn.Sequential(block)), "module.0.gate"),
    ],
)
def test_names_are_those_of_the_model_however_it_is_wrapped(wrap, name: str) -> None:
    model = wrap(SqueezeExcitation(16))
    with capture_attention(model) as maps:
        model(IMAGE)
    assert list(maps) == [name]
    assert isinstance(model.get_submodule(name), ExcitationGate)


def test_a_model_that_is_itself_a_map_is_named_after_its_class() -> None:
    gate = ExcitationGate(16)
    with capture_attention(gate) as maps:
        values = gate(IMAGE)
    assert list(maps) == ["ExcitationGate"]
    torch.testing.assert_close(maps["ExcitationGate"].values, values)


class Thrice(nn.Module):
    """Uses one block three times in a pass."""

    def __init__(self) -> None:
        super().__init__()
        self.block = SqueezeExcitation(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = 3 * self.block(x)
        return x


def test_a_block_used_several_times_keeps_every_map_in_order() -> None:
    model = Thrice()
    with capture_attention(model) as maps:
        model(IMAGE)
    assert list(maps) == ["block.gate", "block.gate#2", "block.gate#3"]
    assert [captured.call for captured in maps.values()] == [1, 2, 3]
    assert {captured.layer for captured in maps.values()} == {"block.gate"}
    x = IMAGE
    for captured in maps.values():
        torch.testing.assert_close(captured.values, model.block.gate(x))
        x = 3 * model.block(x)


def test_one_affinity_shared_by_two_blocks_is_told_apart_by_its_calls() -> None:
    shared = AttentionWeights(axes=("batch", "query", "key"))
    model = nn.ModuleList([shared, shared])
    with capture_attention(model) as maps:
        for layer in model:
            layer(torch.randn(1, 2, 3), torch.randn(1, 4, 3))
    assert list(maps) == ["0", "0#2"]


def test_a_second_pass_starts_afresh() -> None:
    model = nn.Sequential(SqueezeExcitation(16))
    with capture_attention(model) as maps:
        model(IMAGE)
        first = maps["0.gate"].values
        model(2 * IMAGE)
    assert list(maps) == ["0.gate"]
    assert not torch.equal(maps["0.gate"].values, first)


def test_hooks_and_maps_go_when_the_block_ends() -> None:
    model = nn.Sequential(CBAM(16), SqueezeExcitation(16))
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    with capture_attention(model) as maps:
        assert hooks(model) == 4
        model(IMAGE)
    assert hooks(model) == 0
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    kept = dict(maps)
    model(IMAGE)
    assert all(maps[name] is kept[name] for name in kept) and len(maps) == len(kept) == 3


def test_hooks_go_also_after_an_exception() -> None:
    model = nn.Sequential(SqueezeExcitation(16), nn.Linear(3, 3))
    with pytest.raises(RuntimeError), capture_attention(model):
        model(IMAGE)
    assert hooks(model) == 0
    with pytest.raises(KeyboardInterrupt), capture_attention(model):
        raise KeyboardInterrupt
    assert hooks(model) == 0


def test_hooks_of_others_stay() -> None:
    model = nn.Sequential(SqueezeExcitation(16))
    model[0].gate.register_forward_hook(lambda module, inputs, output: None)
    with capture_attention(model):
        model(IMAGE)
    assert hooks(model) == 1


def test_a_map_that_a_hook_changes_is_captured_as_it_was_used() -> None:
    block = SqueezeExcitation(16)
    block.gate.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    with capture_attention(block) as maps:
        output = block(IMAGE)
    assert not output.any()
    assert not maps["gate"].values.any()


def test_two_captures_can_be_nested() -> None:
    block = SqueezeExcitation(16)
    with capture_attention(block) as outer, capture_attention(block) as inner:
        block(IMAGE)
    torch.testing.assert_close(outer["gate"].values, inner["gate"].values)
    assert hooks(block) == 0


def test_maps_are_cut_from_the_graph_unless_their_gradient_is_wanted() -> None:
    block = SqueezeExcitation(16)
    with capture_attention(block) as maps:
        block(IMAGE)
    assert not maps["gate"].values.requires_grad
    with capture_attention(block, detach=False, device="cpu") as maps:
        output = block(IMAGE)
    (gradient,) = torch.autograd.grad(output.sum(), maps["gate"].values)
    torch.testing.assert_close(gradient, IMAGE.sum(dim=(2, 3), keepdim=True))


def test_a_pass_without_attention_is_an_error_that_says_what_to_do() -> None:
    model = nn.Sequential(nn.Conv2d(16, 4, 1))
    with pytest.raises(UserError, match="no attention map was seen.*register_adapter"), capture_attention(model):
        model(IMAGE)
    assert hooks(model) == 0
    with capture_attention(model, empty_ok=True) as maps:
        model(IMAGE)
    assert maps == {}
    with capture_attention(model) as maps:  # no pass, no mistake
        pass
    assert maps == {}


@pytest.mark.parametrize(
    ("network", "x", "kinds", "count"),
    [
        (
            SEResNeXt(spatial_dims=2, in_channels=2, num_classes=2, layers=(1, 1, 1, 1), stem_width=16, groups=4),
            torch.randn(1, 2, 33, 35),
            {"channel"},
            4,
        ),
        (
            ResNetCBAM(spatial_dims=3, in_channels=1, num_classes=2, layers=(1, 2, 1, 1), width=4, kernel_size=3),
            torch.randn(1, 1, 33, 34, 36),
            {"channel", "spatial"},
            10,
        ),
        (
            P3DResNet(in_channels=1, num_classes=2, layers=(1, 1, 1, 1), width=4),
            torch.randn(1, 1, 33, 34, 36),
            {"channel×slice", "spatial"},
            8,
        ),
    ],
)
def test_networks_show_every_map_by_layer(network: nn.Module, x: torch.Tensor, kinds: set, count: int) -> None:
    network.eval()
    with capture_attention(network) as maps:
        network(x)
    assert len(maps) == count
    assert {captured.kind for captured in maps.values()} == kinds
    assert all(name.startswith("layer") for name in maps)
    assert all(captured.values.std() > 0 for captured in maps.values())
