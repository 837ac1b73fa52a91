"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from medattn_lite.evaluation import classification_scores
from medattn_lite.evaluation.metrics import accuracy, auc, f1, precision, recall, specificity

LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0])
SCORES = np.array([0.9, 0.8, 0.3, 0.6, 0.4, 0.2, 0.1, 0.1])  # 2 found, 1 missed, 1 false alarm


def test_threshold_metrics_equal_the_counts() -> None:
    assert recall(LABELS, SCORES) == pytest.approx(2 / 3)
    assert specificity(LABELS, SCORES) == pytest.approx(4 / 5)
    assert precision(LABELS, SCORES) == pytest.approx(2 / 3)
    assert f1(LABELS, SCORES) == pytest.approx(2 / 3)
    assert accuracy(LABELS, SCORES) == pytest.approx(6 / 8)


def test_auc_counts_ordered_pairs() -> None:
    pairs = [(p > n) + 0.5 * (p == n) for p in SCORES[LABELS == 1] for n in SCORES[LABELS == 0]]
    assert auc(LABELS, SCORES) == pytest.approx(np.mean(pairs))
    assert math.isnan(auc(np.ones(3), np.arange(3)))


def test_every_score_has_its_interval_by_patient() -> None:
    report = classification_scores(LABELS, SCORES, groups=["a", "b", "c", "d", "e", "f", "g", "g"])
    assert report["AUC"].units == 7 and report["AUC"].missing.startswith("3 patients of the smaller class, too few")
    many = classification_scores(np.tile(LABELS, 5), np.tile(SCORES, 5))
    for name, interval in many.items():
        assert interval.low < interval.value < interval.high, name


def test_scores_of_one_class_alone_are_unknown() -> None:
    scores = classification_scores(np.zeros(4), np.zeros(4))
    assert [name for name, interval in scores.items() if math.isnan(interval.value)] == [
        "AUC",
        "recall",
        "precision",
        "F1",
    ]


def test_auc_equals_scikit_learns_ties_included():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(3)
    for _ in range(50):
        labels = np.r_[0, 1, generator.integers(0, 2, 20)]
        scores = generator.normal(size=22).round(1)  # one decimal: many ties
        assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
