"""The kernels that build no map: same results and gradients as the map's way, less memory, and the ways around them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from medattn_lite.attention import GlobalFusion, NonLocal, RecurrentSliceAttention, SliceAttention, slice_kernel
from medattn_lite.attention.maps import AttentionMap
from medattn_lite.course.memory import measure_cost
from medattn_lite.explain import cost
from tests.attention.support import features, stirred
from tests.benchmarks.attention_peers import rsa
from tests.benchmarks.entries.attention import both_ways, forward


class Fused(nn.Module):
    """Global fusion of a map with itself, so that it takes one input as the others do."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.fusion = GlobalFusion(**options)
        self.mix = nn.Conv3d(16, 16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fusion(self.mix(x), x, x)


BLOCKS: dict[str, Callable[[], nn.Module]] = {
    "non-local": lambda: NonLocal(16),
    "non-local, every key": lambda: NonLocal(16, sub_sample=False, scaled=True),
    "non-local, gaussian": lambda: NonLocal(16, mode="gaussian", hidden_channels=16),
    "global fusion, default grid": lambda: Fused(),
    "global fusion, coarse grid": lambda: Fused(token_grid=2),
    "global fusion, exact": lambda: Fused(token_grid=None),
    "recurrent slice attention": lambda: RecurrentSliceAttention(16, scaled=True),
    "recurrent slice attention, unscaled": lambda: RecurrentSliceAttention(16),
    "recurrent slice attention, 2-D": lambda: RecurrentSliceAttention(16, spatial_dims=2, scaled=True),
    "slice attention": lambda: SliceAttention(16, plane="coronal", scaled=True),
}
every_block = pytest.mark.parametrize("name", BLOCKS)


def make(name: str, *, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    """(block, the same block watched, input)."""
    torch.manual_seed(0)
    block = stirred(BLOCKS[name](), scale=0.2).to(dtype).eval()
    x = 0.5 * features(2 if "2-D" in name else 3)
    return block, watch(copy.deepcopy(block)), (0.2 * x if "unscaled" in name else x).to(dtype)


def watch(block: nn.Module) -> nn.Module:
    for module in block.modules():
        if isinstance(module, AttentionMap):
            module.register_forward_hook(lambda module, inputs, output: None)
    return block


def gradients(block: nn.Module, x: torch.Tensor, *, twice: bool = False) -> list[torch.Tensor]:
    """Of the squared output with respect to input and parameters; `twice`: of the squared size of these, again."""
    leaves = [x.clone().requires_grad_(), *block.parameters()]
    first = torch.autograd.grad(block(leaves[0]).square().sum(), leaves, create_graph=twice, allow_unused=True)
    if not twice:
        return [one for one in first if one is not None]
    size = sum(one.square().sum() for one in first if one is not None)
    return [one for one in torch.autograd.grad(size, leaves, allow_unused=True) if one is not None]


def close(first: list[torch.Tensor], second: list[torch.Tensor], *, limit: float) -> bool:
    """Each to its own size; what should be 0 (the gradient of a bias of the keys) to a thousandth of the largest."""
    least = 1e-3 * max(float(one.detach().abs().max()) for one in second)
    pairs = zip(first, second, strict=True)
    return all((a - b).abs().max() <= limit * b.abs().max().clamp(min=least) for a, b in pairs)


@every_block
@pytest.mark.parametrize("twice", [False, True])
def test_first_and_second_gradients_are_those_of_the_map(name: str, twice: bool) -> None:
    block, watched, x = make(name)
    assert close([block(x)], [watched(x)], limit=1e-12)
    assert close(gradients(block, x, twice=twice), gradients(watched, x, twice=twice), limit=1e-9)


@every_block
def test_a_graph_that_is_kept_gives_the_same_gradient_again(name: str) -> None:
    block, _, x = make(name)
    leaf = x.clone().requires_grad_()
    loss = block(leaf).square().sum()
    (first,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    assert torch.equal(first, torch.autograd.grad(loss, leaf)[0])


@every_block
def test_mixed_precision_changes_no_more_than_its_rounding(name: str) -> None:
    block, watched, x = make(name, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert block(x).dtype == watched(x).dtype
        low, output = block(x).float(), gradients(block, x)
    assert close([low], [block(x)], limit=5e-2)
    assert close(output[:1], gradients(block, x)[:1], limit=1e-1)


@every_block
def test_compiled_and_transformed_blocks_give_the_same(name: str) -> None:
    block, _, x = make(name)
    compiled = torch.compile(block, backend="aot_eager")
    assert close([compiled(x)], [block(x)], limit=1e-12)
    assert close(gradients(compiled, x), gradients(block, x), limit=1e-9)
    transformed = torch.func.grad(lambda one: block(one).square().sum())(x)
    assert close([transformed], gradients(block, x)[:1], limit=1e-9)


@pytest.mark.parametrize(
    "build", [lambda: NonLocal(16, sub_sample=False), lambda: Fused(), lambda: Fused(token_grid=None)]
)
def test_the_matrix_is_only_built_for_those_who_look(build: Callable[[], nn.Module]) -> None:
    block, x = build(), torch.randn(1, 16, 10, 10, 10)
    matrix = 4 * 1000**2
    peaks = {}
    for name, layer in {"unwatched": block, "watched": watch(copy.deepcopy(block))}.items():
        peaks[name] = measure_cost(lambda layer=layer: layer(x).square().sum().backward()).peak_bytes
    assert peaks["watched"] > 2 * matrix
    assert peaks["unwatched"] < matrix / 2


def test_slice_attention_keeps_its_input_and_its_map_and_nothing_else() -> None:
    block, x = RecurrentSliceAttention(16), torch.randn(1, 16, 8, 16, 16)
    maps = 4 * (8**2 + 16**2 + 16**2)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(x)
    weights = 4 * sum(parameter.numel() for parameter in block.parameters())
    assert 3 * x.nbytes + maps <= sum(kept.values()) <= 3 * x.nbytes + maps + weights


def test_slice_attention_is_the_official_formulation_with_less_than_half_of_its_memory() -> None:
    ours, official, x = rsa(16, (4, 12, 16))
    ours, official, x = ours.double(), official.double(), 10 * x.double()
    assert close([ours(x)], [official(x)], limit=1e-12)
    assert close(gradients(ours, x)[:1], gradients(official, x)[:1], limit=1e-9)
    ours, official, x = rsa(16, (8, 32, 32))
    for run in (forward, both_ways):
        needed = [measure_cost(run, block, x).peak_bytes for block in (ours, official)]
        assert needed[0] <= 0.45 * needed[1]


def test_few_numbers_take_the_plain_way_and_many_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    taken = []
    kernel = slice_kernel.attend_slices
    monkeypatch.setattr(
        "medattn_lite.attention.slice_attention.attend_slices", lambda *arguments: taken.append(1) or kernel(*arguments)
    )
    block = SliceAttention(16)
    block(torch.randn(1, 16, 4, 8, 8))
    assert taken == []
    block(torch.randn(1, 16, 8, 8, 8))
    assert taken == [1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        block(torch.randn(1, 16, 8, 8, 8))
    SliceAttention(16, projections=False)(torch.randn(1, 16, 8, 8, 8))
    assert taken == [1]


def test_the_kernel_of_slice_attention_sees_a_wrong_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    block, watched, x = make("recurrent slice attention")
    right = slice_kernel._mix
    monkeypatch.setattr(slice_kernel, "_mix", lambda weights, values, dim: right(weights.mT, values, dim))
    assert not close(gradients(block, x), gradients(watched, x), limit=1e-3)


@pytest.mark.parametrize("part", ["projections", "projections.query", "affinities.axial"])
def test_hooks_on_parts_of_the_block_are_called(part: str) -> None:
    block, seen = RecurrentSliceAttention(16), []
    block.get_submodule(part).register_forward_hook(lambda module, inputs, output: seen.append(part))
    block(features(3))
    assert len(seen) == (1 if part.startswith("affin") else 3)


def test_frozen_weights_and_a_plain_input_need_no_gradient() -> None:
    block, _, x = make("recurrent slice attention")
    with torch.no_grad():
        expected = block(x)
    block.requires_grad_(False)
    leaf = x.clone().requires_grad_()
    assert torch.equal(block(leaf), expected)
    block(leaf).square().sum().backward()
    assert leaf.grad.abs().max() > 0 and all(parameter.grad is None for parameter in block.parameters())


def test_a_hook_before_the_map_is_called_as_well() -> None:
    block, seen = NonLocal(16), []
    handle = block.affinity.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs)))
    block(features(3))
    handle.remove()
    block(features(3))
    assert seen == [2]


def test_the_cost_of_a_network_counts_the_products_of_the_kernel() -> None:
    block, x = NonLocal(16, sub_sample=False).eval(), torch.randn(1, 16, 6, 7, 8)
    assert cost(block, x)[0] == pytest.approx(cost(watch(copy.deepcopy(block)), x)[0])
    assert cost(block, x)[0] > 2 * 8 * 336**2 / 1e6
