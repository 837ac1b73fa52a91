"""Calibration: counted by hand, true predictions on the line, and cohorts at the edge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medattn_lite.errors import UserError
from medattn_lite.survival.calibration import calibration, calibration_slope
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier

DAY = 300.0


def exponential(patients: int, *, seed: int = 0) -> tuple[FollowUp, np.ndarray]:
    """Exponential survival, censoring that knows nothing of it, and the true S on day 300."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=patients)
    death, leaves = rng.exponential(400 * np.exp(-risk)), rng.uniform(100, 1200, size=patients)
    return FollowUp(np.minimum(death, leaves), death <= leaves), np.exp(-DAY / 400 * np.exp(risk))


def test_groups_of_six_patients_are_those_counted_by_hand():
    # Low group: deaths on days 1 and 3, one leaves on day 2: S = 2/3 · 0. High group: a death on day 4 of three.
    patients = FollowUp([1, 2, 3, 4, 9, 9], np.array([True, False, True, True, False, False]))
    result = calibration(patients, np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9]), 5, groups=2)
    np.testing.assert_allclose(result.predicted, [0.2, 0.8])
    np.testing.assert_allclose(result.observed, [0, 2 / 3])
    assert result.patients.tolist() == [3, 3] and result.deaths.tolist() == [2, 1]
    assert result.predicted_of_all == pytest.approx(0.5)
    assert result.observed_of_all.value == pytest.approx(5 / 6 * 3 / 4 * 2 / 3)


def test_observed_survival_and_its_interval_are_kaplan_meiers_of_the_group():
    patients, survival = exponential(200)
    result = calibration(patients, survival, DAY, groups=4)
    lowest = survival <= np.quantile(survival, 0.25)
    curve = kaplan_meier(FollowUp(patients.time[lowest], patients.event[lowest]))
    low, high = curve.interval_at([DAY])
    assert (result.observed[0], result.low[0], result.high[0]) == (curve.at([DAY])[0], low[0], high[0])
    assert (np.diff(result.predicted) > 0).all() and result.patients.sum() == 200


def test_true_probabilities_lie_on_the_line_and_in_the_interval_about_19_times_in_20():
    inside = []
    for seed in range(40):
        patients, survival = exponential(400, seed=seed)
        result = calibration(patients, survival, DAY, groups=5)
        inside += ((result.low <= result.predicted) & (result.predicted <= result.high)).tolist()
        assert np.abs(result.predicted - result.observed).max() < 0.3
    assert 0.9 < np.mean(inside) < 0.985


def test_a_network_that_kills_everyone_too_early_is_seen_in_the_mean_though_its_order_is_right():
    patients, survival = exponential(600)
    result = calibration(patients, survival**2, DAY)
    assert result.predicted_of_all < result.observed_of_all.low
    honest = calibration(patients, survival, DAY)
    assert honest.predicted_of_all in honest.observed_of_all


def test_the_slope_is_1_for_true_predictions_one_half_for_twice_too_far_apart_and_0_for_noise():
    slopes = []
    for seed in range(6):
        patients, survival = exponential(300, seed=seed)
        too_sure = np.exp(-np.exp(2 * np.log(-np.log(survival))))
        noise = np.random.default_rng(seed).uniform(0.1, 0.9, size=300)
        slopes.append(
            [calibration_slope(patients, predictions, DAY, n=0).value for predictions in (survival, too_sure, noise)]
        )
    np.testing.assert_allclose(np.mean(slopes, axis=0), [1, 0.5, 0], atol=0.08)
    patients, survival = exponential(100)
    interval = calibration_slope(patients, survival, DAY, n=60)
    assert 0.5 < interval.low < interval.value < interval.high < 2 and interval.units == 100


def test_the_slope_looks_at_deaths_until_the_day_only():
    patients, survival = exponential(300)
    late = patients.time > DAY
    turned = np.where(late, DAY + 1000 * (1 - survival), patients.time)  # later on, the worst prognosis lives longest
    other = FollowUp(turned, patients.event | late)
    slopes = [calibration_slope(cohort, survival, DAY, n=0).value for cohort in (patients, other)]
    assert slopes[0] == pytest.approx(slopes[1]) and slopes[0] > 0.8


def test_a_group_in_which_nobody_or_everybody_died_has_the_exact_bound():
    alive = FollowUp(np.full(8, 10.0), np.zeros(8, dtype=bool))
    result = calibration(alive, np.full(8, 0.9), 5, groups=1)
    assert (result.observed[0], result.high[0]) == (1, 1)
    exact = stats.binomtest(8, 8).proportion_ci(method="exact")
    assert result.low[0] == pytest.approx(exact.low)
    dead = FollowUp([1, 2, 3], np.ones(3, dtype=bool))
    result = calibration(dead, np.full(3, 0.1), 5, groups=1)
    assert (result.observed[0], result.low[0]) == (0, 0)
    assert result.high[0] == pytest.approx(stats.binomtest(0, 3).proportion_ci(method="exact").high)


def test_where_nobody_was_followed_that_long_the_observed_survival_is_unknown():
    short = FollowUp([1, 2, 3, 9], np.array([True, False, False, False]))
    result = calibration(short, np.array([0.1, 0.2, 0.3, 0.9]), 5, groups=2)
    assert np.isnan(result.observed[0]) and np.isnan(result.low[0]) and result.observed[1] == 1


def test_tied_predictions_share_a_group():
    patients, _ = exponential(40)
    result = calibration(patients, np.r_[np.full(30, 0.5), np.full(10, 0.8)], DAY, groups=4)
    assert result.patients.tolist() == [30, 10]
    assert calibration(patients, np.full(40, 0.5), DAY, groups=5).patients.tolist() == [40]


ANY = exponential(6)[0]


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: calibration(ANY, np.full(5, 0.5), DAY), "one for each"),
        (lambda: calibration(ANY, np.full(6, 1.5), DAY), "outside 0 … 1"),
        (lambda: calibration(ANY, np.full(6, np.nan), DAY), "outside 0 … 1"),
        (lambda: calibration(ANY, np.full(6, 0.5), DAY, groups=0), "1 or more"),
        (lambda: calibration_slope(ANY, np.full(6, 0.5), DAY), "predictions that differ"),
        (lambda: calibration_slope(ANY, np.linspace(0, 1, 6), 0.0), "a death until the day"),
    ],
)
def test_predictions_that_cannot_be_compared_are_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()


def test_certain_predictions_are_allowed():
    patients, _ = exponential(60)
    assert np.isfinite(calibration_slope(patients, np.r_[np.zeros(10), np.ones(10), np.full(40, 0.5)], DAY, n=2).value)
