"""Scores of segmentations from counts of voxels: `{"subject", "regions": {name: {"tp", "fp", "fn", "hd95"}}}`.

A patient who is tested in several random splits has several rows, which count as one patient in the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval, without_interval
from medattn_lite.evaluation.jackknife import jackknife_interval, paired_jackknife_interval
from medattn_lite.evaluation.mean_intervals import UNIT, mean_interval, paired_mean_interval
from medattn_lite.evaluation.segmentation import dice, iou, voxel_average
from medattn_lite.training.tasks.task import Prediction


@dataclass(frozen=True)
class RowMean:
    """The mean of a score per row.

    Attributes:
        score: of true positives, false positives, false negatives and distances, (N,) each, to (N,).
        bounds: what the score lies between.
    """

    score: Callable[..., np.ndarray]
    bounds: tuple[float, float] = UNIT


@dataclass(frozen=True)
class Together:
    """One score of all rows together.

    Attributes:
        score: of true positives, false positives, false negatives and distances, (N,) each, to one number.
    """

    score: Callable[..., float]


STATISTICS: Mapping[str, RowMean | Together] = {
    "Dice, sample average": RowMean(lambda tp, fp, fn, mm: dice(tp, fp, fn)),
    "Dice, voxel average": Together(lambda tp, fp, fn, mm: voxel_average(dice)(tp, fp, fn)),
    "IoU, sample average": RowMean(lambda tp, fp, fn, mm: iou(tp, fp, fn)),
    "IoU, voxel average": Together(lambda tp, fp, fn, mm: voxel_average(iou)(tp, fp, fn)),
    "HD95 (mm)": RowMean(lambda tp, fp, fn, mm: mm, (0.0, np.inf)),
}
Measures = Mapping[str, tuple[str, str]]  # name of the score → region, statistic


def overlap_scores(predictions: Sequence[Prediction], measures: Measures, *, draws: int = 1000) -> dict[str, Interval]:
    """Every measure with its interval by patient.

    Args:
        predictions: rows of one model.
        measures: what to score.
        draws: 0 leaves the intervals out; otherwise of no effect, because nothing is drawn.
    """
    subjects = [row["subject"] for row in predictions]
    out = {name: _score(statistic, _columns(predictions, region), subjects)
           for name, (region, statistic) in measures.items()}  # fmt: skip
    if draws:
        return out
    return {name: without_interval(interval.value, interval.units, "") for name, interval in out.items()}


def overlap_differences(
    first: Sequence[Prediction], second: Sequence[Prediction], measures: Measures
) -> dict[str, Interval]:
    """Computes every measure's difference, first minus second, the same patients drawn for both.

    Raises:
        UserError: the two do not predict the same rows.
    """
    subjects = [row["subject"] for row in first]
    if subjects != [row["subject"] for row in second]:
        raise UserError("the two models predicted other patients, or in another order: run both on the same splits")
    out = {}
    for name, (region, statistic) in measures.items():
        how = STATISTICS[statistic]
        first_columns, second_columns = _columns(first, region), _columns(second, region)
        if isinstance(how, Together):
            out[name] = paired_jackknife_interval(how.score, first_columns, second_columns, groups=subjects)
        elif not np.isfinite(how.score(*first_columns) - how.score(*second_columns)).all():
            out[name] = _nothing(subjects)
        else:
            out[name] = paired_mean_interval(how.score(*first_columns), how.score(*second_columns), groups=subjects)
    return out


def mean_dice(predictions: Sequence[Prediction]) -> float:
    """Mean over patients and regions of Dice."""
    regions = predictions[0]["regions"]
    return float(np.mean([dice(*_columns(predictions, region)[:3]) for region in regions]))


def dice_by_patient(predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
    """Averages Dice over the splits that tested a patient: patient → region → Dice."""
    out: dict[str, dict[str, float]] = {}
    for subject in sorted({row["subject"] for row in predictions}):
        tests = [row for row in predictions if row["subject"] == subject]
        out[subject] = {region: float(np.mean(dice(*_columns(tests, region)[:3]))) for region in tests[0]["regions"]}
    return out


def _score(statistic: str, columns: Sequence[np.ndarray], subjects: Sequence[str]) -> Interval:
    how = STATISTICS[statistic]
    if isinstance(how, Together):
        return jackknife_interval(how.score, *columns, groups=subjects)
    values = how.score(*columns)
    if not np.isfinite(values).all():
        return _nothing(subjects)
    return mean_interval(values, groups=subjects, bounds=how.bounds)


def _nothing(subjects: Sequence[str]) -> Interval:
    return without_interval(float("nan"), len(set(subjects)), "")


def _columns(predictions: Sequence[Prediction], region: str) -> list[np.ndarray]:
    rows = [row["regions"][region] for row in predictions]
    counts = [np.array([row[name] for row in rows], dtype=np.int64) for name in ("tp", "fp", "fn")]
    return [*counts, np.array([np.nan if row["hd95"] is None else row["hd95"] for row in rows], dtype=float)]
