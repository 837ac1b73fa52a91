"""Scores of a classifier and of a risk, each with its interval; scikit-learn and scikit-survival compute them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval, bootstrap


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of a two-class score; NaN when only one class is there.

    Args:
        labels: (N,) 0 or 1.
        scores: (N,) higher means class 1.
    """
    from scipy.stats import rankdata

    # By ranks (Mann-Whitney): the same number as scikit-learn's, ties included, and fast enough to bootstrap.
    positive = np.asarray(labels) == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if ones == 0 or zeros == 0:
        return float("nan")
    ranks = rankdata(np.asarray(scores, dtype=float))
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of rows whose score is on the right side of 0.5."""
    return float(np.mean((np.asarray(scores) >= 0.5) == (np.asarray(labels) == 1)))


def recall(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of class 1 that is found at threshold 0.5 (sensitivity); NaN without class 1."""
    positive = np.asarray(labels) == 1
    return float(np.mean(np.asarray(scores)[positive] >= 0.5)) if positive.any() else float("nan")


def specificity(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of class 0 that is left alone at threshold 0.5; NaN without class 0."""
    negative = np.asarray(labels) == 0
    return float(np.mean(np.asarray(scores)[negative] < 0.5)) if negative.any() else float("nan")


def precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of what is called class 1 at threshold 0.5 that is class 1; NaN when nothing is called."""
    called = np.asarray(scores) >= 0.5
    return float(np.mean(np.asarray(labels)[called] == 1)) if called.any() else float("nan")


def f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Harmonic mean of precision and recall at threshold 0.5; NaN where one of them is undefined."""
    found, right = recall(labels, scores), precision(labels, scores)
    return 2 * found * right / (found + right) if found + right > 0 else float("nan")


CLASSIFICATION = {
    "AUC": auc,
    "accuracy": accuracy,
    "recall": recall,
    "specificity": specificity,
    "precision": precision,
    "F1": f1,
}


def classification_report(
    labels: Sequence | np.ndarray,
    probabilities: Sequence | np.ndarray,
    subjects: Sequence | None = None,
    *,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """AUC, accuracy, recall, specificity, precision and F1, each with a 95 % interval drawn by patient.

    Args:
        labels: (N,) 0 or 1.
        probabilities: (N,) of class 1, or (N, 2).
        subjects: (N,) patient ids, needed as soon as a patient has more than one row.
        n: bootstrap draws.
        seed: of the draws.

    Raises:
        UserError: only one class, or not two classes.
    """
    labels = np.asarray(labels)
    scores = np.asarray(probabilities, dtype=float)
    scores = scores[:, 1] if scores.ndim == 2 else scores
    present = set(np.unique(labels).tolist())
    if present != {0, 1}:
        raise UserError(f"a two-class report needs labels 0 and 1, got {sorted(present)}: choose another split or task")
    return {
        name: bootstrap(metric, labels, scores, groups=subjects, n=n, seed=seed)
        for name, metric in CLASSIFICATION.items()
    }


def concordance(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> float:
    """Harrell's C-index (Harrell 1982): share of comparable pairs in which the higher risk dies first.

    Args:
        event: (N,) bool, True where death was seen, False where follow-up ended first.
        time: (N,) days to death or end of follow-up.
        risk: (N,) higher means earlier death.

    Raises:
        ValueError: no event, so no pair can be compared.
    """
    from sksurv.metrics import concordance_index_censored

    return float(concordance_index_censored(np.asarray(event, dtype=bool), np.asarray(time), np.asarray(risk))[0])
