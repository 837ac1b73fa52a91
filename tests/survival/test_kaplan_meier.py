"""Kaplan–Meier curves, groups by risk, the log-rank test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medattn_lite.errors import UserError
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier, log_rank, risk_groups

# Freireich's leukaemia trial (1963), weeks in remission: the textbook example of both methods.
DRUG = FollowUp(
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool),
)
NO_DRUG = FollowUp([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], np.ones(21, dtype=bool))
TRIAL = FollowUp(np.r_[DRUG.time, NO_DRUG.time], np.r_[DRUG.event, NO_DRUG.event])
ARMS = np.repeat(["drug", "none"], 21)


def test_the_curve_of_the_leukaemia_trial_is_the_textbooks():
    curve = kaplan_meier(DRUG)
    np.testing.assert_allclose(
        curve.at([6, 7, 10, 13, 16, 22, 23]), [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4
    )
    assert curve.median == 23 and kaplan_meier(NO_DRUG).median == 8
    assert dict(zip(curve.times, curve.at_risk, strict=True))[10] == 15
    assert curve.deaths.sum() == 9 and dict(zip(curve.times, curve.deaths, strict=True))[6] == 3


def test_the_interval_is_that_of_log_minus_log_and_stays_within_0_and_1():
    curve = kaplan_meier(DRUG)
    at = int(np.flatnonzero(curve.times == 10)[0])
    survival = curve.survival[at]
    variance = 3 / (21 * 18) + 1 / (17 * 16) + 1 / (15 * 14)  # Greenwood
    half = stats.norm.ppf(0.975) * np.sqrt(variance) / np.log(survival)
    low, high = sorted((survival ** np.exp(half), survival ** np.exp(-half)))
    assert (curve.low[at], curve.high[at]) == pytest.approx((low, high))
    assert (curve.low >= 0).all() and (curve.high <= 1).all()
    assert (curve.low <= curve.survival).all() and (curve.survival <= curve.high).all()
    narrower = kaplan_meier(DRUG, level=0.5)
    assert narrower.low[at] > low and narrower.high[at] < high


def test_the_curve_starts_at_1_steps_on_the_day_and_ends_with_the_follow_up():
    curve = kaplan_meier(FollowUp([2, 4, 5], np.array([True, False, True])))
    assert (curve.times[0], curve.survival[0], curve.low[0], curve.high[0], curve.at_risk[0]) == (0, 1, 1, 1, 3)
    np.testing.assert_allclose(curve.at([0, 1.9, 2, 4.9, 5, 99]), [1, 1, 2 / 3, 2 / 3, 0, 0])
    assert np.isnan(curve.low[-1]) and np.isnan(curve.high[-1])
    assert np.isnan(kaplan_meier(DRUG).at([36])).all()


def test_who_is_followed_and_who_left_is_counted_on_any_day():
    curve = kaplan_meier(DRUG)
    assert curve.followed([0, 6, 6.5, 10, 35, 36]).tolist() == [21, 21, 17, 15, 1, 0]
    assert dict(zip(curve.times, curve.censored, strict=True))[10] == 1
    assert curve.censored.sum() == 12 and (curve.censored >= 0).all()
    place = int(np.flatnonzero(curve.times == 10)[0])
    low, high = curve.interval_at([10, 10.5, 36])
    assert (low[:2] == curve.low[place]).all() and (high[:2] == curve.high[place]).all() and np.isnan(low[2])


def test_a_death_on_day_0_is_no_start_at_1():
    curve = kaplan_meier(FollowUp([0, 4], np.array([True, True])))
    assert curve.times.tolist() == [0, 4] and curve.survival.tolist() == [0.5, 0]


def test_a_group_without_a_death_is_a_flat_1():
    curve = kaplan_meier(FollowUp([3, 9], np.zeros(2, dtype=bool)))
    assert curve.survival.tolist() == curve.low.tolist() == curve.high.tolist() == [1, 1, 1]
    assert curve.median == np.inf


def test_the_log_rank_test_of_the_leukaemia_trial_is_the_textbooks():
    result = log_rank(TRIAL, ARMS)
    assert result.chi_squared == pytest.approx(16.79, abs=0.01)
    assert result.p_value == pytest.approx(4.2e-5, rel=0.02)
    assert result.observed == {"drug": 9, "none": 21}
    assert result.expected["drug"] == pytest.approx(19.25, abs=0.01)
    assert sum(result.expected.values()) == pytest.approx(30)


def test_groups_alike_do_not_differ():
    twice = FollowUp(np.r_[DRUG.time, DRUG.time], np.r_[DRUG.event, DRUG.event])
    result = log_rank(twice, np.repeat([0, 1], 21))
    assert result.chi_squared == pytest.approx(0) and result.p_value == pytest.approx(1)


def test_risk_groups_cut_at_the_quantiles_of_the_reference():
    risk = np.array([0.1, 0.9, 0.5, 0.3])
    assert risk_groups(risk).tolist() == [0, 1, 1, 0]
    assert risk_groups(risk, reference=np.array([0.6, 0.8, 1.0])).tolist() == [0, 1, 0, 0]  # cut at 0.8
    assert risk_groups(np.arange(9.0), groups=3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert risk_groups(np.array([2.0]), reference=np.arange(4.0)).tolist() == [1]


def test_a_risk_on_the_cut_belongs_to_the_lower_group():
    assert risk_groups(np.array([1.0, 2.0, 3.0])).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: risk_groups(np.ones(5)), "1 different risks cannot be cut into 2 groups"),
        (lambda: risk_groups(np.array([0.0, 0, 0, 0, 1]), groups=3), "2 different risks"),
        (lambda: risk_groups(np.arange(4.0), groups=1), "ask for two or more"),
        (lambda: risk_groups(np.array([1.0, np.nan])), "finite"),
        (lambda: risk_groups(np.arange(4.0), reference=np.array([])), "0 different risks"),
        (lambda: log_rank(TRIAL, np.zeros(42)), "all patients are in group"),
        (lambda: log_rank(TRIAL, ARMS[:5]), "give one for each"),
        (lambda: log_rank(FollowUp([1, 2], np.zeros(2, dtype=bool)), [0, 1]), "no death in any group"),
        (lambda: log_rank(FollowUp([1, 9], np.array([False, True])), [0, 1]), "cannot be compared"),
    ],
)
def test_groups_that_cannot_be_compared_are_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()


def test_a_log_rank_test_on_real_patients(real_data):
    import pandas as pd

    table = pd.read_csv(real_data / "survival" / "tcga_cdr_lgg_gbm.csv").dropna(subset=["OS", "OS.time"])
    patients = FollowUp(table["OS.time"].to_numpy(), table["OS"].to_numpy() == 1)
    glioblastoma = (table["type"] == "GBM").to_numpy()
    result = log_rank(patients, np.where(glioblastoma, "GBM", "LGG"))
    assert result.p_value < 1e-50 and result.observed["GBM"] > result.expected["GBM"]
    medians = [
        kaplan_meier(FollowUp(patients.time[rows], patients.event[rows])).median
        for rows in (glioblastoma, ~glioblastoma)
    ]
    assert 300 < medians[0] < 500 < 2000 < medians[1] < 4500  # glioblastoma: about 14 months in every cohort


@pytest.mark.parametrize("seed", range(20))
def test_curve_and_interval_of_random_cohorts_are_scikit_survivals(seed):
    from sksurv.nonparametric import kaplan_meier_estimator

    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 60))
    time, event = np.ceil(rng.exponential(size=count) * 20), rng.random(count) < rng.random()
    with np.errstate(divide="ignore", invalid="ignore"):
        days, survival, (low, high) = kaplan_meier_estimator(event, time, conf_type="log-log")
    curve = kaplan_meier(FollowUp(time, event))
    assert curve.times[1:].tolist() == days.tolist()  # ours begins with day 0
    np.testing.assert_allclose(curve.survival[1:], survival, atol=1e-14)
    inside = (survival > 0) & (survival < 1)
    np.testing.assert_allclose(curve.low[1:][inside], low[inside], rtol=1e-10)
    np.testing.assert_allclose(curve.high[1:][inside], high[inside], rtol=1e-10)
