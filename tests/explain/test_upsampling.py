"""A layer's map lies where its layer looked: slice k on slice k, whatever the sizes."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.processing import resample_from_to
from torch import nn

from medattn_lite.attention import InterSliceAttention
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import capture_attention
from medattn_lite.explain.grids.upsampling import to_image_grid

SIZES = [
    ((4, 6, 6), (32, 48, 48)),
    ((5, 3, 4), (33, 48, 37)),  # odd sizes, another ratio along each axis
    ((2, 7, 5), (24, 29, 31)),
    ((3, 3, 3), (3, 9, 27)),  # anisotropic: one axis as it was
    ((4, 5), (32, 41)),
    ((7, 2), (21, 64)),
]


def centres(n: int, length: int) -> np.ndarray:
    """Where a layer's voxels are centred among the image's, if both grids cover the same box."""
    return (np.arange(n) + 0.5) * length / n - 0.5


@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_slice_k_of_a_map_lies_on_slice_k_of_the_image_along_every_axis(grid: tuple, size: tuple) -> None:
    for axis, (n, length) in enumerate(zip(grid, size, strict=True)):
        shape = [1] * len(grid)
        shape[axis] = n
        ramp = torch.from_numpy(centres(n, length)).reshape(shape).expand(grid)  # each voxel says where it is
        fine = to_image_grid(ramp, size)
        assert fine.shape == size
        slices = fine.movedim(axis, 0).flatten(1)
        wanted = torch.arange(length).clamp(centres(n, length)[0], centres(n, length)[-1]).double()
        assert torch.allclose(slices, wanted[:, None].expand_as(slices), atol=1e-6)


@pytest.mark.parametrize(("grid", "size"), SIZES[:4])
def test_the_map_lies_where_its_voxels_lie_in_millimetres(grid: tuple, size: tuple) -> None:
    """Against nibabel, which knows affines and nothing of this package."""
    values = np.random.default_rng(0).normal(size=grid)
    fine_affine = np.diag([2.0, 1.5, 0.7, 1.0])
    ratio = np.divide(size, grid)
    to_fine = np.diag([*ratio, 1.0])
    to_fine[:3, 3] = (ratio - 1) / 2  # edge on edge
    coarse = nib.Nifti1Image(values, fine_affine @ to_fine)
    wanted = resample_from_to(coarse, (size, fine_affine), order=1, mode="nearest").get_fdata()
    assert np.allclose(to_image_grid(torch.from_numpy(values), size).numpy(), wanted, atol=1e-6)


def test_a_map_of_the_image_s_size_is_left_alone_and_a_mirrored_one_comes_out_mirrored() -> None:
    values = torch.randn(2, 5, 7, 3)
    assert torch.equal(to_image_grid(values, (5, 7, 3)), values)
    assert torch.allclose(to_image_grid(values.flip(1), (31, 28, 17)), to_image_grid(values, (31, 28, 17)).flip(1),
                          atol=1e-6)


@pytest.mark.parametrize("number", range(5))
def test_a_bright_slice_of_a_layer_is_brightest_on_its_own_slices(number: int) -> None:
    values = torch.zeros(1, 5, 4, 4)
    values[:, number] = 1
    brightest = int(to_image_grid(values, (37, 16, 16))[0, :, 8, 8].argmax())
    assert number * 37 / 5 <= brightest + 0.5 <= (number + 1) * 37 / 5


@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_edge_on_edge_is_torch_s_interpolation_without_aligned_corners(grid: tuple, size: tuple) -> None:
    values = torch.randn(2, 3, *grid)
    mode = {2: "bilinear", 3: "trilinear"}[len(size)]
    wanted = nn.functional.interpolate(values, size=size, mode=mode, align_corners=False)
    assert torch.allclose(to_image_grid(values, size), wanted, atol=1e-6)


def test_a_map_of_another_box_is_cut_or_continued_not_squeezed() -> None:
    ramp = torch.from_numpy(centres(4, 32)).reshape(4, 1, 1).expand(4, 2, 2)
    fine = to_image_grid(ramp, (27, 9, 9), box=((0, 32), (0, 16), (0, 16)))  # padded at the far end
    assert torch.allclose(fine[:, 0, 0], torch.arange(27).clamp(3.5, 27.5).double())
    lower = to_image_grid(ramp - 3.5, (32, 9, 9), box=((-3.5, 28.5), (0, 9), (0, 9)))  # voxels 0, 8, 16 and 24
    assert torch.allclose(lower[:, 0, 0], torch.arange(32).clamp(0, 24).double())


def test_inter_slice_attention_gives_each_slice_of_the_image_its_number() -> None:
    module = InterSliceAttention(16)
    with torch.no_grad(), capture_attention(module) as maps:
        module(torch.randn(2, 16, 6, 5, 5))
    by_slice = to_image_grid(maps["channel"].values.mean(dim=(1, 3, 4)), (24,))
    assert by_slice.shape == (2, 24)
    coarse = maps["channel"].values.mean(dim=(1, 3, 4))  # (2, 6): slice i of the layer covers 4i … 4i + 3
    assert torch.allclose(by_slice[:, 1:-1].unfold(1, 4, 4)[:, :1].mean(-1), by_slice[:, 1:5].mean(-1, keepdim=True))
    for place in range(6):  # the middle of the layer's slice is between the image's slices 4i + 1 and 4i + 2
        middle = by_slice[:, 4 * place + 1 : 4 * place + 3].mean(dim=1)
        neighbours = coarse[:, [max(place - 1, 0), place, min(place + 1, 5)]]
        assert torch.allclose(middle, neighbours @ torch.tensor([0.0625, 0.875, 0.0625]), atol=1e-6)


def test_a_map_or_box_that_does_not_fit_is_a_mistake_of_one_line() -> None:
    with pytest.raises(UserError, match="cannot bring a map"):
        to_image_grid(torch.randn(8), (8, 8))
    for box in (((0, 8),), ((0, 8), (8, 0))):
        with pytest.raises(UserError, match="reaches from one place"):
            to_image_grid(torch.randn(4, 4), (8, 8), box=box)
