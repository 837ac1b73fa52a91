"""Deletion and insertion: the true map empties the score first, the opposite map last, whatever the dimensions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.perturbation import deletion_curve, empty_like, insertion_curve
from medattn_lite.explain.model.targets import ClassLogit, RegionSum

SIZES = {2: (17, 15), 3: (9, 10, 11)}


class SumInside(nn.Module):
    """Logits (0, sum of channel 0 over the signal): what decides is known."""

    def __init__(self, signal):
        super().__init__()
        self.register_buffer("signal", signal)

    def forward(self, x):  # (B, C, …)
        total = (x[:, 0] * self.signal).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(total), total], dim=1)


@pytest.fixture(params=[2, 3], ids=["2-D", "3-D"])
def case(request):
    size = SIZES[request.param]
    signal = torch.zeros(size)
    signal[tuple(slice(2, 5) for _ in size)] = 1
    image = torch.randn(1, 2, *size, generator=torch.Generator().manual_seed(0)) * 0.1
    image[0, 0] += signal
    return SumInside(signal), image, signal


@pytest.mark.parametrize("fill", ["blur", "dark"])
def test_the_true_map_wins_at_both_and_its_opposite_loses(case, fill):
    model, image, signal = case
    noise = torch.rand(signal.shape, generator=torch.Generator().manual_seed(1))
    areas = {
        name: [curve(model, image, values, target=ClassLogit(1), fill=fill, block=1).area
               for curve in (deletion_curve, insertion_curve)]
        for name, values in (("true", signal), ("noise", noise), ("opposite", -signal))
    }  # fmt: skip
    assert areas["true"][0] < areas["noise"][0] < areas["opposite"][0]
    assert areas["true"][1] > areas["noise"][1] > areas["opposite"][1]
    assert areas["true"][0] < 0.2 and areas["true"][1] > 0.8


def test_both_curves_run_between_the_whole_and_the_empty_image(case):
    model, image, signal = case
    whole = float(model(image)[0, 1])
    empty = float(model(empty_like(image))[0, 1])
    out, back = (curve(model, image, signal, target=ClassLogit(1), steps=7)
                 for curve in (deletion_curve, insertion_curve))  # fmt: skip
    assert [float(out.scores[k]) for k in (0, -1)] == pytest.approx([whole, empty], abs=1e-4)
    assert [float(back.scores[k]) for k in (0, -1)] == pytest.approx([empty, whole], abs=1e-4)
    assert out.scaled[0] == 1 and out.scaled[-1] == 0 and len(out.shares) == 8


def test_voxels_that_do_not_count_are_never_touched(case):
    model, image, signal = case
    curve = deletion_curve(model, image, signal, target=ClassLogit(1), within=1 - signal)
    assert curve.scores.std() < 1e-4 and math.isnan(curve.area), "the signal is kept, so nothing changes"


def test_blocks_go_as_one(case):
    _, image, signal = case
    seen = []

    class Watch(nn.Module):
        def forward(self, x):
            seen.append(x.clone())
            return x.flatten(1)[:, :2]

    deletion_curve(Watch(), image, signal, target=ClassLogit(1), steps=4, block=3, fill="dark")
    changed = (torch.cat(seen) != image).any(1)  # (P, …)
    first = changed[:, : 3, : 3] if signal.dim() == 2 else changed[:, :3, :3, :3]
    flat = first.flatten(1).float().mean(1)
    assert set(flat.tolist()) <= {0.0, 1.0}


def test_the_region_of_a_segmentation_is_the_one_of_the_whole_image():
    class Threshold(nn.Module):
        def forward(self, x):  # (B, 1, D, H, W) to (B, 2, D, H, W)
            return torch.cat([torch.zeros_like(x), x - 0.5], dim=1)

    image = torch.zeros(1, 1, 6, 6, 6)
    image[0, 0, 2:4, 2:4, 2:4] = 1
    curve = deletion_curve(Threshold(), image, image[0, 0], target=RegionSum(1), steps=5, block=1, fill="dark")
    assert curve.scores[0] == pytest.approx(8 * 0.5) and curve.scores[-1] == pytest.approx(-8 * 0.5)


def test_a_batch_or_another_grid_is_refused(case):
    model, image, signal = case
    with pytest.raises(UserError, match="one image and its map"):
        deletion_curve(model, image.repeat(2, *[1] * (image.dim() - 1)), signal, target=ClassLogit(1))
    with pytest.raises(UserError, match="one image and its map"):
        deletion_curve(model, image, signal[:-1], target=ClassLogit(1))
    with pytest.raises(UserError, match="unknown fill"):
        deletion_curve(model, image, signal, target=ClassLogit(1), fill="white")
