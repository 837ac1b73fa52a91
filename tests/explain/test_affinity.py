"""Claims about what slices and voxels look at: against explicit matrices, derivatives, hand-made cases and mirrors."""

from __future__ import annotations

import math
from functools import reduce

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention import GlobalFusion, NonLocal, RecurrentSliceAttention, SliceAttention
from medattn_lite.attention.dual_fusion import DualFusionAttention
from medattn_lite.attention.voxel_affinity import VoxelAffinity
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.affinities import (
    affinity_layers,
    looks_at,
    read_affinities,
    received_attention,
    slice_matrices,
    whereabouts,
)
from medattn_lite.explain.attention.capture import capture_attention
from medattn_lite.explain.attention.edits import edited_maps
from medattn_lite.explain.attention.slice_affinities import path_strengths
from medattn_lite.explain.grids.layer_cells import cells
from medattn_lite.networks.rsanet import RSANet
from tests.attention.support import stirred

SIZES = {2: (4, 5), 3: (3, 4, 5)}
PLANES = {2: ("rows", "columns"), 3: ("coronal", "sagittal", "axial")}
AXIS = {"axial": 0, "coronal": 1, "sagittal": 2, "rows": 0, "columns": 1}


def image_of(spatial_dims: int, *, batch: int = 2, channels: int = 4, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, channels, *SIZES[spatial_dims], generator=generator)


def slice_block(spatial_dims: int = 3, *, channels: int = 4, **options) -> RecurrentSliceAttention:
    torch.manual_seed(0)
    return stirred(RecurrentSliceAttention(channels, spatial_dims=spatial_dims, scaled=True, **options)).eval()


def small_net(attention: str, spatial_dims: int = 3) -> RSANet:
    torch.manual_seed(0)
    options = {"in_channels": 2, "num_classes": 2, "widths": (8, 16, 32), "positions": "111"}
    return stirred(RSANet(spatial_dims=spatial_dims, attention=attention, **options), scale=0.05).eval()


class Fusion(nn.Module):
    """Dual fusion of two parts of the image, so that it takes one image as a network does."""

    def __init__(self, token_grid: int | None, spatial_dims: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = stirred(DualFusionAttention((2, 2), channels=4, token_grid=token_grid, spatial_dims=spatial_dims))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x[:, :2], x[:, 2:])


def derivative_of_context(block: nn.Module, x: Tensor) -> Tensor:
    """d (block(x) − x) / dx of one image with the attention maps held still, (N, N, C, C): query, key, out, in."""
    with torch.no_grad(), capture_attention(block) as maps:
        block(x)
    held = [captured.values for captured in maps.values()]
    turn = iter([])

    def context(z: Tensor) -> Tensor:
        nonlocal turn
        turn = iter(held)
        with edited_maps(block, lambda _: next(turn)):
            return block(z) - z

    jacobian = torch.autograd.functional.jacobian(context, x)[0, ..., 0, :, *[slice(None)] * (x.dim() - 2)]
    channels = x.shape[1]
    voxels = x[0, 0].numel()
    return jacobian.reshape(channels, voxels, channels, voxels).permute(1, 3, 0, 2)


