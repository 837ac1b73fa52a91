"""Losses of segmentation against hand-computed values."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch.nn import functional as F

from medattn_lite.errors import UserError
from medattn_lite.training.losses import LesionCrossEntropy, RegionDiceLoss, equal_cross_entropy, lesion_weights


def test_dice_loss_equals_the_formula_for_each_region_and_image():
    logits = torch.randn(2, 3, 4, 3, 2)
    regions = (torch.rand(2, 3, 4, 3, 2) > 0.6).to(torch.uint8)
    losses = []
    for image in range(2):
        for region in range(3):
            p, y = logits[image, region].sigmoid(), regions[image, region]
            losses.append(1 - (2 * (p * y).sum() + 1e-5) / (p.sum() + y.sum() + 1e-5))
    torch.testing.assert_close(RegionDiceLoss()(logits, regions), torch.stack(losses).mean())


def test_dice_loss_is_0_for_the_truth_1_for_its_opposite_and_defined_without_a_tumour():
    regions = torch.zeros(1, 1, 4, 4, 4)
    regions[..., :2] = 1
    loss = RegionDiceLoss()
    assert loss(100 * (2 * regions - 1), regions) < 1e-5
    assert loss(-100 * (2 * regions - 1), regions) > 0.999
    logits = torch.full_like(regions, -100.0, requires_grad=True)
    empty = loss(logits, torch.zeros_like(regions))
    assert empty < 1e-4
    empty.backward()
    assert logits.grad.isfinite().all()


def test_the_printed_weights_count_a_lesion_less_and_the_swapped_ones_more():
    background, lesion = lesion_weights()
    assert (round(background, 3), round(lesion, 3)) == (0.731, 0.269)
    assert lesion_weights(swapped=True) == (lesion, background)
    assert background + lesion == pytest.approx(1)
    assert lesion_weights(0.5) == pytest.approx((0.5, 0.5))
    assert lesion_weights(0.2)[1] == pytest.approx(math.exp(0.2) / (math.exp(0.2) + math.exp(0.8)))


def test_the_ratio_of_the_weights_never_exceeds_e():
    ratios = [max(lesion_weights(share / 100)) / min(lesion_weights(share / 100)) for share in range(101)]
    assert max(ratios) == pytest.approx(math.e)


def test_the_printed_weights_warn_and_the_swapped_ones_do_not():
    with pytest.warns(UserWarning, match="a lesion voxel 0.269 and a background voxel 0.731.*swapped=True"):
        LesionCrossEntropy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LesionCrossEntropy(swapped=True)


@pytest.mark.filterwarnings("ignore:these weights")
@pytest.mark.parametrize("swapped", [False, True])
def test_lesion_cross_entropy_is_the_weighted_mean_over_voxels(swapped):
    logits, mask = torch.randn(2, 2, 3, 4, 5), (torch.rand(2, 1, 3, 4, 5) > 0.7).to(torch.uint8)
    background, lesion = lesion_weights(swapped=swapped)
    log_p = F.log_softmax(logits, dim=1)
    weight = torch.where(mask[:, 0] == 1, lesion, background)
    chosen = torch.where(mask[:, 0] == 1, log_p[:, 1], log_p[:, 0])
    expected = -(weight * chosen).sum() / weight.sum()
    torch.testing.assert_close(LesionCrossEntropy(swapped=swapped)(logits, mask), expected)


def test_a_scan_without_lesions_has_a_finite_loss():
    logits = torch.zeros(1, 2, 2, 2, 2, requires_grad=True)
    loss = LesionCrossEntropy(swapped=True)(logits, torch.zeros(1, 1, 2, 2, 2))
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert logits.grad.isfinite().all()


def test_the_weights_travel_with_the_loss_to_a_device_and_precision():
    loss = LesionCrossEntropy(swapped=True).to("meta")
    assert loss.weight.device.type == "meta"
    half = LesionCrossEntropy(swapped=True)(torch.zeros(1, 2, 2, 2, dtype=torch.float64), torch.zeros(1, 1, 2, 2))
    assert half.dtype == torch.float64


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: RegionDiceLoss()(torch.zeros(1, 3, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2)), "make them equal"),
        (lambda: LesionCrossEntropy(swapped=True)(torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)), "2 classes"),
        (lambda: LesionCrossEntropy(swapped=True)(torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 2, 3)), "make them equal"),
        (lambda: lesion_weights(1.5), "between 0 and 1"),
    ],
)
def test_masks_that_do_not_fit_are_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()


def test_equal_cross_entropy_is_the_mean_over_voxels():
    generator = torch.Generator().manual_seed(1)
    logits, mask = torch.randn(2, 2, 3, 4, 5, generator=generator), torch.zeros(2, 1, 3, 4, 5, dtype=torch.uint8)
    mask[:, :, :1] = 1
    chance = logits.softmax(1)
    right = torch.where(mask[:, 0] > 0, chance[:, 1], chance[:, 0])
    assert equal_cross_entropy(logits, mask) == pytest.approx(float(-right.log().mean()))
    with pytest.raises(UserError):
        equal_cross_entropy(logits, mask[:1])
