"""What the audit asks for: a class, or the time to an event; and how well a score tells it.

    classes     AUC; with more than two classes the mean of each class against the rest
    survival    Harrell's C-index
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.auc_intervals import auc_interval
from medattn_lite.evaluation.intervals import Interval, without_interval
from medattn_lite.evaluation.metrics import auc
from medattn_lite.evaluation.minimum_units import MINIMUM_UNITS
from medattn_lite.survival.c_index_intervals import c_index_interval

FEWEST = 5  # patients of a class, or deaths
DRAWS = 1000


@dataclass(frozen=True)
class Target:
    """Labels of N patients.

    Attributes:
        name: of the label.
        classes: names of the classes; empty for survival.
        labels: (N,) class number; for survival 1 where death was seen.
        time: (N,) days, for survival.
    """

    name: str
    classes: tuple[str, ...]
    labels: np.ndarray
    time: np.ndarray | None = None

    def checked(self) -> Target:
        """Itself, if there is enough to ask about.

        Raises:
            UserError: one class, or too few patients of a class, or too few deaths.
        """
        counts = np.bincount(self.labels, minlength=len(self.classes))
        if self.time is not None:
            if self.labels.sum() < FEWEST:
                raise UserError(f"{int(self.labels.sum())} deaths among {len(self.labels)} patients: "
                                f"an audit of survival needs at least {FEWEST}")
        elif len(self.classes) < 2:
            raise UserError(f"every case has the same {self.name}: an audit needs two classes")
        elif counts.min() < FEWEST:
            raise UserError(f"only {counts.min()} patients with {self.name} {self.classes[int(counts.argmin())]}: "
                            f"an audit needs at least {FEWEST} of each class")
        return self

    @property
    def measure(self) -> str:
        """"AUC" or "C-index"."""
        return "AUC" if self.time is None else "C-index"

    @property
    def columns(self) -> np.ndarray:
        """(N, K) what a model learns: a column of 0 and 1 for each class, or the log-rank scores (K = 1)."""
        if self.time is None:
            return np.eye(len(self.classes))[self.labels]
        return log_rank_scores(self.time, self.labels)[:, None]

    def take(self, rows: np.ndarray) -> Target:
        """The same question to some patients, or to patients whose labels were shuffled by an order of rows."""
        return Target(self.name, self.classes, self.labels[rows], None if self.time is None else self.time[rows])

    def score(self, scores: np.ndarray) -> float:
        """AUC or C-index of scores (N,), or (N, K) with a column for each class."""
        scores = np.asarray(scores, dtype=float)
        if self.time is not None:
            return float(weighted_concordance(self.labels, self.time, scores.reshape(-1), np.ones((1, len(scores))))[0])
        if scores.ndim == 1:
            return auc(self.labels, scores)
        return _mean_auc(self.labels, scores)

    def interval(self, scores: np.ndarray, *, seed: int = 0) -> Interval:
        """The score with its 95 % interval; patients are drawn."""
        scores = np.asarray(scores, dtype=float)
        if self.time is not None:
            return c_index_interval(self.labels.astype(bool), self.time, scores.reshape(-1))
        if scores.ndim == 1:
            return auc_interval(self.labels, scores)
        in_class = [self.labels == at for at in range(scores.shape[1])]
        return _drawn([members[:, None] & ~members for members in in_class], list(scores.T), seed)


def _mean_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    if scores.shape[1] == 2:
        return auc(labels, scores[:, 1] - scores[:, 0])
    return float(np.mean([auc((labels == label).astype(int), column) for label, column in enumerate(scores.T)]))


def _drawn(pairs: Sequence[np.ndarray], scores: Sequence[np.ndarray], seed: int) -> Interval:
    """Percentile bootstrap of the mean over some shares of right pairs: an AUC is one, Harrell's C-index another.

    A patient drawn twice weighs twice; so all draws are two products of matrices.
    """
    count = len(scores[0])
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    weights = np.concatenate([np.ones((1, count)), drawn])
    values = np.mean(
        [_right_share(class_pairs, score, weights) for class_pairs, score in zip(pairs, scores, strict=True)], axis=0
    )
    draws = values[1:][np.isfinite(values[1:])]
    if count < MINIMUM_UNITS["percentile bootstrap"]:
        return without_interval(float(values[0]), count, "too few for an interval")
    low, high = np.percentile(draws, (2.5, 97.5))
    return Interval(float(values[0]), float(low), float(high), units=count, draws=len(draws))


def weighted_concordance(event: np.ndarray, time: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Harrell's C-index for several weightings of the patients at once; ties of risk count one half.

    Args:
        event: (N,) 1 where death was seen.
        time: (N,) days.
        risk: (N,) higher means earlier death.
        weights: (B, N), such as how often each patient was drawn.

    Returns:
        (B,); NaN where no two patients can be compared.
    """
    return _right_share(comparable(event, time), risk, np.asarray(weights, dtype=float))


def _right_share(pairs: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(B,) share of the pairs (row, column) in which the row has the higher score."""
    weight = pairs.astype(float)
    right = weight * ((scores[:, None] > scores) + 0.5 * (scores[:, None] == scores))
    with np.errstate(invalid="ignore"):
        return (weights @ right * weights).sum(1) / (weights @ weight * weights).sum(1)


def comparable(event: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(N, N) bool: row died before column, or on the day on which column's follow-up ended."""
    dead = np.asarray(event, dtype=bool)
    return dead[:, None] & ((time[:, None] < time) | ((time[:, None] == time) & ~dead))


def log_rank_scores(time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Deaths seen minus deaths expected (Nelson–Aalen): the score of Cox's model at a coefficient of 0.

    Args:
        time: (N,) days.
        event: (N,) 1 where death was seen.
    """
    days = np.unique(time)
    at_risk = (time[:, None] >= days).sum(0)
    died = ((time[:, None] == days) & (np.asarray(event)[:, None] > 0)).sum(0)
    hazard = np.cumsum(died / at_risk)
    return np.asarray(event, dtype=float) - hazard[np.searchsorted(days, time)]
