"""A map is scored against the voxels that decide: hits, mass, order; and what knows nothing scores as chance does."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.localisation import (
    chance,
    concentration,
    ignorant_maps,
    localise,
    localise_by_plane,
)

QUANTUS = json.loads((Path(__file__).parents[1] / "parity" / "goldens" / "quantus.json").read_text())


def cube(size=(6, 7, 8), place=(slice(1, 3), slice(2, 4), slice(3, 5))):
    signal = torch.zeros(size, dtype=torch.bool)
    signal[place] = True
    return signal


def test_scores_of_a_map_worked_out_by_hand():
    signal = torch.tensor([[True, True, False], [False, False, False]])
    scores = localise(torch.tensor([[3.0, 1.0, 2.0], [-1.0, 0.0, 0.0]]), signal)
    assert scores.pointing_game == 1 and scores.relevance_mass == pytest.approx(4 / 6)
    assert scores.auc == pytest.approx(7 / 8)  # of 2 × 4 pairs, only (1.0, 2.0) is in the wrong order


def test_the_signal_itself_is_perfect_and_its_opposite_the_worst():
    signal = cube()
    best, worst = localise(signal.float(), signal), localise(-signal.float(), signal)
    assert best.as_dict() == {"pointing game": 1.0, "relevance mass": 1.0, "AUC": 1.0}
    assert worst.pointing_game == 0 and worst.auc == 0 and math.isnan(worst.relevance_mass)


def test_a_constant_map_scores_as_chance():
    signal = cube()
    share = float(signal.float().mean())
    scores = localise(torch.full(signal.shape, 0.3), signal)
    assert scores.pointing_game == pytest.approx(share) and scores.relevance_mass == pytest.approx(share)
    assert scores.auc == 0.5 and chance(signal) == localise(torch.ones(signal.shape), signal)


def test_concentration_is_the_mass_on_the_signal_over_that_of_an_even_map():
    signal = torch.tensor([[True, False], [False, False]])
    assert concentration(torch.ones(2, 2), signal) == pytest.approx(1)
    assert concentration(torch.tensor([[3.0, 1.0], [0.0, 0.0]]), signal) == pytest.approx(0.75 / 0.25)
    assert concentration(torch.tensor([[3.0, 1.0], [9.0, 0.0]]), signal,
                         within=torch.tensor([[True, True], [False, False]])) == pytest.approx(0.75 / 0.5)  # fmt: skip
    assert math.isnan(concentration(torch.zeros(2, 2), signal))


def test_only_voxels_within_count():
    signal, within = cube(), torch.zeros(6, 7, 8, dtype=torch.bool)
    within[:4] = True
    values = signal.float() * 0.5
    values[5] = 9.0  # loud, but outside
    assert localise(values, signal).pointing_game == 0
    assert set(localise(values, signal, within=within).as_dict().values()) == {1.0}


def test_tolerance_counts_a_neighbour_and_no_more():
    signal, values = cube(), torch.zeros(6, 7, 8)
    values[3, 2, 3] = 1.0  # one slice above
    assert localise(values, signal).pointing_game == 0
    assert localise(values, signal, tolerance=1).pointing_game == 1
    values[3, 2, 3], values[4, 2, 3] = 0.0, 1.0
    assert localise(values, signal, tolerance=1).pointing_game == 0


def test_ignorant_maps_are_no_better_than_chance_on_a_signal_at_random():
    image = torch.randn(2, 10, 11, 12, generator=torch.Generator().manual_seed(1))
    generator, scores = torch.Generator().manual_seed(2), {}
    for _ in range(60):
        low = [int(torch.randint(0, side - 3, (), generator=generator)) for side in image.shape[1:]]
        signal = cube((10, 11, 12), tuple(slice(k, k + 3) for k in low))
        for name, values in ignorant_maps(image).items():
            scores.setdefault(name, []).append(localise(values, signal).auc)
    assert set(scores) == {"noise", "middle", "edges", "brightness"}
    for name in ("noise", "brightness"):
        assert abs(np.mean(scores[name]) - 0.5) < 0.1, name


@pytest.mark.parametrize("case", QUANTUS["cases"], ids=lambda case: case["name"])
def test_scores_equal_quantus(case):
    values, signal = np.array(case["values"]), np.array(case["signal"], dtype=bool)
    scores = localise(values, signal)
    assert scores.pointing_game == case["PointingGame"]
    assert scores.relevance_mass == pytest.approx(case["RelevanceMassAccuracy"], rel=1e-6)
    assert scores.auc == pytest.approx(case["AUC"], rel=1e-6)


@pytest.mark.parametrize(
    ("values", "signal", "words"),
    [
        (torch.ones(3, 4), torch.ones(4, 3), "bring them to one grid"),
        (torch.full((3, 4), float("nan")), torch.ones(3, 4), "not numbers"),
        (torch.ones(3, 4), torch.zeros(3, 4), "no signal"),
    ],
)
def test_what_cannot_be_scored_is_said_in_a_line(values, signal, words):
    with pytest.raises(UserError, match=words):
        localise(values, signal)


def test_planes_are_scored_slice_by_slice():
    signal, values = cube(), torch.zeros(6, 7, 8)
    values[1, 2, 3] = 2.0  # in the first of the cube's two axial slices
    values[2, 6, 7] = 1.0  # beside the cube in the second
    by_plane = localise_by_plane(values, signal)
    assert by_plane["axial"].pointing_game == 0.5 and by_plane["axial"].relevance_mass == 0.5
    # coronal slice 2 holds the hit; slice 3 holds nothing at all, and guesses among its 6 × 8 voxels, 4 of them signal
    assert (
        by_plane["coronal"].pointing_game == pytest.approx((1 + 4 / 48) / 2) and by_plane["coronal"].relevance_mass == 1
    )
    turned = localise_by_plane(values.movedim(0, 1), signal.movedim(0, 1))
    assert turned["coronal"] == by_plane["axial"] and turned["sagittal"] == by_plane["sagittal"]


def test_planes_need_a_volume():
    with pytest.raises(UserError, match="planes are of a volume"):
        localise_by_plane(torch.ones(4, 5), torch.ones(4, 5))
