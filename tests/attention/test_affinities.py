"""Non-local, slice and dual fusion attention against their formulas, torch's attention, and usual mistakes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from medattn_lite.attention import (
    DualFusionAttention,
    EarlyFusion,
    GlobalFusion,
    LocalAttention,
    NonLocal,
    RecurrentSliceAttention,
    SliceAttention,
)
from medattn_lite.attention.rsa import PAPER_ORDER
from tests.attention.support import features, passes_gradcheck, stirred


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tokens(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(2).transpose(1, 2)


@pytest.mark.parametrize("block", [SliceAttention(16), RecurrentSliceAttention(16), NonLocal(16)])
def test_block_is_identity_at_initialisation(block: torch.nn.Module) -> None:
    x = features(3)
    assert torch.equal(block.eval()(x), x)


def test_non_local_without_zero_init_is_not_the_identity() -> None:
    torch.manual_seed(0)
    assert (NonLocal(16, zero_init=False).eval()(features(3)) - features(3)).abs().max() > 1e-2


def test_parameter_counts_are_the_published_ones() -> None:
    assert count(RecurrentSliceAttention(512)) == 787_971
    assert count(NonLocal(512)) == 526_592
    assert count(NonLocal(512, hidden_channels=512, norm=False)) == 1_050_624
    assert count(DualFusionAttention((32, 16))) == 117_635


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("scaled", [False, True])
def test_non_local_equals_torch_attention(spatial_dims: int, scaled: bool) -> None:
    torch.manual_seed(0)
    block = stirred(NonLocal(16, spatial_dims=spatial_dims, sub_sample=False, scaled=scaled)).eval()
    x = features(spatial_dims)
    parts = [tokens(projection(x)) for projection in (block.query, block.key, block.value)]
    context = F.scaled_dot_product_attention(*parts, scale=None if scaled else 1.0)
    context = context.transpose(1, 2).reshape(2, 8, *x.shape[2:])
    torch.testing.assert_close(block(x), x + block.norm(block.output(context)), rtol=1e-4, atol=1e-5)


def test_sub_sampling_pools_keys_and_values_in_plane_only() -> None:
    torch.manual_seed(0)
    block = stirred(NonLocal(16)).eval()
    x = torch.randn(1, 16, 3, 6, 4)
    key, value = (F.max_pool3d(projection(x), (1, 2, 2)) for projection in (block.key, block.value))
    context = F.scaled_dot_product_attention(tokens(block.query(x)), tokens(key), tokens(value), scale=1.0)
    context = context.transpose(1, 2).reshape(1, 8, 3, 6, 4)
    torch.testing.assert_close(block(x), x + block.norm(block.output(context)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 16, 1, 1, 1), (1, 16, 2, 1, 5)])
def test_non_local_runs_on_axes_of_length_one(shape: tuple[int, ...]) -> None:
    assert NonLocal(16).eval()(torch.randn(shape)).shape == shape


def test_dot_product_mode_divides_by_the_number_of_keys() -> None:
    torch.manual_seed(0)
    block = NonLocal(16, mode="dot_product", sub_sample=False)
    query = torch.randn(1, 8, 2, 3, 4)
    expected = tokens(query) @ tokens(query).transpose(1, 2) / 24
    torch.testing.assert_close(block.affinity(query, query).reshape(1, 24, 24), expected)


@pytest.mark.parametrize(("plane", "dim"), [("axial", 2), ("coronal", 3), ("sagittal", 4)])
def test_slice_attention_weighs_whole_slices_along_its_plane(plane: str, dim: int) -> None:
    torch.manual_seed(0)
    block = stirred(SliceAttention(16, plane=plane), scale=0.1)
    x = 0.1 * features(3)
    query, key, value = (part.movedim(dim, 1).flatten(2) for part in block.projections(x))
    weights = torch.softmax(query @ key.transpose(1, 2), dim=-1)
    assert weights.shape == (2, x.shape[dim], x.shape[dim])
    mixed = torch.einsum("bij,bjk->bik", weights, value).reshape(x.movedim(dim, 1).shape).movedim(1, dim)
    torch.testing.assert_close(block(x), x + block.beta * mixed, rtol=1e-4, atol=1e-5)
    over_queries = torch.softmax(query @ key.transpose(1, 2), dim=1)
    wrong = torch.einsum("bij,bjk->bik", over_queries, value).reshape(x.movedim(dim, 1).shape).movedim(1, dim)
    assert (block.beta * (mixed - wrong)).abs().max() > 1e-3


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    ("plane", "dim", "spatial_dims"),
    [("axial", 2, 3), ("coronal", 3, 3), ("sagittal", 4, 3), ("rows", 2, 2), ("columns", 3, 2)],
)
def test_slice_attention_equals_torch_attention_whose_tokens_are_whole_slices(
    plane: str, dim: int, spatial_dims: int, scaled: bool
) -> None:
    torch.manual_seed(0)
    block = stirred(SliceAttention(16, plane=plane, spatial_dims=spatial_dims, scaled=scaled), scale=0.1)
    x = features(spatial_dims) * (3.0 if scaled else 0.1)
    slices_first = x.movedim(dim, 1).shape  # (B, S, C, …)
    parts = [part.movedim(dim, 1).flatten(2) for part in block.projections(x)]  # 3 × (B, S, C·H·W)
    maps = []
    block.affinity.register_forward_hook(lambda module, inputs, output: maps.append(output))
    unseen = SliceAttention(16, plane=plane, spatial_dims=spatial_dims, scaled=scaled)
    unseen.load_state_dict(block.state_dict())
    for scale, equal in ((None if scaled else 1.0, True), (1 / parts[0].shape[2], False)):  # torch's own: 1 / √(C·H·W)
        context = F.scaled_dot_product_attention(*parts, scale=scale).reshape(slices_first).movedim(1, dim)
        for layer in (block, unseen):  # watched, and through the kernel
            assert torch.allclose(layer(x), x + block.beta * context, rtol=1e-4, atol=1e-5) == equal
    assert maps[0].shape == (2, x.shape[dim], x.shape[dim])


def test_recurrent_slice_attention_is_slice_attention_in_turn_with_shared_projections() -> None:
    torch.manual_seed(0)
    block = stirred(RecurrentSliceAttention(8, scaled=True))
    x = features(3, channels=8)
    expected = x
    for plane, beta in zip(("coronal", "sagittal", "axial"), block.betas, strict=True):
        step = SliceAttention(8, plane=plane, scaled=True)
        step.projections = block.projections
        step.beta = beta
        expected = step(expected)
    torch.testing.assert_close(block(x), expected)


def test_the_order_of_the_directions_matters() -> None:
    torch.manual_seed(0)
    code = stirred(RecurrentSliceAttention(8))
    paper = RecurrentSliceAttention(8, order=PAPER_ORDER)
    paper.load_state_dict({key: value for key, value in code.state_dict().items()})
    x = features(3, channels=8)
    assert (code(x) - paper(x)).abs().max() > 1e-2


def test_after_three_directions_every_voxel_reaches_every_other() -> None:
    torch.manual_seed(0)
    block = stirred(RecurrentSliceAttention(4, scaled=True)).double()
    x = torch.randn(1, 4, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    block(x)[0, :, 2, 3, 4].sum().backward()
    assert (x.grad.abs().sum(dim=1) > 0).all()


def test_equation_one_read_literally_looks_at_each_slice_itself() -> None:
    block = SliceAttention(32, projections=False)
    torch.nn.init.constant_(block.beta, 0.7)
    x = torch.relu(torch.randn(1, 32, 6, 8, 8, generator=torch.Generator().manual_seed(0)))
    query, key, _ = block.projections(x)
    torch.testing.assert_close(block.affinity(query, key), torch.eye(6)[None])
    torch.testing.assert_close(block(x), 1.7 * x)


def test_scaling_takes_the_slice_map_out_of_saturation() -> None:
    torch.manual_seed(0)
    x = torch.relu(torch.randn(1, 64, 6, 16, 16))
    largest = {}
    for scaled in (False, True):
        block = SliceAttention(64, scaled=scaled)
        query, key, _ = block.projections(x)
        largest[scaled] = block.affinity(query, key).amax(dim=-1).mean().item()
    assert largest[False] > 0.9
    assert largest[True] < 0.5


def test_early_fusion_is_its_formula() -> None:
    torch.manual_seed(0)
    block = EarlyFusion(4, spatial_dims=2)
    first, second = torch.randn(2, 1, 4, 5, 7).unbind(0)
    joined = torch.cat([first, second], dim=1)
    early = block.block[4](torch.relu(block.block[2](torch.relu(block.block[0](joined))))) + block.shortcut(joined)
    torch.testing.assert_close(block(first, second), (early + first + second) / 3)


def test_early_fusion_without_activation_is_linear() -> None:
    torch.manual_seed(0)
    block = EarlyFusion(4, spatial_dims=2, activation=None)
    zero = torch.zeros(1, 4, 5, 7)
    a, b = torch.randn(2, 1, 4, 5, 7).unbind(0)
    offset = block(zero, zero)
    torch.testing.assert_close(block(a, b) - offset, block(a, zero) + block(zero, b) - 2 * offset, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("residual", ["multiply", "add"])
def test_global_fusion_attends_every_voxel_and_joins_the_values(residual: str) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 3, 4, 5).unbind(0)
    context = F.scaled_dot_product_attention(tokens(query), tokens(key), tokens(value))
    context = context.transpose(1, 2).reshape(value.shape)
    expected = context * value if residual == "multiply" else context + value
    for token_grid in (None, 16):
        block = GlobalFusion(token_grid=token_grid, residual=residual)
        torch.testing.assert_close(block(query, key, value), expected, rtol=1e-4, atol=1e-5)


def test_exact_global_fusion_is_the_same_when_somebody_looks() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 4, 3, 4, 5).unbind(0)
    block = GlobalFusion(token_grid=None)
    unseen = block(query, key, value)
    seen = []
    block.affinity.register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.testing.assert_close(block(query, key, value), unseen, rtol=1e-4, atol=1e-5)
    assert seen[0].shape == (1, 3, 4, 5, 3, 4, 5)
    torch.testing.assert_close(seen[0].sum(dim=(4, 5, 6)), torch.ones(1, 3, 4, 5))


def test_global_fusion_on_a_token_grid_pools_and_comes_back_to_size() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 4, 8, 9, 5).unbind(0)
    block = GlobalFusion(token_grid=(4, 3, 8))
    assert not block.is_exact((8, 9, 5))
    pooled = [F.adaptive_avg_pool3d(part, (4, 3, 5)) for part in (query, key, value)]
    context = F.scaled_dot_product_attention(*(tokens(part) for part in pooled))
    context = context.transpose(1, 2).reshape(1, 4, 4, 3, 5)
    context = F.interpolate(context, size=(8, 9, 5), mode="trilinear", align_corners=False)
    torch.testing.assert_close(block(query, key, value), context * value, rtol=1e-4, atol=1e-5)


def test_exact_global_fusion_takes_a_kernel_that_builds_no_matrix() -> None:
    query, key, value = torch.randn(3, 2, 8, 3, 4, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # raises where only the plain kernel would do
        fused = GlobalFusion(token_grid=None)(query, key, value)
    assert fused.shape == value.shape


def test_a_flat_value_passes_the_token_grid_unchanged() -> None:
    query, key = torch.randn(2, 1, 4, 8, 8, 8, generator=torch.Generator().manual_seed(0)).unbind(0)
    value = torch.full((1, 4, 8, 8, 8), 3.0)
    torch.testing.assert_close(GlobalFusion(token_grid=2)(query, key, value), value * value)


def test_local_attention_skips_over_its_block() -> None:
    torch.manual_seed(0)
    block = LocalAttention(4, hidden_channels=6)
    x = features(3, channels=4)
    torch.testing.assert_close(block(x), x + block.block(x))
    with torch.no_grad():
        block.block[-1].weight.zero_()
        block.block[-1].bias.zero_()
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("token_grid", [None, 2])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_dual_fusion_has_right_gradients(spatial_dims: int, token_grid: int | None) -> None:
    torch.manual_seed(0)
    head = DualFusionAttention((3, 2), channels=4, num_classes=3, spatial_dims=spatial_dims, token_grid=token_grid)
    size = (3, 4, 3)[:spatial_dims]
    first, second = torch.randn(1, 3, *size), torch.randn(1, 2, *size)
    assert head(first, second).shape == (1, 3, *size)
    assert passes_gradcheck(stirred(head, scale=0.1), first, second)


def test_swapping_query_and_key_matters() -> None:
    torch.manual_seed(0)
    head = DualFusionAttention((4, 4), channels=4)
    swapped = DualFusionAttention((4, 4), channels=4, swap_query_key=True)
    swapped.load_state_dict(stirred(head).state_dict())
    first, second = torch.randn(2, 1, 4, 3, 4, 5).unbind(0)
    assert (head(first, second) - swapped(first, second)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: DualFusionAttention(32), "give the channels of both maps"),
        (lambda: DualFusionAttention((32, 0)), r"in_channels\[1\] is 0"),
        (lambda: GlobalFusion(residual="concatenate"), "'multiply' or 'add'"),
        (lambda: GlobalFusion(token_grid=(4, 4)), "give one number, or 3 of them"),
        (lambda: GlobalFusion(token_grid=0), "whole number of at least 1"),
        (lambda: EarlyFusion(4, activation="tanh"), "'relu', 'gelu' or None"),
    ],
)
def test_dual_fusion_refuses_what_does_not_fit(build, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build()
