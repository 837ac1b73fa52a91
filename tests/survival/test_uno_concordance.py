"""Pairs and Uno's C-index: counted by hand, against scikit-survival, and on a cohort whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.survival.c_index_intervals import c_index
from medattn_lite.survival.concordance import PairCounts, pair_counts
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.uno_concordance import c_index_ipcw

# Five patients: A dies on day 2, B leaves on day 3, C dies on day 5, D dies on day 6, E is alive on day 9.
FIVE = FollowUp([2, 3, 5, 6, 9], np.array([True, False, True, True, False]))
RISK = np.array([0.9, 0.2, 0.3, 0.5, 0.5])


def count_pairs(test: FollowUp, risk: np.ndarray) -> PairCounts:
    return pair_counts(test.event, test.time, risk)


def test_the_pairs_of_five_patients_are_those_counted_by_hand():
    # A with B, C, D, E: all in order. C with D, E: both the wrong way round. D with E: tied. B with C, D, E: unknown.
    pairs = count_pairs(FIVE, RISK)
    assert [part.sum() / 2 for part in (pairs.concordant, pairs.tied, pairs.comparable)] == [
        4,
        1,
        7,
    ]  # of both patients
    assert pairs.c_index == pytest.approx(4.5 / 7)
    assert pairs.c_index == pytest.approx(c_index(FIVE, RISK, n=2).value)


def test_unos_index_of_five_patients_is_that_weighted_by_hand():
    # Still followed up: G = 1 until B leaves on day 3, then 3/4; so C's and D's pairs count (4/3)² each.
    weight = (4 / 3) ** 2
    expected = (4 * 1 + 0.5 * weight) / (4 + 3 * weight)
    assert c_index_ipcw(FIVE, RISK, n=2).value == pytest.approx(expected)
    until_four = c_index_ipcw(FIVE, RISK, until=4, n=2).value
    assert until_four == 1  # only A's pairs are left


def test_without_censoring_unos_index_is_harrells():
    rng = np.random.default_rng(0)
    everyone = FollowUp(rng.exponential(size=50), np.ones(50, dtype=bool))
    risk = -everyone.time + rng.normal(size=50)
    last = everyone.time.max()  # nobody can be compared with the last one's later death, so nothing is lost
    assert c_index_ipcw(everyone, risk, n=2, until=last).value == pytest.approx(c_index(everyone, risk, n=2).value)


def test_two_deaths_on_one_day_are_no_pair_and_one_risk_is_half_a_pair():
    tied_days = FollowUp([4, 4], np.ones(2, dtype=bool))
    assert count_pairs(tied_days, np.array([1.0, 2.0])).comparable.sum() == 0
    same_risk = count_pairs(FollowUp([4, 5], np.ones(2, dtype=bool)), np.zeros(2))
    assert (same_risk.tied.tolist(), same_risk.c_index) == ([1, 1], 0.5)
    assert np.isnan(count_pairs(FollowUp([4, 5], np.zeros(2, dtype=bool)), np.zeros(2)).c_index)


def test_harrells_index_moves_with_censoring_and_unos_stays():
    """Late pairs are hard here (the risk tells early deaths only), and censoring takes late pairs away."""
    rng = np.random.default_rng(1)
    indices = {"Harrell": [], "Uno": []}
    true = []
    for _ in range(20):
        risk = rng.normal(size=400)
        early = rng.random(400) < 0.5
        death = np.where(early, rng.exponential(np.exp(-1.5 * risk)), 3 + rng.exponential(2, size=400))
        leaves = rng.uniform(0, 8, size=400)
        seen = FollowUp(np.minimum(death, leaves), death <= leaves)
        true.append(count_pairs(FollowUp(np.minimum(death, 7), death < 7), risk).c_index)
        indices["Harrell"].append(count_pairs(seen, risk).c_index)
        indices["Uno"].append(c_index_ipcw(seen, risk, until=7, n=0).value)
    bias = {name: abs(np.mean(values) - np.mean(true)) for name, values in indices.items()}
    assert bias["Uno"] < 0.02 < 0.04 < bias["Harrell"], bias


def test_the_phantoms_oracle_is_the_ceiling_and_its_c_index_is_the_one_its_hazard_implies():
    from medattn_lite.data.phantom.survival import draw_survival

    rng = np.random.default_rng(2)
    risk = rng.normal(scale=1.1, size=1500)
    outcome = [draw_survival(seed, patient_risk) for seed, patient_risk in enumerate(risk)]
    cohort = FollowUp([time for time, _ in outcome], np.array([event for _, event in outcome]))
    oracle = c_index_ipcw(cohort, risk, n=0).value
    # With proportional hazards the higher risk dies first with probability 1 / (1 + exp(−|difference|)).
    distance = np.abs(risk[:, None] - risk)[np.triu_indices(len(risk), 1)]
    assert oracle == pytest.approx((1 / (1 + np.exp(-distance))).mean(), abs=0.015)
    for noise in (0.3, 1.0, 3.0):
        assert c_index_ipcw(cohort, risk + noise * rng.normal(size=len(risk)), n=0).value < oracle - 0.002
    assert c_index_ipcw(cohort, np.exp(risk), n=0).value == pytest.approx(oracle)  # only the order counts


def test_an_interval_comes_with_it_and_patients_are_drawn_as_one():
    rng = np.random.default_rng(3)
    risk = rng.normal(size=60)
    patients = FollowUp(rng.exponential(np.exp(-risk)), rng.random(60) < 0.6)
    interval = c_index_ipcw(patients, risk, until=float(np.quantile(patients.time, 0.9)), n=200)
    assert interval.low < interval.value < interval.high and interval.units == 60
    twice = FollowUp(np.tile(patients.time, 2), np.tile(patients.event, 2))
    assert c_index_ipcw(twice, np.tile(risk, 2), subjects=np.tile(np.arange(60), 2), n=10).units == 60


@pytest.mark.parametrize("last_dies", [True, False])
def test_deaths_after_the_training_follow_up_are_left_out_not_an_error(last_dies):
    train = FollowUp([1, 2, 3, 4], np.array([True, False, True, last_dies]))
    test = FollowUp([0.5, 2.5, 3.5, 10, 20], np.array([True, True, True, True, False]))
    risk = np.array([5.0, 4, 3, 1, 2])
    assert c_index_ipcw(test, risk, train=train, n=2).value == 1  # the one wrong pair begins on day 10


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: c_index_ipcw(FIVE, RISK, until=2), "0 deaths. can be compared before day 2"),
        (lambda: c_index_ipcw(FollowUp([1, 2], np.zeros(2, dtype=bool)), np.zeros(2)), "0 deaths"),
        (lambda: c_index_ipcw(FIVE, RISK[:4]), "one finite number for each"),
        (lambda: c_index_ipcw(FIVE, np.full(5, np.nan)), "one finite number for each"),
    ],
)
def test_what_cannot_be_compared_is_explained(call, what):
    with pytest.raises(UserError, match=what):
        call()
