"""Histogram standardisation against what it promises: the percentiles end up at the landmarks."""

from __future__ import annotations

import torch

from medattn_lite.data.histogram_standardisation import PERCENTILES, landmarks, match_landmarks, percentiles


def image(seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    values = torch.rand(2, 8, 9, 10, generator=torch.Generator().manual_seed(seed))
    return scale * values**2 + shift


WHERE = torch.ones(8, 9, 10, dtype=torch.bool)


def test_percentiles_are_moved_to_the_landmarks():
    images = [image(seed, 1 + seed, seed) for seed in range(5)]
    learned = landmarks([percentiles(one, WHERE) for one in images])
    assert torch.allclose(learned[:, 0], torch.zeros(2)) and torch.allclose(learned[:, -1], torch.full((2,), 100.0))
    for one in images:
        bent = match_landmarks(one, percentiles(one, WHERE), learned)
        assert torch.allclose(percentiles(bent, WHERE), learned, atol=0.01)


def test_scanners_that_differ_by_a_straight_line_become_equal():
    first, second = image(1), image(1, 3.0, -7.0)
    learned = landmarks([percentiles(image(0), WHERE)])
    bent = [match_landmarks(one, percentiles(one, WHERE), learned) for one in (first, second)]
    assert torch.allclose(*bent, atol=1e-3)


def test_the_order_of_grey_values_stays_even_where_most_are_equal():
    one = image(2)
    one[:, :5] = 0.5  # several percentiles coincide
    bent = match_landmarks(one, percentiles(one, WHERE), landmarks([percentiles(image(0), WHERE)]))
    order = one[0].flatten().argsort()
    assert torch.isfinite(bent).all() and (bent[0].flatten()[order].diff() >= -1e-3).all()


def test_landmarks_are_those_of_a_calculation_by_hand():
    # 101 values 0 … 100 and their squares: percentiles k and k²
    values = torch.arange(101.0)
    place = torch.ones(101, dtype=torch.bool)
    quantiles = [percentiles(values[None], place), percentiles(values[None] ** 2, place)]
    k = torch.tensor(PERCENTILES, dtype=torch.float32)
    expected = 50 * ((k - 1) / 98 + (k**2 - 1) / (99**2 - 1))
    assert torch.allclose(landmarks(quantiles)[0], expected, atol=1e-3)
