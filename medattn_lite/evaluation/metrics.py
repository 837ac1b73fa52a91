"""Scores of a classifier, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.auc_intervals import auc_interval, paired_auc_interval
from medattn_lite.evaluation.intervals import Interval, units_of
from medattn_lite.evaluation.jackknife import jackknife_interval, paired_jackknife_interval
from medattn_lite.evaluation.mean_intervals import paired_share_interval, share_interval


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Computes the area under the ROC curve of a two-class score; NaN when only one class is there.

    Args:
        labels: (N,) 0 or 1.
        scores: (N,) higher means class 1.

    Example:
        >>> from medattn_lite.evaluation import auc
        >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    from scipy.stats import rankdata

    # By ranks (Mann-Whitney): the same number as scikit-learn's, ties included, and fast enough to bootstrap.
    positive = np.asarray(labels) == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if ones == 0 or zeros == 0:
        return float("nan")
    ranks = rankdata(checked_probabilities(scores))
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of rows whose score is on the right side of 0.5."""
    return float(np.mean((checked_probabilities(scores) >= 0.5) == (np.asarray(labels) == 1)))


def recall(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of class 1 that is found at threshold 0.5 (sensitivity); NaN without class 1."""
    positive = np.asarray(labels) == 1
    return float(np.mean(checked_probabilities(scores)[positive] >= 0.5)) if positive.any() else float("nan")


def specificity(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of class 0 that is left alone at threshold 0.5; NaN without class 0."""
    negative = np.asarray(labels) == 0
    return float(np.mean(checked_probabilities(scores)[negative] < 0.5)) if negative.any() else float("nan")


def precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of what is called class 1 at threshold 0.5 that is class 1; NaN when nothing is called."""
    called = checked_probabilities(scores) >= 0.5
    return float(np.mean(np.asarray(labels)[called] == 1)) if called.any() else float("nan")


def f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Harmonic mean of precision and recall at threshold 0.5; NaN where one of them is undefined."""
    sensitivity, right = recall(labels, scores), precision(labels, scores)
    return 2 * sensitivity * right / (sensitivity + right) if sensitivity + right > 0 else float("nan")


CLASSIFICATION = {
    "AUC": auc,
    "accuracy": accuracy,
    "recall": recall,
    "specificity": specificity,
    "precision": precision,
    "F1": f1,
}


def classification_scores(
    labels: np.ndarray, scores: np.ndarray, *, groups: Sequence | None = None, n: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Computes AUC, accuracy, recall, specificity, precision and F1, each with a 95 % interval by patient.

    Args:
        labels: (N,) 0 or 1.
        scores: (N,) probability of class 1.
        groups: (N,) patient ids, needed as soon as a patient has more than one row.
        n: 0 leaves the intervals out; otherwise of no effect, because nothing is drawn.
        seed: of the blocks that F1's jackknife leaves out, above 200 patients.

    Returns:
        score → interval; NaN where the labels do not define it.

    Raises:
        UserError: probabilities that are not numbers.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import classification_scores
        >>> labels = np.arange(60) % 2
        >>> scores = classification_scores(labels, np.where(np.arange(60) % 10, 0.9 * labels, 0.5))
        >>> scores["accuracy"].text(2)
        '0.90 [0.80, 0.95], n = 60'
    """
    scores = checked_probabilities(scores)
    if n:
        return {name: classification_interval(name, labels, scores, groups=groups, seed=seed)
                for name in CLASSIFICATION}  # fmt: skip
    units = units_of(len(labels), groups)[1]
    return {name: Interval(metric(labels, scores), np.nan, np.nan, units=units, method="none")
            for name, metric in CLASSIFICATION.items()}  # fmt: skip


def classification_interval(
    name: str, labels: np.ndarray, scores: np.ndarray, *, groups: Sequence | None = None, seed: int = 0
) -> Interval:
    """One score of `CLASSIFICATION` with its interval: DeLong's for AUC, Wilson's for shares, the jackknife's for F1.

    Args:
        name: of the score.
        labels: (N,) 0 or 1.
        scores: (N,) probability of class 1.
        groups: (N,) patient ids.
        seed: of the jackknife's blocks.

    Raises:
        UserError: probabilities that are not numbers.
    """
    labels, scores = np.asarray(labels), checked_probabilities(scores)
    if name == "AUC":
        return auc_interval(labels, scores, groups=groups)
    if name == "F1":
        return jackknife_interval(f1, labels, scores, groups=groups, seed=seed)
    rows, hits = _hits(name, labels, scores)
    if not rows.any():
        units = units_of(len(labels), groups)[1]
        return Interval(np.nan, np.nan, np.nan, units=units, method="none")
    return share_interval(hits[rows], groups=None if groups is None else np.asarray(groups)[rows])


def classification_difference(
    name: str, labels: np.ndarray, first: np.ndarray, second: np.ndarray, *, groups: Sequence | None = None,
    seed: int = 0,
) -> Interval:  # fmt: skip
    """One score of `first` minus that of `second`, two models on the same rows; options as above."""
    labels, first, second = np.asarray(labels), checked_probabilities(first), checked_probabilities(second)
    if name == "AUC":
        return paired_auc_interval(labels, first, second, groups=groups)
    if name in ("F1", "precision"):  # what two models call class 1 are different rows
        return paired_jackknife_interval(
            CLASSIFICATION[name], (labels, first), (labels, second), groups=groups, seed=seed
        )
    (rows, left), (_, right) = _hits(name, labels, first), _hits(name, labels, second)
    if not rows.any():
        return Interval(np.nan, np.nan, np.nan, units=units_of(len(labels), groups)[1], method="none")
    return paired_share_interval(left[rows], right[rows], groups=None if groups is None else np.asarray(groups)[rows])


def checked_probabilities(scores: Sequence | np.ndarray) -> np.ndarray:
    """The scores as numbers.

    Raises:
        UserError: one of them is none; compared with a threshold it would pass for class 0.
    """
    scores = np.asarray(scores, dtype=float)
    lost = int((~np.isfinite(scores)).sum())
    if lost:
        raise UserError(f"{lost} of {scores.size} probabilities are not numbers (NaN or infinite): the network's "
                        "training has failed, or its input holds such values")  # fmt: skip
    return scores


def _hits(name: str, labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows a share is of, and which of them are hits."""
    called, positive = scores >= 0.5, labels == 1
    return {
        "accuracy": (np.ones(len(labels), dtype=bool), called == positive),
        "recall": (positive, called),
        "specificity": (~positive, ~called),
        "precision": (called, positive),
    }[name]
