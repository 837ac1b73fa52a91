"""Intervals of means, proportions, AUC and C-index: known answers, patients whole, none where it would not cover."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from medattn_lite.errors import UserError
from medattn_lite.evaluation import (
    Interval,
    auc,
    auc_interval,
    bootstrap,
    classification_scores,
    jackknife_interval,
    mean_interval,
    paired_auc_interval,
    paired_mean_interval,
    paired_share_interval,
    proportion_interval,
    share_interval,
)
from medattn_lite.evaluation.auc_intervals import auc_estimate
from medattn_lite.evaluation.minimum_units import MINIMUM_UNITS
from medattn_lite.survival.c_index_intervals import (
    c_index,
    c_index_estimate,
    c_index_interval,
    pair_estimate,
    paired_c_index_interval,
)
from medattn_lite.survival.concordance import harrell_c
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.pair_draws import ROWS, pair_blocks
from medattn_lite.training.tasks.binary import binary_quick_score, binary_scores


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def cohort(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n).round(1)
    time = rng.exponential(np.exp(-risk)).round(2) + 0.01  # ties of days and of risks
    return rng.random(n) < 0.7, time, (risk + rng.normal(size=n)).round(1)


def test_a_free_mean_has_students_interval() -> None:
    values = np.random.default_rng(0).normal(3, 2, 30)
    wanted = stats.t.interval(0.95, 29, values.mean(), values.std(ddof=1) / math.sqrt(30))
    assert ends(mean_interval(values)) == pytest.approx(wanted)
    assert ends(paired_mean_interval(values, np.zeros(30))) == pytest.approx(wanted)


def test_a_mean_between_bounds_stays_between_them_and_shifts_with_them() -> None:
    values = np.array([0.99, 0.98, 0.6, 0.97, 0.995, 0.99, 0.9, 0.95])
    interval = mean_interval(values, bounds=(0, 1))
    assert (
        0 < interval.low < interval.value < interval.high < 1
        and interval.value - interval.low > interval.high - interval.value
    )
    twice = mean_interval(2 * values - 1, bounds=(-1, 1))
    assert ends(twice) == pytest.approx([2 * end - 1 for end in ends(interval)])
    assert mean_interval(np.r_[0.1, np.arange(1, 40)], bounds=(0, np.inf)).low > 0
    with pytest.raises(UserError, match="do not lie between 0 and 1"):
        mean_interval([0.5, 1.5], bounds=(0, 1))
    with pytest.raises(UserError, match="1 of them not finite"):
        mean_interval([0.5, np.nan])


@pytest.mark.parametrize(("right", "n"), [(0, 12), (9, 12), (40, 40), (255, 285)])
def test_a_proportion_has_wilsons_interval_and_zero_of_many_is_no_certainty(right: int, n: int) -> None:
    wanted = stats.binomtest(right, n).proportion_ci(method="wilson")
    interval = proportion_interval(right, n)
    assert ends(interval) == pytest.approx((wanted.low, wanted.high)) and interval.low < interval.high
    hits = np.repeat([1, 0], [right, n - right])
    assert ends(share_interval(hits)) == pytest.approx(ends(interval))
    assert ends(mean_interval(hits, bounds=(0, 1))) == pytest.approx(ends(interval))


def test_the_error_of_an_auc_is_delongs() -> None:
    rng = np.random.default_rng(1)
    ones, zeros = rng.normal(1, 1, 25).round(1), rng.normal(0, 1, 40).round(1)
    wins = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)
    error = math.sqrt(wins.mean(1).var(ddof=1) / 25 + wins.mean(0).var(ddof=1) / 40)
    estimate = auc_estimate(np.repeat([1, 0], [25, 40]), np.r_[ones, zeros])
    assert estimate.value == pytest.approx(wins.mean()) and estimate.error == pytest.approx(error)


def test_an_auc_of_one_is_no_certainty_and_a_constant_score_has_no_interval() -> None:
    labels = np.repeat([0, 1], 30)
    interval = auc_interval(labels, np.arange(60))
    assert interval.value == 1 == interval.high and 0.8 < interval.low < 0.95
    assert ends(auc_interval(labels, -np.arange(60))) == pytest.approx((0, 1 - interval.low))
    assert not auc_interval(labels, np.zeros(60)).is_given


def test_rows_that_repeat_a_patient_change_no_interval() -> None:
    rng = np.random.default_rng(2)
    labels, scores, others = np.repeat([0, 1], 30), rng.normal(size=60), rng.normal(size=60)
    scores[30:] += 1
    who, hits, values = np.repeat(np.arange(60), 3), scores > 0.5, rng.beta(5, 1, 60)
    event, time, risk = cohort()
    pairs = [
        (auc_interval(labels, scores), auc_interval(labels[who], scores[who], groups=who)),
        (paired_auc_interval(labels, scores, others),
         paired_auc_interval(labels[who], scores[who], others[who], groups=who)),
        (mean_interval(values, bounds=(0, 1)), mean_interval(values[who], groups=who, bounds=(0, 1))),
        (paired_mean_interval(values, hits), paired_mean_interval(values[who], hits[who], groups=who)),
        (c_index_interval(event, time, risk), c_index_interval(event[who], time[who], risk[who], groups=who)),
        (jackknife_interval(auc, labels, scores), jackknife_interval(auc, labels[who], scores[who], groups=who)),
    ]  # fmt: skip
    for alone, repeated in pairs:
        assert ends(repeated) == pytest.approx(ends(alone)) and repeated.units == 60
    share, again = share_interval(hits), share_interval(hits[who], groups=who)
    assert 1 < (again.high - again.low) / (share.high - share.low) < 1.05


def test_the_jackknifes_error_of_a_mean_is_the_means_own_with_patients_and_with_blocks() -> None:
    values = np.random.default_rng(3).normal(size=150)
    interval = jackknife_interval(np.mean, values, scale="plain")
    assert ends(interval) == pytest.approx(ends(mean_interval(values)))
    many = np.random.default_rng(4).normal(size=3000)
    by_block = jackknife_interval(np.mean, many, scale="plain")
    width = by_block.high - by_block.low
    assert by_block.units == 3000 and width == pytest.approx(2 * 1.96 / math.sqrt(3000), rel=0.2)


def test_paired_intervals_are_narrower_than_unpaired_and_turn_round() -> None:
    rng = np.random.default_rng(5)
    labels, hard = np.repeat([0, 1], 50), rng.normal(size=100)
    first, second = (hard + labels + 0.3 * rng.normal(size=100) for _ in range(2))
    interval, back = paired_auc_interval(labels, first, second), paired_auc_interval(labels, second, first)
    assert ends(interval) == pytest.approx([-end for end in ends(back)[::-1]])
    alone = auc_interval(labels, first)
    assert interval.high - interval.low < 0.7 * (alone.high - alone.low)
    assert (
        interval.value == pytest.approx(auc(labels, first) - auc(labels, second))
        and interval.low < interval.value < interval.high
    )


def test_a_model_minus_itself_has_no_interval_and_rules_nothing_out() -> None:
    labels, scores = np.repeat([0, 1], 30), np.random.default_rng(6).normal(size=60)
    event, time, risk = cohort()
    same = [paired_auc_interval(labels, scores, scores), paired_share_interval(scores > 0, scores > 0),
            paired_mean_interval(scores, scores), paired_c_index_interval(event, time, risk, risk)]  # fmt: skip
    for interval in same:
        assert interval.value == 0 and not interval.is_given and 0 in interval and "no spread" in interval.text()


def test_the_c_index_of_sorted_patients_is_that_of_the_matrix_of_all_pairs() -> None:
    event, time, risk = cohort(ROWS + 40)
    estimate = c_index_estimate(event, time, risk)
    _, *matrices = next(pair_blocks(event, time, risk, rows=len(time)))
    whole = pair_estimate(*(matrix.sum(0) + matrix.sum(1) for matrix in matrices), event)
    assert estimate.value == pytest.approx(harrell_c(event, time, risk)) == pytest.approx(whole.value)
    assert estimate.influence == pytest.approx(whole.influence) and estimate.counted == event.sum()


def test_the_c_indexs_error_is_about_the_jackknifes() -> None:
    event, time, risk = cohort(80)
    by_hand = jackknife_interval(harrell_c, event, time, risk, freedom=int(event.sum()) - 1)
    interval = c_index_interval(event, time, risk)
    assert ends(interval) == pytest.approx(ends(by_hand), abs=0.01)


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(20), 3)])
def test_the_weighted_c_index_has_the_draws_of_the_bootstrap(groups: np.ndarray | None) -> None:
    event, time, risk = cohort()
    with np.errstate(invalid="ignore"):
        rows = bootstrap(harrell_c, event, time, risk, groups=groups, n=200, seed=3)
    weights = c_index(FollowUp(time, event), risk, subjects=groups, n=200, seed=3)
    assert weights.draws == rows.draws and weights.units == rows.units
    assert (weights.value, *ends(weights)) == pytest.approx((rows.value, *ends(rows)), abs=1e-12)


def test_too_few_units_stand_without_an_interval_and_say_so() -> None:
    labels, scores = np.repeat([0, 1], 30), np.random.default_rng(7).normal(size=60)
    event, time, risk = cohort()
    few = {
        "mean in 0 to 1": mean_interval([0.4, 0.5, 0.6], bounds=(0, 1)), "proportion": proportion_interval(3, 4),
        "mean": mean_interval([1.0, 2.0]), "difference of means": paired_mean_interval([1.0, 2.0], [0.0, 4.0]),
        "AUC": auc_interval(labels[26:34], scores[26:34]),
        "C-index": c_index_interval(event & (np.arange(60) < 4), time, risk),
        "percentile bootstrap": bootstrap(np.mean, [1.0, 2.0, 4.0]),
    }  # fmt: skip
    for kind, interval in few.items():
        assert MINIMUM_UNITS[kind] > 3 and not interval.is_given and 0.123 in interval, kind
        assert "too few for an interval" in interval.text() == str(interval) and "[" not in interval.text(), kind
        assert interval.as_dict()["low"] is None is interval.as_dict()["high"], kind


def test_the_printed_form_has_n_beside_the_interval() -> None:
    assert Interval(0.91, 0.85, 0.96, units=40).text() == "0.910 [0.850, 0.960], n = 40"
    assert Interval(0.91, 0.85, 0.96, units=40).text(2) == "0.91 [0.85, 0.96], n = 40"
    assert mean_interval([0.4, 0.5, 0.6], bounds=(0, 1)).text() == "0.500 (n = 3, too few for an interval)"
    assert mean_interval([0.5] * 20, bounds=(0, 1)).text() == "0.500 (n = 20, no spread, so no interval)"
    assert Interval(math.nan, math.nan, math.nan, units=5).text() == "not defined (n = 5)"


def test_a_record_in_json_gives_the_interval_back() -> None:
    for interval in (auc_interval(np.repeat([0, 1], 30), np.arange(60) % 7), mean_interval([1.0, 2.0])):
        record = json.loads(json.dumps(interval.as_dict() | {"note": "kept beside it"}, allow_nan=False))
        back = Interval.from_dict(record)
        assert str(back) == str(interval) and back.text() == interval.text() and back.units == interval.units
    assert math.isnan(Interval.from_dict({"value": None, "low": None, "high": None}).value)
    with pytest.raises(UserError, match="needs value, low and high"):
        Interval.from_dict({"value": 1.0})


def test_probabilities_that_are_no_numbers_are_refused_and_not_called_class_0() -> None:
    labels, scores = np.repeat([0, 1], 30), np.full(60, 0.2)
    scores[3] = np.nan
    rows = [{"subject": str(k), "label": int(labels[k]), "probability": float(scores[k])} for k in range(60)]
    for ask in (lambda: classification_scores(labels, scores), lambda: binary_scores(rows), lambda: auc(labels, scores),
                lambda: binary_quick_score(rows)):  # fmt: skip
        with pytest.raises(UserError, match="1 of 60 probabilities are not numbers"):
            ask()
