"""Intervals over seeds and patients: they cover, they are as wide as the luckier of the two, and they pair."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.evaluation import paired_mean_interval
from medattn_lite.evaluation.crossed import crossed_auc_difference, crossed_mean_difference, seed_difference

SEEDS, PATIENTS, TRIALS = 5, 60, 400


def drawn(rng, *, seed=0.0, patient=0.0, both=0.0, value=0.0, seeds=SEEDS):
    return (value + rng.normal(0, seed, (seeds, 1)) + rng.normal(0, patient, (1, PATIENTS))
            + rng.normal(0, both, (seeds, PATIENTS)))  # fmt: skip


@pytest.mark.parametrize("spread", [
    {"seed": 0.03, "patient": 0.2, "both": 0.1}, {"seed": 0.05, "patient": 0.05, "both": 0.05},
    {"patient": 0.2, "both": 0.1}, {"seed": 0.03, "both": 0.02},
])  # fmt: skip
def test_the_interval_covers_when_seeds_and_patients_are_both_luck(spread):
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(TRIALS):
        first = drawn(rng, value=0.02, **spread)
        held += 0.02 in crossed_mean_difference(first, np.zeros_like(first))
    assert 0.92 <= held / TRIALS <= 0.98  # 95 % of 400 is held with a standard error of 1.1 %


def test_an_interval_over_patients_alone_would_not_cover_other_seeds():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        first = drawn(rng, seed=0.05, patient=0.05)[:1]
        held += 0.0 in paired_mean_interval(first[0], np.zeros(PATIENTS))
    assert held / 200 < 0.5


def test_the_interval_of_aucs_covers():
    """Two networks that know the label equally well, with luck of their own in every seed."""
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 40)
    held = 0
    for _ in range(200):
        patient = rng.normal(size=80)
        scores = []
        for _ in range(2):
            strength = np.clip(rng.normal(1.2, 0.3, (SEEDS, 1)), 0, None)
            scores.append(strength * labels + patient + rng.normal(0, 0.7, (SEEDS, 80)))
        held += 0.0 in crossed_auc_difference(labels, *scores)
    assert 0.9 <= held / 200 <= 0.99


def test_without_luck_of_seeds_it_is_the_interval_over_patients():
    rng = np.random.default_rng(3)
    one = rng.normal(0.03, 0.2, PATIENTS)
    interval = crossed_mean_difference(np.tile(one, (SEEDS, 1)), np.zeros((SEEDS, PATIENTS)))
    known = paired_mean_interval(one, np.zeros(PATIENTS))
    assert (interval.value, interval.low, interval.high) == pytest.approx((known.value, known.low, known.high))
    assert interval.units == PATIENTS and "5 seeds" in interval.method


def test_without_luck_of_patients_it_is_students_interval_over_seeds():
    differences = np.array([0.01, 0.03, 0.02, 0.05, 0.04])
    interval = crossed_mean_difference(np.tile(differences[:, None], (1, PATIENTS)), np.zeros((SEEDS, PATIENTS)))
    reach = 2.776 * differences.std(ddof=1) / np.sqrt(5)  # t of 4 degrees of freedom
    assert (interval.low, interval.high) == pytest.approx((0.03 - reach, 0.03 + reach), abs=1e-4)
    alone = seed_difference(differences, np.zeros(5))
    assert (alone.low, alone.high) == pytest.approx((interval.low, interval.high))


def test_p_is_below_5_per_cent_where_the_interval_leaves_out_0_and_is_that_of_the_paired_t_test():
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(6)
    for value in (0.0, 0.02, 0.05, 0.1):
        first = drawn(rng, seed=0.03, patient=0.1, both=0.05, value=value)
        interval = crossed_mean_difference(first, np.zeros_like(first))
        assert (interval.p < 0.05) == (0.0 not in interval) and interval.seeds == SEEDS
    first_scores, other = rng.normal(0.1, 0.1, 5), rng.normal(0, 0.1, 5)
    assert seed_difference(first_scores, other).p == pytest.approx(ttest_rel(first_scores, other).pvalue)


def test_slices_of_a_patient_count_as_one():
    rng = np.random.default_rng(4)
    labels = np.tile(np.repeat([0, 1], 40), 5)
    scores = [np.tile(rng.normal(size=(SEEDS, 80)) + np.repeat([0, 1], 40), (1, 5)) for _ in range(2)]
    patients = np.tile(np.arange(80), 5)
    together = crossed_auc_difference(labels, *scores, groups=patients)
    once = crossed_auc_difference(labels[:80], *(score[:, :80] for score in scores))
    assert together.units == 80
    assert (together.low, together.high) == pytest.approx((once.low, once.high), rel=0.02)


def test_two_seeds_or_few_patients_give_the_figure_alone():
    rng = np.random.default_rng(5)
    two = crossed_mean_difference(drawn(rng, patient=1.0, seeds=2), np.zeros((2, PATIENTS)))
    assert not two.is_given and "2 seeds" in two.text()
    few = crossed_mean_difference(rng.normal(size=(5, 6)), np.zeros((5, 6)))
    assert not few.is_given and "too few" in few.text()
    assert not seed_difference([0.1], [0.2]).is_given


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="one shape"):
        crossed_mean_difference(np.zeros((5, 10)), np.zeros((4, 10)))
    with pytest.raises(UserError, match="not numbers"):
        crossed_mean_difference(np.full((5, 20), np.nan), np.zeros((5, 20)))
