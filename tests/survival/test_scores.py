"""Scores of predicted survival: known answers, scikit-survival's limits, degenerate cohorts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.survival.c_index_intervals import c_index
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.scores import brier, integrated_brier, time_auc, usable_times


def cohort(patients: int = 150, *, seed: int = 0, scale: float = 400.0) -> tuple[FollowUp, np.ndarray]:
    """Exponential survival with a known risk, and censoring that does not depend on it."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=patients)
    death, leaves = rng.exponential(scale * np.exp(-risk)), rng.exponential(2 * scale, size=patients)
    return FollowUp(np.minimum(death, leaves), death <= leaves), risk


def uncensored(*days: float) -> FollowUp:
    return FollowUp(days, np.ones(len(days), dtype=bool))


def test_the_c_index_of_a_known_order_is_known():
    patients = FollowUp([1, 2, 3, 4], np.array([True, True, False, True]))
    # Pairs that can be compared: (1,2) (1,3) (1,4) (2,3) (2,4); only (2,3) is in the wrong order.
    interval = c_index(patients, np.array([4.0, 2.0, 3.0, 1.0]), n=100)
    assert interval.value == pytest.approx(4 / 5)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert c_index(patients, np.zeros(4), n=10).value == 0.5
    assert c_index(patients, np.array([1.0, 2.0, 3.0, 4.0]), n=10).value == 0


def test_the_interval_of_the_c_index_narrows_with_more_patients():
    few, many = (c_index(*cohort(n), n=200) for n in (30, 300))
    assert (many.high - many.low) < 0.6 * (few.high - few.low)
    assert many.low > 0.6  # the true risk ranks well


def test_the_brier_score_without_censoring_is_the_mean_square():
    patients = uncensored(10, 20, 30, 40)
    survival = np.array([[0.1, 0.0], [0.8, 0.3], [0.6, 0.5], [0.9, 0.7]])
    expected = [
        np.mean(np.square(survival[:, 0] - [0, 1, 1, 1])),
        np.mean(np.square(survival[:, 1] - [0, 0, 0, 1])),
    ]
    np.testing.assert_allclose(brier(patients, survival, [15, 30]), expected)
    np.testing.assert_allclose(brier(patients, survival[:, 0], [15]), expected[:1])


def test_the_brier_score_weights_by_those_still_followed_up():
    # One of four leaves on day 10 (G falls to 2/3 after the death on day 5), so those after count 3/2 each.
    patients = FollowUp([5, 10, 20, 40], np.array([True, False, True, True]))
    survival = np.array([0.2, 0.5, 0.4, 0.9])
    expected = (0.2**2 / 1 + 0.4**2 / (2 / 3) + (1 - 0.9) ** 2 / (2 / 3)) / 4
    np.testing.assert_allclose(brier(patients, survival, [30]), [expected])


def test_the_integrated_brier_score_is_the_mean_over_the_usable_times():
    patients, risk = cohort()
    times = np.array([50.0, 100.0, 300.0, 1e6])
    survival = np.exp(-times[None] / (400 * np.exp(-risk[:, None])))
    scores = brier(patients, survival, times)
    assert np.isnan(scores).tolist() == [False, False, False, True]
    expected = ((scores[0] + scores[1]) / 2 * 50 + (scores[1] + scores[2]) / 2 * 200) / 250
    assert integrated_brier(patients, survival, times) == pytest.approx(expected)
    assert math.isnan(integrated_brier(patients, survival[:, :1], times[:1]))


def test_the_auc_without_censoring_is_that_of_dead_against_alive():
    patients = uncensored(10, 20, 30, 40)
    risk = np.array([3.0, 1.0, 2.0, 0.0])
    # Day 25: dead 3, 1; alive 2, 0: three of four pairs right. Day 15: dead 3 above all.
    np.testing.assert_allclose(time_auc(patients, risk, [15, 25]), [1, 3 / 4])
    np.testing.assert_allclose(time_auc(patients, -risk, [25]), [1 / 4])


def test_scores_equal_scikit_survivals_where_it_does_not_raise():
    from sksurv.metrics import brier_score, cumulative_dynamic_auc

    (train, _), (test, risk) = cohort(300, seed=1), cohort(100, seed=2)
    test = FollowUp(np.minimum(test.time, 0.9 * train.time.max()), test.event & (test.time < 0.9 * train.time.max()))
    times = np.quantile(test.time, [0.2, 0.5, 0.8])
    survival = np.exp(-times[None] / (400 * np.exp(-risk[:, None])))
    everyone, tested = train.records(), test.records()
    np.testing.assert_allclose(
        brier(test, survival, times, train=train), brier_score(everyone, tested, survival, times)[1]
    )
    np.testing.assert_allclose(
        time_auc(test, risk, times, train=train), cumulative_dynamic_auc(everyone, tested, risk, times)[0]
    )


