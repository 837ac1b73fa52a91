"""Cox's model keeps scikit-learn's contract: checks, clones, pipelines, grid searches, tables; and the same numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sksurv", reason="the extra 'survival' is not installed")

import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from medattn_lite.errors import UserError
from medattn_lite.survival import CoxEstimator, CoxModel, FollowUp
from medattn_lite.survival.cox_model import INNER_FOLDS, PENALTIES, inner_folds

# those that fit no numbers of their own as y: follow-up is two columns
CONTRACT = ("check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_get_params_invariance",
            "check_set_params", "check_estimator_repr", "check_do_not_raise_errors_in_init_or_set_param",
            "check_estimator_cloneable", "check_mixin_order", "check_valid_tag_types")  # fmt: skip


def table(count: int = 120, *, seed: int = 0, tell: float = 1.2) -> pd.DataFrame:
    """Patients whose age, and one of twelve image features, bring death forward."""
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 9, count)
    images = rng.normal(size=(count, 12))
    risk = tell * ((age - 60) / 9 + images[:, 3])
    time = rng.exponential(400 * np.exp(-risk))
    left = rng.exponential(900, count)
    frame = pd.DataFrame(images, columns=[f"f{number}" for number in range(12)]).assign(
        age=age, time=np.minimum(time, left), event=time <= left, subject=np.arange(count) // 2)  # fmt: skip
    frame.loc[::17, "age"] = np.nan
    return frame


COLUMNS = [f"f{number}" for number in range(12)] + ["age"]
IMAGES = COLUMNS[:12]


@pytest.mark.parametrize("name", CONTRACT)
def test_scikit_learns_own_checks_of_an_estimator(name):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip(f"this scikit-learn has no {name}")
    check("CoxEstimator", CoxEstimator())


def test_tables_arrays_and_all_kinds_of_outcome_give_the_numbers_of_the_model():
    frame = table()
    follow = FollowUp(frame["time"].to_numpy(), frame["event"].to_numpy())
    plain = CoxModel(np.array([True] * 12 + [False])).fit(frame[COLUMNS].to_numpy(), follow.time, follow.event)
    expected = plain.predict(frame[COLUMNS].to_numpy())
    for outcome in (frame[["time", "event"]], follow, follow.records()):
        model = CoxEstimator(IMAGES).fit(frame[COLUMNS], outcome)
        assert np.array_equal(model.predict(frame[COLUMNS]), expected)
        assert list(model.feature_names_in_) == COLUMNS and model.n_features_in_ == 13
    by_number = CoxEstimator(range(12)).fit(frame[COLUMNS].to_numpy(), follow)
    assert np.array_equal(by_number.predict(frame[COLUMNS].to_numpy()), expected)


def test_a_clone_and_a_pickled_copy_are_the_same_estimator():
    frame = table()
    model = CoxEstimator(IMAGES, clinical_penalty=3.0, image_penalty=50.0, seed=1)
    copy = clone(model)
    assert copy.get_params() == model.get_params() and not hasattr(copy, "model_")
    model.fit(frame[COLUMNS], frame[["time", "event"]])
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(frame[COLUMNS]), model.predict(frame[COLUMNS]))
    assert model.model_.penalty == 50.0 and model.model_.clinical_penalty == 3.0


def test_it_goes_through_a_pipeline_and_a_grid_search_by_patient():
    frame = table()
    pipeline = make_pipeline(FunctionTransformer(lambda values: values), CoxEstimator(IMAGES, image_penalty=100.0))
    pipeline.set_output(transform="pandas")
    grid = {"coxestimator__image_penalty": [1.0, 1e6], "coxestimator__clinical_penalty": [1.0, 1e6]}
    search = GridSearchCV(pipeline, grid, cv=GroupKFold(4), error_score="raise")
    search.fit(frame[COLUMNS], frame[["time", "event"]], groups=frame["subject"])
    assert search.best_params_ == {"coxestimator__image_penalty": 1.0, "coxestimator__clinical_penalty": 1.0}
    assert search.best_score_ > 0.7 and search.score(frame[COLUMNS], frame[["time", "event"]]) > 0.7


def test_out_of_fold_it_knows_what_is_told_and_nothing_where_nothing_is():
    scores = {}
    for tell in (1.2, 0.0):
        fold_scores = []
        for seed in range(5):
            frame = table(seed=seed, tell=tell)
            model = CoxEstimator(IMAGES, image_penalty=100.0)
            fold_scores += cross_val_score(model, frame[COLUMNS], frame[["time", "event"]], groups=frame["subject"],
                                           cv=GroupKFold(4)).tolist()  # fmt: skip
        scores[tell] = np.mean(fold_scores)
    assert scores[1.2] > 0.7 and abs(scores[0.0] - 0.5) < 0.06, scores


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: (frame[COLUMNS], frame["time"]), "is not a follow-up"),
        (lambda frame: (frame[COLUMNS], frame[["time"]]), "no column 'event'"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]].assign(event=2)), "something else than 0 and 1"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]].assign(event=False)), "no death among 120"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]][:9]), "120 rows and 9 outcomes"),
        (lambda frame: (frame[["age", "f0"]], frame[["time", "event"]]), "image_columns names 'f1'"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]], frame["subject"][:9]), "120 rows and 9 groups"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]], frame["subject"].where(frame["subject"] > 0)),
         "a row without a patient"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]].assign(event=frame.index < 2)),
         "2 deaths among 120 patients are too few .* by 3 inner folds: give image_penalty"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]], ["one patient"] * 120),
         "1 deaths among 1 patients are too few"),
        (lambda frame: (frame[COLUMNS][:3], frame[["time", "event"]][:3].assign(event=True)),
         "3 deaths among 3 patients are too few"),  # each test fold has one patient: nobody to compare with
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(change, message):
    with pytest.raises(UserError, match=message) as error:
        CoxEstimator(IMAGES).fit(*change(table()))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("alive", [0, 1, 2])
def test_image_features_can_be_learned_from_where_nearly_all_patients_died(alive):
    frame = table(60).assign(event=lambda rows: rows.index >= alive)
    model = CoxEstimator(IMAGES).fit(frame[COLUMNS], frame[["time", "event"]])
    assert model.model_.penalty in PENALTIES and model.score(frame[COLUMNS], frame[["time", "event"]]) > 0.7
    folds = inner_folds([f"p{row}" for row in frame.index], frame["event"].to_numpy(), 0)
    assert sorted(patient for fold in folds for patient in fold.test) == sorted(f"p{row}" for row in frame.index)
    assert [len(fold.test) for fold in folds] == [20] * INNER_FOLDS and len({fold.test for fold in folds}) == 3
    assert all(set(fold.train) | set(fold.test) == {f"p{row}" for row in frame.index} for fold in folds)
    assert folds == inner_folds([f"p{row}" for row in frame.index], frame["event"].to_numpy(), 0)
    assert folds != inner_folds([f"p{row}" for row in frame.index], frame["event"].to_numpy(), 1)


def test_few_deaths_are_enough_with_a_penalty_that_is_given():
    frame = table().assign(event=lambda rows: rows.index < 2)
    model = CoxEstimator(IMAGES, image_penalty=100.0).fit(frame[COLUMNS], frame[["time", "event"]])
    assert np.isfinite(model.predict(frame[COLUMNS])).all()


def test_the_seed_draws_the_inner_folds_that_choose_the_penalty():
    frame = table(60, tell=0.4)
    follow = frame[["time", "event"]]
    chosen = [CoxEstimator(IMAGES, seed=seed).fit(frame[COLUMNS], follow).model_.penalty for seed in range(6)]
    assert len(set(chosen)) > 1, "no seed changes anything"
    for seed in range(6):
        plain = CoxModel(np.array([True] * 12 + [False]), seed)
        plain.fit(frame[COLUMNS].to_numpy(), follow["time"].to_numpy(), follow["event"].to_numpy())
        assert plain.penalty == chosen[seed]


def scans(seed: int, count: int = 40, *, repeats: int = 3) -> pd.DataFrame:
    """Several scans per patient, all alike, of features that tell nothing: who is known is known by heart."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, 12))
    time = rng.exponential(400, count)
    frame = pd.DataFrame(images, columns=IMAGES).assign(
        age=60.0, time=time, event=rng.random(count) < 0.7, subject=[f"p{row}" for row in range(count)])  # fmt: skip
    return pd.concat([frame] * repeats, ignore_index=True)


