"""Scores of predicted survival pooled over folds: C-index, Brier, AUC; intervals by patient and never an exception.

A prediction is `{"subject", "time", "event", "risk", "days", "survival", "group"}`: S on some days, the risk to rank
by, and whether that risk lies above the median of the fold's training patients.

Pooled, the C-index also compares patients whom different folds' networks judged. "C-index within folds" compares
only patients whom one network judged, and adds the pairs up over the folds.

The integrated Brier score goes from the first day until a tenth of the patients are left: later days rest on few,
with large weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.estimates import Estimate, difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, without_interval
from medattn_lite.evaluation.jackknife import jackknife_estimate
from medattn_lite.survival.c_index_intervals import PAIRS, pair_estimate
from medattn_lite.survival.concordance import PairCounts, pair_counts
from medattn_lite.survival.follow_up import ONE_YEAR, FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier, log_rank
from medattn_lite.survival.predictions import Predicted
from medattn_lite.survival.scores import brier, integrated_brier, time_auc

LEFT = 0.9  # quantile of follow-up at which the integrated Brier score ends
Prediction = Mapping[str, Any]
Statistic = Callable[[Predicted, np.ndarray], float]


def survival_scores(predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
    """Computes every score with its interval; NaN where these patients do not define it, no intervals for `draws=0`."""
    cohort, out = Predicted.from_rows(predictions), {}
    patients = len(set(cohort.subjects))
    for name, score in _statistics(cohort).items():
        if not draws:
            out[name] = without_interval(_safe(score, cohort, np.arange(len(cohort))), patients, "")
            continue
        estimate, kind, method = _estimate(name, score, cohort)
        out[name] = interval_of(estimate, kind, method=method, units=patients)
    return out


def survival_differences(
    first: Sequence[Prediction], second: Sequence[Prediction], *, draws: int = 1000
) -> dict[str, Interval]:
    """Computes the scores' differences, first minus second, the same patients drawn for both.

    Raises:
        UserError: the two do not predict the same rows.
    """
    left, right = Predicted.from_rows(first), Predicted.from_rows(second)
    if left.subjects != right.subjects:
        raise UserError("the two models predicted other patients, or in another order: run both on the same folds")
    out, patients = {}, len(set(left.subjects))
    for name, score in _statistics(left).items():
        (estimate, kind, method), (others, _, _) = _estimate(name, score, left), _estimate(name, score, right)
        kind = "difference of C-indices" if kind == "C-index" else kind
        out[name] = difference_of(estimate, others, kind, method=f"square-and-add of {method}", units=patients)
        if not draws:
            out[name] = without_interval(out[name].value, patients, "")
    return out


def harrell(predictions: Sequence[Prediction]) -> float:
    """The C-index of the rows' risks, only equal ones tied; NaN where no two patients can be compared."""
    event, time, risk = (np.array([row[name] for row in predictions]) for name in ("event", "time", "risk"))
    return pair_counts(event, time, risk, tolerance=0.0).c_index


def reference_scores(time: np.ndarray, event: np.ndarray, days: Sequence[float]) -> dict[str, float]:
    """What everybody's Kaplan–Meier curve scores as a prediction for each of them: a Brier score to stay below."""
    curve = kaplan_meier(FollowUp(time, event)).at(days)
    last = np.flatnonzero(np.isfinite(curve))[-1]
    curve = np.where(np.isfinite(curve), curve, curve[last])
    rows = [{"subject": str(k), "time": t, "event": bool(e), "risk": 0.0, "days": list(days), "survival": curve}
            for k, (t, e) in enumerate(zip(time, event, strict=True))]  # fmt: skip
    scores = survival_scores(rows, draws=0)
    return {name: scores[name].value for name in ("Brier at one year", "integrated Brier")}


def risk_group_report(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Low and high predicted risk, cut at each fold's training median: patients, deaths, median survival, log-rank.

    The folds' networks share most of their training patients, so the p-value is a description, not a proof.
    """
    patients = Predicted.from_rows(predictions).patients
    group = np.array([row["group"] for row in predictions])
    report: dict[str, Any] = {}
    for number, name in enumerate(("low risk", "high risk")):
        in_group = group == number
        if not in_group.any():
            report[name] = {"patients": 0, "deaths": 0}
            continue
        curve = kaplan_meier(FollowUp(patients.time[in_group], patients.event[in_group]))
        report[name] = {
            "patients": int(in_group.sum()), "deaths": int(patients.event[in_group].sum()), "median_days": curve.median,
            "survival_at_one_year": float(curve.at([ONE_YEAR])[0]),
        }  # fmt: skip
    try:
        report["log_rank_p"] = log_rank(patients, group).p_value
    except UserError:
        report["log_rank_p"] = float("nan")
    return report


def _statistics(cohort: Predicted) -> dict[str, Statistic]:
    """Scores by name; each takes a cohort and the rows drawn."""
    statistics: dict[str, Statistic] = {"C-index": lambda cohort, _: cohort.pairs.c_index}
    if cohort.fold is not None:
        statistics["C-index within folds"] = lambda cohort, _: cohort.pairs_within.c_index
    return statistics | {"Brier at one year": _brier, "integrated Brier": _integrated, "AUC at one year": _auc}


def _some(cohort: Predicted, rows: np.ndarray) -> FollowUp:
    return FollowUp(cohort.patients.time[rows], cohort.patients.event[rows])


def _brier(cohort: Predicted, rows: np.ndarray) -> float:
    return float(brier(_some(cohort, rows), cohort.survival[rows][:, cohort.days == ONE_YEAR], [ONE_YEAR])[0])


def _integrated(cohort: Predicted, rows: np.ndarray) -> float:
    kept = cohort.days <= np.quantile(cohort.patients.time, LEFT)
    if not kept.any():
        return float("nan")
    return integrated_brier(_some(cohort, rows), cohort.survival[rows][:, kept], cohort.days[kept])


def _auc(cohort: Predicted, rows: np.ndarray) -> float:
    return float(time_auc(_some(cohort, rows), cohort.risk[rows], [ONE_YEAR])[0])


def _safe(score: Statistic, cohort: Predicted, rows: np.ndarray) -> float:
    """NaN for rows that a score is not defined on."""
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            return float(score(cohort, rows))
        except (ValueError, UserError):
            return float("nan")


def _estimate(name: str, score: Statistic, cohort: Predicted) -> tuple[Estimate, str, str]:
    """A score with what each patient contributes to it, its kind, and how its interval is made."""
    counted = {"C-index": "pairs", "C-index within folds": "pairs_within"}
    if name in counted:
        pairs: PairCounts = getattr(cohort, counted[name])
        estimate = pair_estimate(pairs.agreeing, pairs.comparable, cohort.patients.event, cohort.subjects)
        return estimate, "C-index", PAIRS
    deaths = int((cohort.patients.event & (cohort.patients.time <= ONE_YEAR)).sum())
    freedom = deaths - 1 if name == "AUC at one year" else None
    rows = np.arange(len(cohort))
    estimate = jackknife_estimate(partial(_safe, score, cohort), rows, groups=cohort.subjects, freedom=freedom)
    return estimate, "jackknife", "jackknife by patient"
