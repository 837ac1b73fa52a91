"""A cohort with its predictions: answers equal the functions behind it, also at the edges a slider can reach."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.survival.calibration import calibration
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier, log_rank
from medattn_lite.survival.predictions import Predicted
from medattn_lite.survival.scores import brier, time_auc

DAYS = np.array([100.0, 200.0, 400.0, 800.0])


def cohort(patients: int = 60, seed: int = 0) -> Predicted:
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=patients)
    death, leaves = rng.exponential(400 * np.exp(-risk)), rng.uniform(50, 1000, size=patients)
    survival = np.exp(-DAYS / 400 * np.exp(risk[:, None]))
    seen = FollowUp(np.round(np.minimum(death, leaves)), death <= leaves)  # whole days, so that some are tied
    return Predicted(seen, DAYS, survival, risk)


def test_survival_between_two_days_has_a_constant_hazard():
    predicted = cohort()
    np.testing.assert_allclose(predicted.at(200), predicted.survival[:, 1])
    np.testing.assert_allclose(predicted.at(300), np.sqrt(predicted.survival[:, 1] * predicted.survival[:, 2]))
    np.testing.assert_allclose(predicted.at(50), np.sqrt(predicted.survival[:, 0]))
    assert (predicted.at(0) == 1).all()
    several = predicted.at([50, 300, 800])
    assert several.shape == (60, 3)
    np.testing.assert_allclose(several[:, 1], predicted.at(300))
    np.testing.assert_allclose(several[:, 2], predicted.survival[:, 3])
    from_zero = Predicted(predicted.patients, np.r_[0, DAYS], np.column_stack([np.ones(60), predicted.survival]))
    np.testing.assert_allclose(from_zero.at(50), predicted.at(50))


def test_a_day_that_was_not_predicted_is_refused():
    for day in (-1, 801):
        with pytest.raises(UserError, match="from day 0 to day 800"):
            cohort().at(day)


def test_a_cut_gives_the_groups_curves_and_their_test():
    predicted = cohort()
    split = predicted.split(0.2)
    high = predicted.risk > 0.2
    assert (split.high == high).all() and list(split.curves) == ["low risk", "high risk"]
    patients = FollowUp(predicted.patients.time[high], predicted.patients.event[high])
    np.testing.assert_array_equal(split.curves["high risk"].survival, kaplan_meier(patients).survival)
    assert split.log_rank == log_rank(predicted.patients, high) and split.untested == ""


@pytest.mark.parametrize(("threshold", "group"), [(-99, "high risk"), (99, "low risk")])
def test_an_empty_group_is_no_error(threshold, group):
    split = cohort().split(threshold)
    assert list(split.curves) == [group] and split.log_rank is None
    assert split.untested == f"everybody is in the {group} group"


def test_groups_that_cannot_be_tested_say_why():
    nobody = Predicted(FollowUp([1, 2, 3], np.zeros(3, dtype=bool)), [5.0], np.full((3, 1), 0.5), [1, 2, 3])
    assert nobody.split(1.5).untested == "no death in any group"
    apart = Predicted(FollowUp([1, 2, 3], np.array([False, False, True])), [5.0], np.full((3, 1), 0.5), [1, 2, 3])
    assert apart.split(2.5).untested == "no death came while two groups were under follow-up"


def test_scores_of_a_day_are_those_of_the_functions():
    predicted = cohort()
    scores = predicted.scores(300)
    assert scores.brier == brier(predicted.patients, predicted.at(300), [300])[0]
    assert scores.auc == time_auc(predicted.patients, predicted.risk, [300])[0]
    same_for_all = np.full(60, kaplan_meier(predicted.patients).at([300])[0])
    assert scores.brier_of_all_alike == brier(predicted.patients, same_for_all, [300])[0] > scores.brier
    theirs, expected = (
        predicted.calibration(300, groups=3),
        calibration(predicted.patients, predicted.at(300), 300, groups=3),
    )
    np.testing.assert_array_equal(theirs.observed, expected.observed)


def test_every_day_offered_for_scoring_has_a_brier_score():
    predicted = cohort()
    days = predicted.scored_days(40)
    assert len(days) > 20 and days[-1] <= 800
    model_brier, reference_brier = predicted.brier_scores(days)
    assert np.isfinite(model_brier).all() and np.isfinite(reference_brier).all()
    np.testing.assert_allclose(model_brier[::9], [predicted.scores(day).brier for day in days[::9]])


def test_training_patients_give_the_weights():
    predicted, train = cohort(), cohort(seed=1).patients
    weighted = Predicted(predicted.patients, DAYS, predicted.survival, predicted.risk, train=train)
    assert weighted.scores(300).brier == brier(predicted.patients, predicted.at(300), [300], train=train)[0]
    assert weighted.scores(300).brier != predicted.scores(300).brier


def test_a_cohort_without_a_death_or_with_one_day_is_scored_as_unknown():
    alive = Predicted(FollowUp([5, 10, 20], np.zeros(3, dtype=bool)), [30.0], np.full((3, 1), 0.9))
    assert np.isnan([alive.scores(7).brier, alive.scores(7).auc]).all()
    at_once = Predicted(FollowUp([5, 5], np.array([True, False])), [30.0], np.full((2, 1), 0.9), [0, 1])
    assert at_once.scored_days().tolist() == [5]
    assert np.isnan(at_once.scores(5).brier)


def test_predictions_of_a_run_are_read_as_they_are():
    predicted = cohort()
    rows = [{"subject": f"p{k}", "time": predicted.patients.time[k], "event": bool(predicted.patients.event[k]),
             "risk": predicted.risk[k], "days": DAYS.tolist(), "survival": predicted.survival[k].tolist(), "group": 1}
            for k in range(len(predicted))]  # fmt: skip
    read = Predicted.from_rows(rows)
    assert read.subjects[3] == "p3" and read.scores(300) == predicted.scores(300)
    with pytest.raises(UserError, match="no predictions"):
        Predicted.from_rows([])


def test_without_a_risk_patients_are_ranked_by_survival_on_the_middle_day():
    predicted = cohort()
    np.testing.assert_array_equal(
        Predicted(predicted.patients, DAYS, predicted.survival).risk, 1 - predicted.survival[:, 2]
    )


P = FollowUp([1, 2], np.array([True, False]))


@pytest.mark.parametrize(
    "call, what",
    [
        (lambda: Predicted(P, [1, 2], np.full((2, 3), 0.5)), r"give \(N, T\)"),
        (lambda: Predicted(P, [2, 1], np.full((2, 2), 0.5)), "must rise"),
        (lambda: Predicted(P, [-1, 1], np.full((2, 2), 0.5)), "must rise"),
        (lambda: Predicted(P, [1, 2], np.full((2, 2), 1.5)), "outside 0 … 1"),
        (lambda: Predicted(P, [1, 2], np.full((2, 2), 0.5), [1, np.nan]), "one finite number"),
        (lambda: Predicted(P, [1, 2], np.full((2, 2), 0.5), [1]), "one finite number"),
        (lambda: Predicted(P, [1, 2], np.full((2, 2), 0.5), [1, 2], ["a"]), "1 names for 2 patients"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(call, what):
    with pytest.raises(UserError, match=what):
        call()