@pytest.mark.parametrize("last_dies", [True, False])
def test_deaths_after_the_training_follow_up_change_no_earlier_score(last_dies):
    test, risk = cohort(100)
    half = np.median(test.time)
    assert half > 150 and test.event[test.time > half].any()
    event = np.where(test.time < half, test.event, False)
    event[np.flatnonzero(test.time >= half)[0]] = last_dies  # then G is above 0 to the end, else 0
    train = FollowUp(np.minimum(test.time, half), event)
    survival = np.exp(-np.array([[100.0, 150.0]]) / 400 * np.exp(risk[:, None]))
    late = FollowUp(np.where(test.time > half, test.time + 5000, test.time), test.event)
    briers = [brier(patients, survival, [100, 150], train=train) for patients in (test, late)]
    aucs = [time_auc(patients, risk, [100, 150], train=train) for patients in (test, late)]
    assert np.isfinite(briers).all() and np.isfinite(aucs).all()
    np.testing.assert_allclose(*briers)
    np.testing.assert_allclose(*aucs)


def test_a_brier_score_before_the_first_death_asks_how_sure_the_network_was():
    patients, survival = uncensored(30, 40), np.array([0.8, 0.9])
    np.testing.assert_allclose(brier(patients, survival, [35], train=uncensored(1, 36)), [(0.8**2 + 0.1**2) / 2])
    late = FollowUp([10, 30, 40], np.array([False, True, True]))
    np.testing.assert_allclose(brier(late, np.array([0.5, 0.8, 0.9]), [9.9999999], train=late), [np.nan])
    expected = (0.2**2 + 0.1**2) / 3 * 3 / 2  # one left on day 10, so each of the others stands for 3/2
    np.testing.assert_allclose(brier(late, np.array([0.5, 0.8, 0.9]), [20]), [expected])


def test_times_are_usable_from_the_first_until_before_the_last_follow_up():
    test, train = uncensored(10, 20, 30), uncensored(1, 25)
    assert usable_times(test, [9, 10, 29, 30]).tolist() == [False, True, True, False]
    assert usable_times(test, [9, 10, 24, 25], train=train).tolist() == [False, True, True, False]
    assert usable_times(uncensored(10, 20), [19, 20], train=uncensored(1, 99)).tolist() == [True, False]


def test_an_auc_before_the_first_death_is_unknown():
    patients = FollowUp([5, 10, 20, 40], np.array([False, True, True, True]))
    scores = time_auc(patients, np.array([0.0, 3, 2, 1]), [7, 10, 40])
    assert np.isnan(scores).tolist() == [True, False, True]
    assert scores[1] == 1


def test_nobody_dead_is_unknown_not_an_error():
    alive = FollowUp([5, 10, 20], np.zeros(3, dtype=bool))
    assert np.isnan(brier(alive, np.full(3, 0.9), [7])).all()
    assert np.isnan(time_auc(alive, np.arange(3.0), [7])).all()
    assert np.isnan(brier(uncensored(5, 10, 20), np.full(3, 0.9), [7], train=alive)).all()
    assert np.isnan(time_auc(uncensored(5, 10, 20), np.arange(3.0), [7], train=alive)).all()


def test_patients_with_several_rows_are_drawn_as_one():
    test, risk = cohort(40)
    twice = FollowUp(np.repeat(test.time, 2), np.repeat(test.event, 2))
    subjects = np.repeat(np.arange(40), 2)
    assert c_index(twice, np.repeat(risk, 2), subjects=subjects, n=20).units == 40


ALIVE = FollowUp([5, 10, 20], np.zeros(3, dtype=bool))
DEAD = uncensored(5, 10, 20)


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: FollowUp([], np.array([], dtype=bool)), "give both for each patient"),
        (lambda: FollowUp([1, 2], np.array([True])), "give both for each patient"),
        (lambda: FollowUp([1, 2], np.array([1, 0])), "give bool"),
        (lambda: FollowUp([1, np.nan], np.array([True, False])), "0 or more"),
        (lambda: FollowUp([1, -1], np.array([True, False])), "0 or more"),
        (lambda: c_index(ALIVE, np.zeros(3)), "no death among 3 patients"),
        (lambda: c_index(uncensored(7), np.zeros(1)), "no two of 1 patients can be compared"),
        (lambda: c_index(FollowUp([5, 9], np.array([False, True])), np.zeros(2)), "no two of 2 patients"),
        (lambda: c_index(DEAD, np.array([1, 2, np.nan])), "one finite number for each"),
        (lambda: c_index(DEAD, np.zeros(2)), "one finite number for each"),
        (lambda: time_auc(DEAD, np.array([1, np.inf, 2]), [7]), "one finite number for each"),
        (lambda: brier(DEAD, np.full((3, 2), 0.5), [7]), "for 3 patients and 1 times"),
        (lambda: brier(DEAD, np.array([0.5, 1.2, 0.1]), [7]), "outside 0 … 1"),
        (lambda: brier(DEAD, np.array([0.5, np.nan, 0.1]), [7]), "outside 0 … 1"),
        (lambda: brier(DEAD, np.full((3, 2), 0.5), [9, 7]), "rise strictly"),
        (lambda: brier(DEAD, np.full((3, 2), 0.5), [7, 7]), "rise strictly"),
    ],
)
def test_cohorts_that_cannot_be_scored_are_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()
