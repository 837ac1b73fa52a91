"""Scores of two-class predictions `{"subject", "label", "probability"}`, drawn by patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.metrics import (
    CLASSIFICATION,
    auc,
    checked_probabilities,
    classification_difference,
    classification_scores,
)
from medattn_lite.training.tasks.task import Prediction


def binary_scores(predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
    """AUC, accuracy, recall, specificity, precision and F1 at threshold 0.5; `draws=0` leaves the intervals out."""
    labels, scores, subjects = _columns(predictions)
    return classification_scores(labels, scores, groups=subjects, n=draws)


def binary_differences(first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Interval]:
    """Differences of AUC, accuracy and the others, first minus second, the same patients drawn for both.

    Raises:
        UserError: the two do not predict the same rows.
    """
    labels, scores, subjects = _columns(first)
    others, other_scores, other_subjects = _columns(second)
    if not (np.array_equal(labels, others) and subjects == other_subjects):
        raise UserError("the two models predicted other patients, or in another order: run both on the same folds")
    return {
        name: classification_difference(name, labels, scores, other_scores, groups=subjects) for name in CLASSIFICATION
    }


def binary_quick_score(predictions: Sequence[Prediction]) -> float:
    """AUC; where one class is missing, minus the cross-entropy."""
    labels, scores, _ = _columns(predictions)
    value = auc(labels, scores)
    if np.isfinite(value):
        return value
    return log_likelihood(predictions)


def log_likelihood(predictions: Sequence[Prediction]) -> float:
    """Minus the cross-entropy: the mean logarithm of the probability that the true class was given."""
    labels, scores, _ = _columns(predictions)
    right = np.where(labels == 1, scores, 1 - scores)
    return float(np.mean(np.log(np.clip(right, 1e-7, 1))))


def confusion(predictions: Sequence[Prediction], names: Sequence[str]) -> dict[str, Any]:
    """How many of each true class were called what: {"truth": {"called": count}}."""
    labels, scores, _ = _columns(predictions)
    called = (scores >= 0.5).astype(int)
    return {
        truth: {name: int(((labels == i) & (called == j)).sum()) for j, name in enumerate(names)}
        for i, truth in enumerate(names)
    }


def _columns(predictions: Sequence[Prediction]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    labels = np.array([row["label"] for row in predictions])
    scores = checked_probabilities([row["probability"] for row in predictions])
    return labels, scores, [row["subject"] for row in predictions]
