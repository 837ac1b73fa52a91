"""The intensity scale: what a lesion does to the numbers of tissue it does not touch, by size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from medattn_lite.data.intensity import centre_and_scale
from medattn_lite.data.phantom import Subject, glioma, healthy, meningioma, ms_lesions
from medattn_lite.data.phantom.anatomy import anatomy_of, forget
from medattn_lite.data.phantom.geometry import make_grid
from medattn_lite.data.transforms import foreground, normalise
from medattn_lite.errors import UserError

SHAPE, SPACING_MM = (48, 56, 48), 3.5


def shifts(make, seeds: range) -> np.ndarray:
    """How far the scale moves when the same person gets a disease, in its own units (4 from air to white matter)."""
    moves = []
    for seed in seeds:
        sick = Subject(make(seed), seed)
        centres = []
        for one in (sick, replace(sick, pathology=healthy())):
            image = one.render(shape=SHAPE, spacing_mm=SPACING_MM)["image"]
            centres.append(centre_and_scale(image, foreground(image)[0])[0])
        forget()
        moves.append(float((4 * (centres[0] - centres[1]) / centres[1]).abs().max()))
    return np.array(moves)


@pytest.mark.slow
@pytest.mark.parametrize("grade", ["low", "high"])
def test_a_glioma_of_up_to_60_mm_does_not_move_the_scale(grade: str) -> None:
    moves = shifts(lambda k: glioma(grade=grade, diameter_mm=40 + k % 21, margin=("sharp", "diffuse")[k % 2]),
                   range(300, 320))  # fmt: skip
    assert np.median(moves) < 0.1 and (moves < 0.25).mean() >= 0.95, moves.round(2)


@pytest.mark.slow
def test_of_larger_ones_few_do() -> None:
    moves = shifts(lambda k: glioma(grade="low", diameter_mm=60 + k % 15, margin=("sharp", "diffuse")[k % 2]),
                   range(200, 220))  # fmt: skip
    assert (moves < 0.5).mean() >= 0.85 and moves.max() < 2.5, moves.round(2)


@pytest.mark.parametrize("make", [lambda _: meningioma(diameter_mm=40), lambda _: ms_lesions(load_ml=30)])
def test_other_diseases_do_not_either(make) -> None:
    assert shifts(make, range(3)).max() < 0.25


def test_a_z_score_would_be_moved_by_far_more() -> None:
    """Centre and spread over the head, in the same units, on the same heads as the first test."""
    moves = []
    for seed in range(300, 306):
        sick = Subject(glioma(grade="high", diameter_mm=55, oedema=0.3), seed)
        with_tumour, without = (one.render(shape=SHAPE, spacing_mm=SPACING_MM)["image"] for one in
                                (sick, replace(sick, pathology=healthy())))  # fmt: skip
        forget()
        spreads = [torch.stack([channel[channel != 0].std() for channel in image]) for image in (with_tumour, without)]
        moves.append(float((spreads[0] / spreads[1] - 1).abs().max()))
    assert np.median(moves) > 0.05  # T2 or T1 after contrast, in every voxel of the head


@pytest.mark.parametrize("seed", range(3))
def test_0_is_white_matter_at_two_voxel_sizes(seed: int) -> None:
    for shape, spacing in ((SHAPE, SPACING_MM), ((80, 96, 80), 2.1)):
        subject = Subject(healthy(), seed)
        image = normalise(subject.render(shape=shape, spacing_mm=spacing)["image"])
        white = anatomy_of(subject.person, make_grid(shape, spacing))["white"] > 0.95
        inside = image[0] > -4
        forget()
        assert image[:, white & inside].median(dim=1).values.abs().max() < 0.4


def test_odd_masks_and_constant_channels_are_named() -> None:
    image = torch.rand(2, 8, 8, 8)
    with pytest.raises(UserError, match="mask has shape"):
        normalise(image, torch.ones(8, 8, 8))
    image[1] = 1.0
    with pytest.raises(UserError, match="channel 1"):
        normalise(image, torch.ones(1, 8, 8, 8))
