"""Intervals: known answers, patients drawn whole, hopeless draws left out."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.evaluation import bootstrap, paired_difference


def test_interval_of_a_mean_agrees_with_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, size=400)
    interval = bootstrap(np.mean, values, n=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_rows_of_one_patient_are_drawn_together() -> None:
    patients = np.repeat(np.arange(20), 50)
    values = np.random.default_rng(1).normal(size=20)[patients]  # all rows of a patient agree
    by_row = bootstrap(np.mean, values)
    by_patient = bootstrap(np.mean, values, groups=patients)
    assert by_patient.units == 20
    # 50 copies of a row bring no information: the honest interval is about sqrt(50) times as wide.
    assert (by_patient.high - by_patient.low) / (by_row.high - by_row.low) == pytest.approx(np.sqrt(50), rel=0.25)


def test_draws_that_cannot_be_scored_are_left_out_and_counted() -> None:
    from medattn_lite.evaluation import auc

    interval = bootstrap(auc, [0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9], n=500)
    assert 0 < interval.draws < 500
    assert interval.value == 1.0


def test_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(2).normal(size=50)
    assert bootstrap(np.mean, values, seed=3) == bootstrap(np.mean, values, seed=3)
    assert bootstrap(np.mean, values, seed=3) != bootstrap(np.mean, values, seed=4)


def test_paired_difference_is_narrower_than_the_models_apart() -> None:
    rng = np.random.default_rng(3)
    truth = np.zeros(300)
    hardness = rng.normal(size=300)
    first, second = hardness + 0.1 * rng.normal(size=300), hardness + 0.1 * rng.normal(size=300)

    def mean_score(_: np.ndarray, score: np.ndarray) -> float:
        return float(score.mean())

    difference = paired_difference(mean_score, truth, first, second)
    alone = bootstrap(mean_score, truth, first)
    assert (difference.high - difference.low) < 0.3 * (alone.high - alone.low)


def test_unequal_lengths_and_missing_ids_are_refused() -> None:
    with pytest.raises(UserError, match="one length"):
        bootstrap(np.mean, [])
    with pytest.raises(UserError, match="patient ids"):
        bootstrap(np.mean, [1.0, 2.0], groups=["a"])
