"""Scores of segmentation: known answers, both averages, empty masks, millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.evaluation.segmentation import (
    LesionCounts,
    dice,
    hausdorff95,
    iou,
    lesion_counts,
    sample_average,
    voxel_average,
    voxel_counts,
)


def cube(start: tuple[int, int, int], side: int = 8, shape: tuple[int, int, int] = (24, 24, 24)) -> np.ndarray:
    mask = np.zeros(shape, dtype=np.uint8)
    mask[tuple(slice(s, s + side) for s in start)] = 1
    return mask


def stripe(voxels: int, of: int = 20) -> np.ndarray:
    """(1, 1, 1, of) with the first voxels set."""
    return (np.arange(of) < voxels).reshape(1, 1, 1, of)


EMPTY = np.zeros((24, 24, 24), dtype=np.uint8)


def test_counts_are_found_wrongly_found_and_missed_for_each_patient_and_region():
    predicted = np.array([[[1, 1, 1, 0, 0]], [[0, 0, 0, 0, 1]]])[:, None]  # (2 regions, 1, 1, 5)
    truth = np.array([[[0, 1, 1, 1, 1]], [[0, 0, 0, 0, 1]]])[:, None]
    smaller = np.array([[[1]], [[0]]])[:, None]
    counts = voxel_counts([predicted, smaller], [truth, 1 - smaller])
    assert counts.true_positive.tolist() == [[2, 1], [0, 0]]
    assert counts.false_positive.tolist() == [[1, 0], [1, 0]]
    assert counts.false_negative.tolist() == [[2, 0], [0, 1]]


def test_dice_and_iou_have_known_values():
    counts = np.array([2, 0, 3]), np.array([1, 0, 0]), np.array([2, 5, 0])
    np.testing.assert_allclose(dice(*counts), [4 / 7, 0, 1])
    np.testing.assert_allclose(iou(*counts), [2 / 5, 0, 1])


def test_dice_equals_monais_on_random_masks():
    import torch
    from monai.metrics import compute_dice, compute_iou

    rng = np.random.default_rng(0)
    predicted, truth = rng.random((2, 5, 3, 4, 6, 7)) < 0.4
    counts = voxel_counts(list(predicted), list(truth))
    columns = counts.true_positive, counts.false_positive, counts.false_negative
    tensors = torch.from_numpy(predicted), torch.from_numpy(truth)
    np.testing.assert_allclose(dice(*columns), compute_dice(*tensors), rtol=1e-6)
    np.testing.assert_allclose(iou(*columns), compute_iou(*tensors), rtol=1e-6)


def test_a_sample_average_counts_patients_and_a_voxel_average_voxels():
    predicted, truth = [stripe(1), stripe(10)], [stripe(3), stripe(10)]
    counts = voxel_counts(predicted, truth)
    columns = [column[:, 0] for column in (counts.true_positive, counts.false_positive, counts.false_negative)]
    assert sample_average(dice)(*columns) == pytest.approx((2 / 4 + 1) / 2)
    assert voxel_average(dice)(*columns) == pytest.approx(22 / 24)
    assert sample_average(iou)(*columns) == pytest.approx((1 / 3 + 1) / 2)
    assert voxel_average(iou)(*columns) == pytest.approx(11 / 13)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    counts = voxel_counts([stripe(0), stripe(0), stripe(4)], [stripe(0), stripe(4), stripe(0)])
    columns = counts.true_positive, counts.false_positive, counts.false_negative
    assert dice(*columns)[:, 0].tolist() == iou(*columns)[:, 0].tolist() == [1, 0, 0]
    assert voxel_average(dice)(*(column[:1] for column in columns)) == 1


@pytest.mark.parametrize("axis, spacing", [(0, 3.0), (1, 1.0), (2, 0.5)])
def test_the_hausdorff_distance_of_two_shifted_cubes_is_the_shift_in_mm(axis, spacing):
    start = [8, 8, 8]
    start[axis] += 4
    distance = hausdorff95(cube((8, 8, 8)), cube(tuple(start)), spacing_mm=(3.0, 1.0, 0.5))
    assert distance == pytest.approx(4 * spacing)


def test_the_95_percent_distance_forgives_a_stray_voxel_that_the_maximum_would_not():
    stray = cube((8, 8, 8))
    stray[0, 0, 0] = 1
    assert hausdorff95(stray, cube((8, 8, 8)), spacing_mm=(1, 1, 1)) == 0
    many = cube((8, 8, 8)) | cube((0, 0, 0), side=4)
    assert hausdorff95(many, cube((8, 8, 8)), spacing_mm=(1, 1, 1)) > 8


def test_the_hausdorff_distance_is_the_larger_of_both_directions():
    small, both = cube((2, 2, 2), side=4), cube((2, 2, 2), side=4) | cube((16, 2, 2), side=4)
    there, back = (hausdorff95(*pair, spacing_mm=(2, 1, 1)) for pair in ((small, both), (both, small)))
    assert there == back == pytest.approx(2 * 14)


def test_the_hausdorff_distance_of_empty_masks_is_defined():
    spacing = (2.0, 1.0, 1.0)
    assert hausdorff95(EMPTY, EMPTY, spacing_mm=spacing) == 0
    diagonal = np.sqrt(48**2 + 24**2 + 24**2)
    assert hausdorff95(EMPTY, cube((1, 1, 1)), spacing_mm=spacing) == pytest.approx(diagonal)
    assert hausdorff95(cube((1, 1, 1)), EMPTY, spacing_mm=spacing) == pytest.approx(diagonal)
    brats = np.zeros((155, 240, 240), dtype=bool)
    assert hausdorff95(brats, ~brats, spacing_mm=(1, 1, 1)) == pytest.approx(373.13, abs=0.01)


def test_slices_have_a_hausdorff_distance_too():
    first, second = np.zeros((2, 20, 20), dtype=bool)
    first[5:10, 5:10] = second[5:10, 8:13] = True
    assert hausdorff95(first, second, spacing_mm=(1, 2)) == 6


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: voxel_counts([], []), "0 predictions for 0 masks"),
        (lambda: voxel_counts([stripe(1)], []), "1 predictions for 0 masks"),
        (lambda: voxel_counts([stripe(1)], [stripe(1, of=9)]), "prediction 0 has shape"),
        (lambda: voxel_counts([stripe(1) * 2], [stripe(1)]), "prediction 0 holds \\[0, 2\\]"),
        (lambda: voxel_counts([stripe(1)], [stripe(1) * 0.5]), "mask 0 holds"),
        (lambda: voxel_counts([stripe(1), stripe(1).repeat(2, 0)], [stripe(1), stripe(1).repeat(2, 0)]), "same ones"),
        (lambda: hausdorff95(EMPTY, EMPTY[1:], spacing_mm=(1, 1, 1)), "make them equal"),
        (lambda: hausdorff95(EMPTY, EMPTY, spacing_mm=(1, 1)), "give 3 numbers above 0"),
        (lambda: hausdorff95(EMPTY, EMPTY, spacing_mm=(1, 0, 1)), "give 3 numbers above 0"),
    ],
)
def test_masks_that_do_not_fit_are_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()


def test_lesions_are_counted_as_groups_that_touch_even_by_a_corner():
    truth, predicted = np.zeros((2, 4, 9, 9), bool)
    truth[0, 0, 0] = truth[1, 1, 1] = True  # one lesion, by a corner
    truth[3, 8, 8] = True
    truth[0, 8, 0] = True
    assert lesion_counts(predicted, truth) == LesionCounts(3, 0, 0)
    predicted[1, 1, 1] = predicted[0, 8, 0] = True
    predicted[2, 4, 4] = predicted[2, 4, 5] = True
    assert lesion_counts(predicted, truth) == LesionCounts(3, 2, 1)
    assert lesion_counts(truth, predicted) == LesionCounts(3, 2, 1)
    everything = np.ones_like(truth)
    assert lesion_counts(everything, truth) == LesionCounts(3, 3, 0)  # one group, and it holds lesions
    with pytest.raises(UserError, match="make them equal"):
        lesion_counts(predicted[:2], truth)
