"""Intervals of an AUC that cover with few patients and near 1, alone and for two models on the same patients.

The standard error is DeLong's (1988), from the share of the other class that each patient beats; with several rows per
patient, Obuchowski's (1997). The interval is Student's on the logit scale, see `estimates`; its degrees of freedom are
Welch's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.estimates import TINY, Estimate, difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, units_of

Column = Sequence | np.ndarray
DELONG = "DeLong on the logit scale"


def auc_interval(
    labels: Column, scores: Column, *, groups: Sequence | np.ndarray | None = None, level: float = 0.95
) -> Interval:
    """Computes the AUC with its interval by patient; NaN when only one class is there.

    Args:
        labels: (N,) 0 or 1.
        scores: (N,) higher means class 1.
        groups: N patient ids, needed as soon as a patient has more than one row.
        level: coverage.

    Raises:
        UserError: labels beside 0 and 1, scores that are not numbers, or lengths that differ.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import auc_interval
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(100) % 2
        >>> auc_interval(labels, labels + rng.normal(size=100)).text(2)
        '0.81 [0.71, 0.88], n = 100'
    """
    return interval_of(auc_estimate(labels, scores, groups), "AUC", method=DELONG, level=level)


def paired_auc_interval(
    labels: Column, first: Column, second: Column, *, groups: Sequence | np.ndarray | None = None, level: float = 0.95
) -> Interval:
    """Computes the AUC of `first` minus AUC of `second`, two models on the same rows, with its interval by patient.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.evaluation import paired_auc_interval
        >>> rng, labels = np.random.default_rng(0), np.arange(100) % 2
        >>> good, poor = labels + rng.normal(size=100), labels + 5 * rng.normal(size=100)
        >>> paired_auc_interval(labels, good, poor).text(2)
        '0.21 [0.07, 0.35], n = 100'
    """
    first_auc, second_auc = (auc_estimate(labels, scores, groups) for scores in (first, second))
    return difference_of(first_auc, second_auc, "difference of AUCs", method=f"square-and-add of {DELONG}", level=level)


def auc_estimate(labels: Column, scores: Column, groups: Sequence | np.ndarray | None = None) -> Estimate:
    """AUC and what each patient contributes to its error."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    if labels.shape != scores.shape or labels.ndim != 1 or not ((labels == 0) | (labels == 1)).all():
        raise UserError(f"an AUC needs a label 0 or 1 and a score per row, got {labels.shape} and {scores.shape}")
    if not np.isfinite(scores).all():
        raise UserError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not numbers: look at what "
                        "the network says of them before it is scored")  # fmt: skip
    unit, units = units_of(len(labels), groups)
    parts, value = [], float("nan")
    for in_class in (labels == 1, labels == 0):
        if not 0 < in_class.sum() < len(labels):
            return Estimate(value, np.zeros(units), 0, 0, "share")
        others = np.sort(scores[~in_class])
        below = others.searchsorted(scores[in_class], "left") + others.searchsorted(scores[in_class], "right")
        beaten = below / (2 * len(others))  # share of the other class that lies below, a tie as one half
        here = int(np.count_nonzero(np.bincount(unit[in_class], minlength=units)))
        moved = np.bincount(unit[in_class], beaten - beaten.mean(), minlength=units) / in_class.sum()
        parts.append((moved * np.sqrt(here / max(here - 1, 1)), here, float(beaten.mean())))
    (ones, n_ones, value), (zeros, n_zeros, _) = parts
    squares = [float((part**2).sum()) for part in (ones, zeros)]
    spread = sum(square**2 / max(count - 1, 1) for square, count in zip(squares, (n_ones, n_zeros), strict=True))
    freedom = sum(squares) ** 2 / spread if spread > TINY**4 else min(n_ones, n_zeros) - 1
    return Estimate(value, ones - zeros, freedom, min(n_ones, n_zeros), "share")
