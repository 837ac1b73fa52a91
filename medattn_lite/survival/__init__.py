"""Survival: time in intervals, losses, curves S(t), Cox, Kaplan–Meier, concordance, scores, calibration, predictions.

    follow_up → concordance → c_index_intervals, uno_concordance          who died first, and who was said to
    time_intervals → heads → losses, curves                              training labels, and predictions
    kaplan_meier_curves, scores, calibration → predictions               a cohort with its predicted survival, once
    predictions → prediction_scores                                      scores pooled over folds
    patient_tables → cox_model → cox_tables                              Cox's model without images

Names are looked up on first use; type checkers and editors see them all. `plots.survival` draws, the task is
`training.tasks.survival`, the networks are `networks.survival`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.survival.c_index_intervals import c_index, c_index_interval, paired_c_index_interval
    from medattn_lite.survival.calibration import calibration_slope
    from medattn_lite.survival.concordance import PairCounts, harrell_c, pair_counts
    from medattn_lite.survival.controls import outline_values
    from medattn_lite.survival.cox_estimator import CoxEstimator
    from medattn_lite.survival.cox_model import CoxModel, out_of_fold_risk
    from medattn_lite.survival.follow_up import ONE_YEAR, FollowUp
    from medattn_lite.survival.heads import HEADS, LINKS, logistic_log_probabilities, official_log_probabilities
    from medattn_lite.survival.kaplan_meier_curves import KaplanMeier, kaplan_meier, log_rank, risk_groups
    from medattn_lite.survival.losses import cox_loss, discrete_time_nll, logistic_hazard_nll
    from medattn_lite.survival.predicted_curves import (
        Baseline,
        cumulative_hazard,
        outputs_of,
        survival_at,
        survival_curve,
    )
    from medattn_lite.survival.prediction_scores import survival_differences, survival_scores
    from medattn_lite.survival.predictions import Predicted
    from medattn_lite.survival.scores import brier, integrated_brier, time_auc
    from medattn_lite.survival.time_intervals import interval_breaks, interval_labels
    from medattn_lite.survival.uno_concordance import c_index_ipcw
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "HEADS",
    "LINKS",
    "ONE_YEAR",
    "Baseline",
    "CoxEstimator",
    "CoxModel",
    "FollowUp",
    "KaplanMeier",
    "PairCounts",
    "Predicted",
    "brier",
    "c_index",
    "c_index_interval",
    "c_index_ipcw",
    "calibration_slope",
    "cox_loss",
    "cumulative_hazard",
    "discrete_time_nll",
    "harrell_c",
    "integrated_brier",
    "interval_breaks",
    "interval_labels",
    "kaplan_meier",
    "log_rank",
    "logistic_hazard_nll",
    "logistic_log_probabilities",
    "official_log_probabilities",
    "out_of_fold_risk",
    "outline_values",
    "outputs_of",
    "pair_counts",
    "paired_c_index_interval",
    "risk_groups",
    "survival_at",
    "survival_curve",
    "survival_differences",
    "survival_scores",
    "time_auc",
]