def test_inner_folds_keep_the_rows_of_a_patient_together_where_groups_are_given(monkeypatch):
    weighed = []
    plain = CoxModel._learn_scale
    monkeypatch.setattr(CoxModel, "_learn_scale", lambda self, values: (weighed.append(values), plain(self, values)))
    penalties = {"by patient": [], "by row": []}
    for seed in range(4):
        frame = scans(seed)
        for name, groups in (("by patient", frame["subject"].astype("category")), ("by row", None)):
            weighed.clear()
            model = CoxEstimator(IMAGES).fit(frame[COLUMNS], frame[["time", "event"]], groups=groups).model_
            penalties[name].append(model.penalty)
            assert len(weighed) == INNER_FOLDS + 1
            for values in weighed[:-1]:  # rows that an inner fold is fitted to
                _, counts = np.unique(values, axis=0, return_counts=True)
                assert (set(counts) == {3}) == (name == "by patient")
    # noise deserves a strong ridge; rows of known patients in the test folds make a weak one look best
    assert np.mean(np.log10(penalties["by patient"])) > np.mean(np.log10(penalties["by row"])) + 0.3


def test_each_row_is_a_patient_where_no_groups_are_given():
    frame = table(60)
    rows = [CoxEstimator(IMAGES).fit(frame[COLUMNS], frame[["time", "event"]], groups).predict(frame[COLUMNS])
            for groups in (None, [str(row) for row in range(60)])]  # fmt: skip
    assert np.array_equal(*rows)


def test_a_search_passes_the_patients_on_to_the_inner_folds(monkeypatch):
    frame, seen = scans(5, 30, repeats=2), []
    plain = CoxModel.fit
    monkeypatch.setattr(CoxModel, "fit", lambda self, values, time, event, groups=None: (
        seen.append(groups), plain(self, values, time, event, groups))[1])  # fmt: skip
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(CoxEstimator(IMAGES).set_fit_request(groups=True), {"clinical_penalty": [1.0, 10.0]},
                              cv=GroupKFold(3), error_score="raise")  # fmt: skip
        search.fit(frame[COLUMNS], frame[["time", "event"]], groups=frame["subject"])
    assert len(seen) == 2 * 3 + 1 and set(seen[-1]) == set(frame["subject"])
    assert all(len(patients) == 2 * len(set(patients)) == 40 for patients in seen[:-1])
