"""Cox's model keeps scikit-learn's contract: checks, clones, pipelines, grid searches, tables; and the same numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sksurv", reason="the extra 'survival' is not installed")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from medattn_lite.errors import UserError
from medattn_lite.survival import CoxEstimator, CoxModel, FollowUp

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
        found = CoxEstimator(IMAGES).fit(frame[COLUMNS], outcome)
        assert np.array_equal(found.predict(frame[COLUMNS]), expected)
        assert list(found.feature_names_in_) == COLUMNS and found.n_features_in_ == 13
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
        own = []
        for seed in range(5):
            frame = table(seed=seed, tell=tell)
            model = CoxEstimator(IMAGES, image_penalty=100.0)
            own += cross_val_score(model, frame[COLUMNS], frame[["time", "event"]], groups=frame["subject"],
                                   cv=GroupKFold(4)).tolist()  # fmt: skip
        scores[tell] = np.mean(own)
    assert scores[1.2] > 0.7 and abs(scores[0.0] - 0.5) < 0.06, scores


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: (frame[COLUMNS], frame["time"]), "is no follow-up"),
        (lambda frame: (frame[COLUMNS], frame[["time"]]), "no column 'event'"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]].assign(event=2)), "something else than 0 and 1"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]].assign(event=False)), "no death among 120"),
        (lambda frame: (frame[COLUMNS], frame[["time", "event"]][:9]), "120 rows and 9 outcomes"),
        (lambda frame: (frame[["age", "f0"]], frame[["time", "event"]]), "image_columns names 'f1'"),
    ],
)
def test_a_mistake_is_one_line(change, message):
    features, outcome = change(table())
    with pytest.raises(UserError, match=message):
        CoxEstimator(IMAGES).fit(features, outcome)
