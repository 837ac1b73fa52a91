"""Metrics, confidence intervals, tables: every number comes with its interval."""

from __future__ import annotations

from medattn_lite.evaluation.auc_intervals import auc_interval, paired_auc_interval
from medattn_lite.evaluation.intervals import Interval, bootstrap, paired_difference
from medattn_lite.evaluation.jackknife import jackknife_interval, paired_jackknife_interval
from medattn_lite.evaluation.mean_intervals import (
    mean_interval,
    paired_mean_interval,
    paired_share_interval,
    proportion_interval,
    share_interval,
)
from medattn_lite.evaluation.metrics import auc, classification_scores
from medattn_lite.evaluation.multiplicity import holm
from medattn_lite.evaluation.segmentation import dice, hausdorff95, iou

__all__ = [
    "Interval",
    "auc",
    "auc_interval",
    "bootstrap",
    "classification_scores",
    "dice",
    "hausdorff95",
    "holm",
    "iou",
    "jackknife_interval",
    "mean_interval",
    "paired_auc_interval",
    "paired_difference",
    "paired_jackknife_interval",
    "paired_mean_interval",
    "paired_share_interval",
    "proportion_interval",
    "share_interval",
]
