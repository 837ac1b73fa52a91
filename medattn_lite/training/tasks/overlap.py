"""Scores of segmentations from counts of voxels: `{"subject", "regions": {name: {"tp", "fp", "fn", "hd95"}}}`.

A patient who is tested in several random splits has several rows; the bootstrap draws patients, with all their
rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval, bootstrap
from medattn_lite.evaluation.segmentation import dice, iou, sample_average, voxel_average
from medattn_lite.training.tasks.task import Prediction

# Of true positives, false positives, false negatives and distances of N rows.
STATISTICS: Mapping[str, Callable[..., float]] = {
    "Dice, sample average": lambda tp, fp, fn, mm: sample_average(dice)(tp, fp, fn),
    "Dice, voxel average": lambda tp, fp, fn, mm: voxel_average(dice)(tp, fp, fn),
    "IoU, sample average": lambda tp, fp, fn, mm: sample_average(iou)(tp, fp, fn),
    "IoU, voxel average": lambda tp, fp, fn, mm: voxel_average(iou)(tp, fp, fn),
    "HD95 (mm)": lambda tp, fp, fn, mm: float(np.mean(mm)),
}
Measures = Mapping[str, tuple[str, str]]  # name of the score → region, statistic


def overlap_scores(predictions: Sequence[Prediction], measures: Measures, *, draws: int = 1000) -> dict[str, Interval]:
    """Every measure with its interval by patient.

    Args:
        predictions: rows of one model.
        measures: what to score.
        draws: of the bootstrap; 0 leaves the intervals out.
    """
    subjects = [row["subject"] for row in predictions]
    return {
        name: bootstrap(STATISTICS[statistic], *_columns(predictions, region), groups=subjects, n=draws)
        for name, (region, statistic) in measures.items()
    }


def overlap_differences(
    first: Sequence[Prediction], second: Sequence[Prediction], measures: Measures
) -> dict[str, Interval]:
    """Every measure's difference, first minus second, the same patients drawn for both.

    Raises:
        UserError: the two do not predict the same rows.
    """
    subjects = [row["subject"] for row in first]
    if subjects != [row["subject"] for row in second]:
        raise UserError("the two models predicted other patients, or in another order: run both on the same splits")
    out = {}
    for name, (region, statistic) in measures.items():
        score = STATISTICS[statistic]
        columns = (*_columns(first, region), *_columns(second, region))
        out[name] = bootstrap(lambda *own, score=score: score(*own[:4]) - score(*own[4:]), *columns, groups=subjects)
    return out


def mean_dice(predictions: Sequence[Prediction]) -> float:
    """Mean over patients and regions of Dice."""
    regions = predictions[0]["regions"]
    return float(np.mean([dice(*_columns(predictions, region)[:3]) for region in regions]))


def dice_by_patient(predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
    """Patient → region → Dice, the mean over the splits that tested the patient."""
    out: dict[str, dict[str, float]] = {}
    for subject in sorted({row["subject"] for row in predictions}):
        own = [row for row in predictions if row["subject"] == subject]
        out[subject] = {region: float(np.mean(dice(*_columns(own, region)[:3]))) for region in own[0]["regions"]}
    return out


def _columns(predictions: Sequence[Prediction], region: str) -> list[np.ndarray]:
    rows = [row["regions"][region] for row in predictions]
    counts = [np.array([row[name] for row in rows], dtype=np.int64) for name in ("tp", "fp", "fn")]
    return [*counts, np.array([np.nan if row["hd95"] is None else row["hd95"] for row in rows], dtype=float)]
