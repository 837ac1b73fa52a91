"""Metrics, confidence intervals, tables: every figure comes with its interval."""

from __future__ import annotations

from medattn_lite.evaluation.intervals import Interval, bootstrap, paired_difference
from medattn_lite.evaluation.metrics import auc, classification_report, concordance

__all__ = ["Interval", "auc", "bootstrap", "classification_report", "concordance", "paired_difference"]