def explicit_paths(block: RecurrentSliceAttention, x: Tensor) -> dict[tuple[str, ...], Tensor]:
    """Every path's (N, N) matrix, written out with Kronecker products."""
    with torch.no_grad(), capture_attention(block) as maps:
        block(x)
    matrices = {key.split(".")[-1]: captured.values[0] for key, captured in maps.items()}
    by_path = {}
    for path in path_strengths(block):
        factors = [torch.eye(n, dtype=x.dtype) for n in x.shape[2:]]
        for plane in path:
            factors[AXIS[plane]] = matrices[plane]
        by_path[path] = reduce(torch.kron, factors)
    return by_path


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_composed_slice_attention_is_the_sum_of_its_paths_written_out(spatial_dims):
    block, x = slice_block(spatial_dims), image_of(spatial_dims, batch=1)
    paths, strengths = explicit_paths(block, x), path_strengths(block)
    explicit = sum(strengths[path] * matrix for path, matrix in paths.items())
    explicit = explicit / explicit.sum(1, keepdim=True)
    for number, voxel in ((0, (0,) * spatial_dims), (-1, tuple(n - 1 for n in x.shape[2:]))):
        torch.testing.assert_close(looks_at(block, x, voxel).flatten(), explicit[number])
        for path, matrix in paths.items():
            torch.testing.assert_close(looks_at(block, x, voxel, path=path).flatten(), matrix[number])


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_without_projections_it_is_exactly_the_derivative_of_the_context(spatial_dims):
    block = slice_block(spatial_dims, projections=False)
    for beta, value in zip(block.betas, (0.4, 0.7, 0.2), strict=False):
        nn.init.constant_(beta, value)
    x = image_of(spatial_dims, batch=1)
    derivative = derivative_of_context(block, x)
    size = derivative.norm(dim=(2, 3)) / math.sqrt(x.shape[1])  # (N, N)
    off_diagonal = derivative - torch.diag_embed(derivative.diagonal(dim1=2, dim2=3))
    assert off_diagonal.abs().max() < 1e-6, "values pass through unmixed"
    strengths = path_strengths(block)
    torch.testing.assert_close(size.sum(1), torch.full((len(size),), sum(strengths.values())))
    voxel = tuple(n // 2 for n in x.shape[2:])
    query = int(torch.arange(len(size)).reshape(x.shape[2:])[voxel])
    torch.testing.assert_close(looks_at(block, x, voxel).flatten(), size[query] / size[query].sum())


def test_with_projections_it_is_the_derivatives_size_where_one_path_leads_and_a_bound_elsewhere():
    block, x = slice_block(), image_of(3, batch=1)
    strengths = path_strengths(block)
    size = (derivative_of_context(block, x).norm(dim=(2, 3)) / math.sqrt(x.shape[1])).reshape(*SIZES[3], *SIZES[3])
    voxel = (1, 2, 3)
    looked_at = looks_at(block, x, voxel)[0] * sum(strengths.values())
    away = torch.ones(SIZES[3], dtype=torch.bool)
    away[1], away[:, 2], away[:, :, 3] = False, False, False
    assert away.sum() == 2 * 3 * 4
    torch.testing.assert_close(looked_at[away], size[voxel][away])
    assert (size[voxel] <= looked_at * (1 + 1e-5)).all()
    assert (size[voxel] < 0.99 * looked_at).any(), "paths of several lengths meet and partly cancel"


def test_a_single_direction_is_its_row_along_a_line_and_nothing_off_it():
    block, x = slice_block(), image_of(3)
    matrices = read_affinities(block, x)["RecurrentSliceAttention"].matrices
    line = looks_at(block, x, (1, 2, 3), path="axial")
    torch.testing.assert_close(line[:, :, 2, 3], matrices["axial"][:, 1])
    assert line[:, :, [0, 1, 3]].abs().max() == 0 and line[:, :, :, [0, 1, 2, 4]].abs().max() == 0


def test_three_steps_reach_every_voxel_by_an_outer_product_of_three_rows():
    block, x = slice_block(), image_of(3, batch=1)
    rows = {p: m[0] for p, m in read_affinities(block, x)["RecurrentSliceAttention"].matrices.items()}
    whole = looks_at(block, x, (2, 0, 4), path=("axial", "coronal", "sagittal"))[0]
    outer = torch.einsum("d,h,w->dhw", rows["axial"][2], rows["coronal"][0], rows["sagittal"][4])
    torch.testing.assert_close(whole, outer)
    assert (whole > 0).all()


def test_at_the_start_slice_attention_looks_at_nothing_because_it_changes_nothing():
    block, x = RecurrentSliceAttention(4), image_of(3)
    affinities = read_affinities(block, x)["RecurrentSliceAttention"]
    assert set(affinities.shares.values()) == {0.0}
    assert looks_at(block, x, (0, 0, 0)).abs().max() == 0
    torch.testing.assert_close(looks_at(block, x, (0, 0, 0), path="axial").sum((1, 2, 3)), torch.ones(2))


def test_shares_of_paths_add_up_and_long_paths_fade_with_beta():
    block = slice_block(projections=False)
    for beta in block.betas:
        nn.init.constant_(beta, 0.1)
    strengths = path_strengths(block)
    assert [len(path) for path in strengths] == [1, 1, 1, 2, 2, 2, 3]
    assert strengths["coronal",] == pytest.approx(0.1) and strengths[PLANES[3]] == pytest.approx(0.001)
    affinities = read_affinities(block, image_of(3))["RecurrentSliceAttention"]
    assert sum(affinities.shares.values()) == pytest.approx(1.0)
    assert affinities.shares_by_steps == pytest.approx({1: 0.3 / 0.331, 2: 0.03 / 0.331, 3: 0.001 / 0.331})


def test_slices_that_are_alike_look_at_each_other_a_known_answer():
    block = SliceAttention(1, plane="axial", projections=False)
    x = torch.zeros(1, 1, 3, 1, 2)
    x[:, :, [0, 2]] = math.sqrt(math.log(2.0) / 2)  # the product of two such slices is ln 2
    expected = torch.tensor([[0.4, 0.2, 0.4], [1 / 3, 1 / 3, 1 / 3], [0.4, 0.2, 0.4]])
    torch.testing.assert_close(slice_matrices(block, x)["SliceAttention"]["axial"][0], expected)
    torch.testing.assert_close(looks_at(block, x, (0, 0, 1), path="axial")[0, :, 0, 1], expected[0])


@pytest.mark.parametrize("plane", PLANES[3])
def test_mirroring_the_image_mirrors_that_directions_matrix_and_no_other(plane):
    block, x = slice_block(), image_of(3)
    straight = slice_matrices(block, x)["RecurrentSliceAttention"]
    mirrored = slice_matrices(block, x.flip(2 + AXIS[plane]))["RecurrentSliceAttention"]
    for name, matrix in straight.items():
        expected = matrix.flip(1, 2) if name == plane else matrix
        torch.testing.assert_close(mirrored[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_the_image_mirrors_what_a_voxel_looks_at(axis):
    x, voxel = image_of(3), [1, 3, 0]
    there = [n - 1 - index if place == axis else index for place, (index, n) in
             enumerate(zip(voxel, SIZES[3], strict=True))]  # fmt: skip
    torch.manual_seed(0)
    whole = stirred(NonLocal(4, sub_sample=False)).eval()
    for block in (slice_block(), whole, Fusion(None)):
        expected = looks_at(block, x, voxel).flip(1 + axis)
        torch.testing.assert_close(looks_at(block, x.flip(2 + axis), there), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("attention", ["rsa", "non_local"])
@pytest.mark.parametrize("batch", [1, 2])
def test_rows_and_means_sum_to_one_on_the_images_grid_at_every_layer(attention, spatial_dims, batch):
    net, size = small_net(attention, spatial_dims), (9, 14, 11)[:spatial_dims]
    x = torch.randn(batch, 2, *size, generator=torch.Generator().manual_seed(2))
    assert list(affinity_layers(net)) == ["attention.encoder", "attention.center", "attention.decoder"]
    for layer in affinity_layers(net):
        one, mean = looks_at(net, x, (8, 0, 10)[:spatial_dims], layer=layer), received_attention(net, x, layer=layer)
        for rows in (one, mean):
            assert rows.shape == (batch, *size) and rows.min() >= 0
            torch.testing.assert_close(rows.flatten(1).sum(1), torch.ones(batch))
    for matrices in slice_matrices(net, x).values():
        assert set(matrices) == set(PLANES[spatial_dims])
        assert attention != "rsa" or tuple(matrices) == PLANES[spatial_dims], "in the order of the steps"
        for plane, matrix in matrices.items():
            assert matrix.shape == (batch, size[AXIS[plane]], size[AXIS[plane]])
            torch.testing.assert_close(matrix.sum(-1), torch.ones(matrix.shape[:2]))


def test_row_k_is_image_slice_k_and_the_slices_of_a_coarse_layer_cover_their_own_image_slices():
    assert cells(8, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert cells(9, 5).tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert cells(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert cells(7, 1).tolist() == [0] * 7
    net = small_net("rsa")
    x = torch.randn(1, 2, 8, 16, 12, generator=torch.Generator().manual_seed(3))
    coarse = read_affinities(net, x)["attention.encoder"].matrices["axial"][0]  # (4, 4)
    fine = slice_matrices(net, x)["attention.encoder"]["axial"][0]  # (8, 8)
    assert coarse.shape == (4, 4) and fine.shape == (8, 8)
    # A kernel of 3, stride 2 and padding 1 looks at slices 0, 2, 4 and 6: slice 1, halfway, belongs to the later one.
    rows = [0, 1, 1, 2, 2, 3, 3, 3]
    torch.testing.assert_close(fine[:, ::2] / fine[:, ::2].sum(1, keepdim=True), coarse[rows])
    halfway = (fine[:, 2] + fine[:, 4]) / 2
    torch.testing.assert_close(fine[:, 3], halfway)


def test_a_box_moves_the_cells_and_beyond_it_the_outermost_ones_hold():
    assert cells(8, 4, (-0.5, 7.5)).tolist() == [0, 1, 1, 2, 2, 3, 3, 3]
    assert cells(6, 2, (2.0, 6.0)).tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("stride", [2, 4])
def test_behind_a_stride_a_voxel_still_finds_the_other_bright_one_where_it_is(stride):
    """Edge on edge it would be found (stride − 1) / 2 voxels away."""
    look = nn.Conv3d(1, 1, 3, stride=stride, padding=1, bias=False)
    nn.init.dirac_(look.weight)
    model = nn.Sequential(look, NonLocal(1, mode="gaussian", sub_sample=False, hidden_channels=1))
    x = torch.zeros(1, 1, 16, 20, 24)
    here, there = (4, 8, 12), (12, 4, 8)
    x[(0, 0, *here)] = x[(0, 0, *there)] = 4.0
    looked_at = looks_at(model, x, here)[0]
    peaks = looked_at.flatten().topk(2)
    assert {tuple(int(i) for i in torch.unravel_index(p, looked_at.shape)) for p in peaks.indices} == {here, there}
    mask = torch.zeros(1, 16, 20, 24)
    mask[(0, *here)] = 1
    torch.testing.assert_close(received_attention(model, x, voxels=mask)[0], looked_at)
    for plane, axis in AXIS.items():
        if plane in PLANES[3]:
            matrix = slice_matrices(model, x)["1"][plane][0]
            assert matrix[here[axis]].argmax() in (here[axis], there[axis])


def test_a_slices_row_is_the_line_that_its_voxels_look_along():
    net = small_net("rsa")
    x = torch.randn(1, 2, 8, 16, 12, generator=torch.Generator().manual_seed(3))
    for k in (0, 3, 7):
        volume = looks_at(net, x, (k, 5, 5), layer="attention.encoder", path="axial")
        row = slice_matrices(net, x)["attention.encoder"]["axial"][0, k]
        torch.testing.assert_close(volume.sum((2, 3))[0], row)


@pytest.mark.parametrize("size", [(3, 6, 4), (3, 5, 7)])
def test_non_local_rows_are_the_captured_matrix_given_back_to_the_voxels(size):
    torch.manual_seed(0)
    block = stirred(NonLocal(4)).eval()
    x = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), capture_attention(block) as maps:
        block(x)
    d, h, w = 2, 4, 1
    row = maps["affinity"].values[:, d, h, w]  # (B, d', h', w')
    looked_at = looks_at(block, x, (d, h, w))
    pooled = F.avg_pool3d(looked_at, (1, 2, 2), divisor_override=1)
    torch.testing.assert_close(pooled, row)
    if size[1] % 2:
        assert looked_at[:, :, -1].abs().max() == 0, "no key was made from the last row of an odd axis"


def test_a_bright_voxel_finds_the_other_bright_voxel_where_it_is():
    block = NonLocal(1, mode="gaussian", sub_sample=False, hidden_channels=1)
    x = torch.zeros(1, 1, 5, 6, 7)
    x[0, 0, 1, 2, 3] = x[0, 0, 4, 0, 5] = 4.0
    looked_at = looks_at(block, x, (1, 2, 3))[0]
    there = math.exp(16.0) / (2 * math.exp(16.0) + 5 * 6 * 7 - 2)
    torch.testing.assert_close(looked_at[4, 0, 5], torch.tensor(there))
    torch.testing.assert_close(looked_at[1, 2, 3], torch.tensor(there))
    even = looks_at(block, x, (0, 0, 0))
    torch.testing.assert_close(even, torch.full_like(even, 1 / 210))
    seen = whereabouts(looked_at, (x[0, 0] > 0))
    assert seen.peak in ((1, 2, 3), (4, 0, 5)) and seen.half_mass_share == pytest.approx(2 / 210)
    assert seen.in_mask == pytest.approx(2 * there) and seen.mask_share == pytest.approx(2 / 210)


def test_a_row_without_softmax_keeps_its_signs_and_its_sum():
    torch.manual_seed(0)
    block = stirred(NonLocal(4, mode="dot_product")).eval()
    x = torch.randn(1, 4, 2, 6, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), capture_attention(block) as maps:
        block(x)
    row, looked_at = maps["affinity"].values[0, 1, 5, 0], looks_at(block, x, (1, 5, 0))[0]
    assert looked_at.min() < 0 < looked_at.max()
    torch.testing.assert_close(looked_at.sum(), row.sum())


@pytest.mark.parametrize("make", [lambda: slice_block(), lambda: stirred(NonLocal(4)), lambda: Fusion(2)])
def test_received_attention_is_the_mean_of_the_rows_of_those_who_ask(make):
    model, x = make(), torch.randn(2, 4, 4, 4, 6, generator=torch.Generator().manual_seed(5))
    mask = torch.zeros(2, 1, 4, 4, 6)
    voxels = [(0, 1, 2), (3, 3, 5), (2, 0, 0)]
    for voxel in voxels:
        mask[(slice(None), 0, *voxel)] = 1
    rows = torch.stack([looks_at(model, x, voxel) for voxel in voxels])
    torch.testing.assert_close(received_attention(model, x, voxels=mask), rows.mean(0), rtol=1e-4, atol=1e-7)
    every = torch.stack([looks_at(model, x, (d, h, w)) for d in range(4) for h in range(4) for w in range(6)])
    torch.testing.assert_close(received_attention(model, x), every.mean(0), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("plane", PLANES[3])
def test_a_non_local_blocks_slices_are_the_means_of_their_voxels_rows(plane):
    torch.manual_seed(0)
    block, x = stirred(NonLocal(4)).eval(), torch.randn(2, 4, 3, 5, 4, generator=torch.Generator().manual_seed(5))
    matrix, axis = slice_matrices(block, x)["NonLocal"][plane], AXIS[plane]
    rows = torch.stack([looks_at(block, x, (d, h, w)) for d in range(3) for h in range(5) for w in range(4)])
    rows = rows.movedim(2 + axis, -1).sum((2, 3)).reshape(3, 5, 4, 2, -1)  # query d, h, w; batch; key slice
    expected = rows.movedim(axis, 0).mean((1, 2)).movedim(1, 0)
    torch.testing.assert_close(matrix, expected)


def test_those_who_ask_are_each_images_own_and_an_image_without_any_gets_nothing():
    block, x = slice_block(), image_of(3)
    mask = torch.zeros(2, *SIZES[3])
    mask[0, 1, 2, 3] = 1
    received = received_attention(block, x, voxels=mask)
    torch.testing.assert_close(received[:1], looks_at(block, x, (1, 2, 3))[:1])
    assert received[1].abs().max() == 0


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_dual_fusion_rows_are_those_of_the_tokens_or_of_the_voxels(spatial_dims):
    size = (6, 4, 8)[:spatial_dims]
    x = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(4))
    for token_grid, voxel, token in ((2, (5, 1, 4), (1, 0, 1)), (16, (5, 1, 4), (5, 1, 4))):
        model = Fusion(token_grid, spatial_dims)
        with torch.no_grad(), capture_attention(model) as maps:
            model(x)
        row = maps["head.global_fusion.affinity"].values[(slice(None), *token[:spatial_dims])]
        mode = "bilinear" if spatial_dims == 2 else "trilinear"
        expected = F.interpolate(row[:, None], size=size, mode=mode, align_corners=False)[:, 0]
        expected = expected / expected.flatten(1).sum(1).reshape(-1, *[1] * spatial_dims)
        torch.testing.assert_close(looks_at(model, x, voxel[:spatial_dims]), expected)


def test_exact_dual_fusion_is_looked_at_without_ever_building_its_matrix(monkeypatch):
    built = []
    plain = VoxelAffinity.forward

    def counted(self, query: Tensor, key: Tensor) -> Tensor:
        built.append(query[0, 0].numel())
        return plain(self, query, key)

    monkeypatch.setattr(VoxelAffinity, "forward", counted)
    model, x = Fusion(None), torch.randn(1, 4, 8, 8, 8, generator=torch.Generator().manual_seed(4))
    looked_at = looks_at(model, x, (7, 0, 3))
    assert built == [1]
    torch.testing.assert_close(looked_at, looks_at(Fusion(16), x, (7, 0, 3)))


def test_rows_are_averaged_in_parts_and_the_parts_do_not_show(monkeypatch):
    torch.manual_seed(0)
    model, x = stirred(NonLocal(4)).eval(), image_of(3)
    whole = received_attention(model, x)
    monkeypatch.setattr("medattn_lite.explain.attention.voxel_affinities.MOST_WEIGHTS", 70)
    torch.testing.assert_close(received_attention(model, x), whole)


@pytest.mark.parametrize("attention", ["rsa", "non_local"])
def test_the_model_is_left_as_it_was(attention):
    net = small_net(attention).train()
    x = torch.randn(1, 2, 8, 8, 8)
    before = net(x).shape, [p.grad for p in net.parameters()]
    received_attention(net, x)
    assert net.training and not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert (net(x).shape, [p.grad for p in net.parameters()]) == before
    with pytest.raises(UserError, match="choose one of attention.encoder"):
        looks_at(net, x, (0, 0, 0), layer="center")
    assert net.training and not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: looks_at(nn.Conv3d(4, 4, 1), image_of(3), (0, 0, 0)), "Conv3d has no affinity"),
        (lambda: looks_at(slice_block(), image_of(3), (3, 0, 0)), "is not in an image of"),
        (lambda: looks_at(slice_block(), image_of(3), (0, 0)), "give 3 indices"),
        (lambda: looks_at(slice_block(), image_of(3), (0, 0, 0), path="rows"), "its steps coronal, sagittal"),
        (lambda: looks_at(NonLocal(4), image_of(3), (0, 0, 0), path="axial"), "no paths"),
        (lambda: looks_at(slice_block(2), image_of(2)[0], (0, 0)), "a batch"),
        (lambda: slice_matrices(nn.Conv3d(4, 4, 1), image_of(3)), "has no affinity"),
        (lambda: received_attention(slice_block(), image_of(3), voxels=torch.ones(2, 3, 4)), "give a mask of shape"),
        (lambda: whereabouts(torch.zeros(2, 2, 2)), "0 everywhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_in_one_line(ask, says):
    with pytest.raises(UserError, match=says):
        ask()


def test_a_fusion_alone_knows_its_tokens():
    tokens = GlobalFusion(token_grid=2).to_tokens(torch.arange(64.0).reshape(1, 1, 4, 4, 4))
    assert tokens.shape == (1, 1, 2, 2, 2) and tokens[0, 0, 0, 0, 0] == pytest.approx(10.5)
