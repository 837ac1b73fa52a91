"""Time in intervals: ends, labels, curves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.survival.predicted_curves import survival_at, survival_curve
from medattn_lite.survival.time_intervals import interval_breaks, interval_labels

BREAKS = torch.tensor([0.0, 10.0, 20.0, 40.0], dtype=torch.float64)


def test_the_breaks_are_those_of_the_survival_code():
    breaks = interval_breaks()
    official = -np.log(1 - np.arange(0.0, 0.96, 0.05)) * 730 / np.log(2)
    assert len(breaks) == 20
    np.testing.assert_allclose(breaks, official, rtol=1e-12, atol=1e-12)
    assert [round(day) for day in breaks[[0, 1, 2, 6, 19]].tolist()] == [0, 54, 111, 376, 3155]


def test_each_interval_holds_as_many_deaths_at_the_named_half_life():
    breaks = interval_breaks(intervals=7, half_life_days=100)
    alive = torch.exp(-math.log(2) * breaks / 100)
    torch.testing.assert_close(alive.diff(), torch.full((7,), -1 / 8, dtype=torch.float64))


def labels(*patients: tuple[float, bool]) -> list[tuple[list[float], list[float]]]:
    time, event = zip(*patients, strict=True)
    survived, died = interval_labels(torch.tensor(time), torch.tensor(event), BREAKS)
    return list(zip(survived.tolist(), died.tolist(), strict=True))


def test_a_death_lies_in_one_interval_and_the_earlier_ones_were_survived():
    assert labels((15, True), (0, True), (39.9, True)) == [
        ([1, 0, 0], [0, 1, 0]),
        ([0, 0, 0], [1, 0, 0]),
        ([1, 1, 0], [0, 0, 1]),
    ]


def test_a_death_on_the_end_of_an_interval_lies_in_the_next():
    assert labels((10, True)) == [([1, 0, 0], [0, 1, 0])]


def test_follow_up_counts_an_interval_from_its_middle_on():
    assert labels((14.9, False), (15, False), (29.9, False), (30, False)) == [
        ([1, 0, 0], [0, 0, 0]),
        ([1, 1, 0], [0, 0, 0]),
        ([1, 1, 0], [0, 0, 0]),
        ([1, 1, 1], [0, 0, 0]),
    ]


def test_a_death_after_the_last_end_is_survival_of_all_intervals():
    assert labels((40, True), (4000, True), (4000, False)) == [([1, 1, 1], [0, 0, 0])] * 3


def test_the_labels_equal_nnet_survivals():
    rng = np.random.default_rng(0)
    breaks = interval_breaks().numpy()
    time, event = rng.exponential(900, 200), rng.random(200) < 0.6
    time[:20] = breaks  # on the ends themselves
    expected = np.zeros((200, 38))
    for row in range(200):  # make_surv_array of nnet_survival.py
        if event[row]:
            expected[row, :19] = time[row] >= breaks[1:]
            if time[row] < breaks[-1]:
                expected[row, 19 + np.where(time[row] < breaks[1:])[0][0]] = 1
        else:
            expected[row, :19] = time[row] >= breaks[:-1] + 0.5 * np.diff(breaks)
    survived, died = interval_labels(torch.from_numpy(time), torch.from_numpy(event), torch.from_numpy(breaks))
    np.testing.assert_array_equal(np.hstack([survived, died]), expected)


def test_the_curve_is_the_product_of_what_was_survived():
    curve = survival_curve(torch.tensor([[0.5, 0.2, 1.0], [0.0, 0.0, 0.1]]))
    torch.testing.assert_close(curve, torch.tensor([[1, 0.5, 0.4, 0.0], [1, 1, 1, 0.9]]))


def test_survival_at_the_ends_is_the_curve_and_between_them_falls_exponentially():
    hazards = torch.tensor([[0.5, 0.2, 0.75]])
    torch.testing.assert_close(survival_at(hazards, BREAKS, BREAKS), survival_curve(hazards))
    between = survival_at(hazards, [5, 15, 30], BREAKS)
    torch.testing.assert_close(between, torch.tensor([[0.5**0.5, 0.5 * 0.8**0.5, 0.4 * 0.25**0.5]]))


def test_a_constant_hazard_gives_back_the_exponential_at_every_day():
    breaks = interval_breaks()
    hazards = (1 - torch.exp(-breaks.diff() / 500)).unsqueeze(0)
    days = torch.tensor([0.0, 1.0, 365.0, 1234.5, 3000.0], dtype=torch.float64)
    torch.testing.assert_close(survival_at(hazards, days, breaks), torch.exp(-days / 500).unsqueeze(0))


def test_certain_death_gives_0_and_no_nan_on_its_day():
    survival = survival_at(torch.tensor([[0.0, 1.0, 0.5]]), [10.0, 20.0, 30.0], BREAKS)
    torch.testing.assert_close(survival, torch.tensor([[1.0, 0.0, 0.0]]))


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: survival_at(torch.zeros(1, 3), [41.0], BREAKS), "from day 0 to day 40"),
        (lambda: survival_at(torch.zeros(1, 3), [-1.0], BREAKS), "from day 0"),
        (lambda: survival_at(torch.zeros(1, 3), [math.nan], BREAKS), "from day 0"),
        (lambda: interval_breaks(intervals=0), "use both above 0"),
        (lambda: interval_breaks(half_life_days=0), "use both above 0"),
        (lambda: labels((-1.0, True)), "0 or more"),
        (lambda: labels((math.nan, True)), "0 or more"),
        (lambda: interval_labels(torch.ones(2), torch.ones(2), BREAKS), "give bool"),
        (lambda: interval_labels(torch.ones(2), torch.ones(3, dtype=torch.bool), BREAKS), "give \\(N,\\) for both"),
    ],
)
def test_impossible_times_are_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()
