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
from functools import cached_property, partial
from typing import Any

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.concordance import PairCounts, pair_counts
from medattn_lite.evaluation.estimates import Estimate, difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, without_interval
from medattn_lite.evaluation.jackknife import jackknife_estimate
from medattn_lite.evaluation.kaplan_meier import kaplan_meier, log_rank
from medattn_lite.evaluation.rank_intervals import PAIRS, pair_estimate
from medattn_lite.evaluation.survival import ONE_YEAR, FollowUp, brier, integrated_brier, time_auc
from medattn_lite.training.tasks.task import Prediction

LEFT = 0.9  # quantile of follow-up at which the integrated Brier score ends
Statistic = Callable[["Table", np.ndarray], float]


class Table:
    """Predictions as columns.

    Args:
        predictions: of N rows, all with S on the same days.
    """

    def __init__(self, predictions: Sequence[Prediction]) -> None:
        self.subjects = [row["subject"] for row in predictions]
        self.time = np.array([row["time"] for row in predictions], dtype=float)
        self.event = np.array([row["event"] for row in predictions], dtype=bool)
        self.risk = np.array([row["risk"] for row in predictions], dtype=float)
        self.days = np.array(predictions[0]["days"], dtype=float)
        self.survival = np.array([row["survival"] for row in predictions], dtype=float)
        self.fold = np.array([row.get("fold", 0) for row in predictions])
        self.is_pooled = "fold" in predictions[0]
        self.last = np.quantile(self.time, LEFT)
        self.patients = len(set(self.subjects))

    @cached_property
    def pairs(self) -> PairCounts:
        """Each patient's pairs with all others; the risks of a network may differ by little, so only equal ones tie."""
        return pair_counts(self.event, self.time, self.risk, tolerance=0.0)

    @cached_property
    def pairs_within(self) -> PairCounts:
        """`pairs` with patients of the same fold."""
        return pair_counts(self.event, self.time, self.risk, tolerance=0.0, within=self.fold)

    @property
    def statistics(self) -> dict[str, Statistic]:
        """Scores by name; each takes a table and the rows drawn."""
        found: dict[str, Statistic] = {"C-index": lambda table, _: table.pairs.c_index}
        if self.is_pooled:
            found["C-index within folds"] = lambda table, _: table.pairs_within.c_index
        return found | {"Brier at one year": _brier, "integrated Brier": _integrated, "AUC at one year": _auc}


def survival_scores(predictions: Sequence[Prediction], *, draws: int = 1000) -> dict[str, Interval]:
    """Each score with its interval; NaN where these patients do not define it, no intervals for `draws=0`."""
    table, out = Table(predictions), {}
    for name, score in table.statistics.items():
        if not draws:
            out[name] = without_interval(_safe(score, table, np.arange(len(table.time))), table.patients, "")
            continue
        own, kind, method = _estimate(name, score, table)
        out[name] = interval_of(own, kind, method=method, units=table.patients)
    return out


def survival_differences(
    first: Sequence[Prediction], second: Sequence[Prediction], *, draws: int = 1000
) -> dict[str, Interval]:
    """Differences of the scores, first minus second, the same patients drawn for both.

    Raises:
        UserError: the two do not predict the same rows.
    """
    one, other = Table(first), Table(second)
    if one.subjects != other.subjects:
        raise UserError("the two models predicted other patients, or in another order: run both on the same folds")
    out = {}
    for name, score in one.statistics.items():
        (own, kind, method), (others, _, _) = _estimate(name, score, one), _estimate(name, score, other)
        kind = "difference of C-indices" if kind == "C-index" else kind
        out[name] = difference_of(own, others, kind, method=f"square-and-add of {method}", units=one.patients)
        if not draws:
            out[name] = without_interval(out[name].value, one.patients, "")
    return out


def harrell(predictions: Sequence[Prediction]) -> float:
    """The C-index, NaN where no two patients can be compared."""
    return Table(predictions).pairs.c_index


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
    table = Table(predictions)
    group = np.array([row["group"] for row in predictions])
    report: dict[str, Any] = {}
    for number, name in enumerate(("low risk", "high risk")):
        own = group == number
        if not own.any():
            report[name] = {"patients": 0, "deaths": 0}
            continue
        curve = kaplan_meier(FollowUp(table.time[own], table.event[own]))
        report[name] = {
            "patients": int(own.sum()), "deaths": int(table.event[own].sum()), "median_days": curve.median,
            "survival_at_one_year": float(curve.at([ONE_YEAR])[0]),
        }  # fmt: skip
    try:
        report["log_rank_p"] = log_rank(FollowUp(table.time, table.event), group).p_value
    except UserError:
        report["log_rank_p"] = float("nan")
    return report


def _brier(table: Table, rows: np.ndarray) -> float:
    now = table.survival[rows][:, table.days == ONE_YEAR]
    return float(brier(FollowUp(table.time[rows], table.event[rows]), now, [ONE_YEAR])[0])


def _integrated(table: Table, rows: np.ndarray) -> float:
    kept = table.days <= table.last
    if not kept.any():
        return float("nan")
    return integrated_brier(FollowUp(table.time[rows], table.event[rows]), table.survival[rows][:, kept],
                            table.days[kept])  # fmt: skip


def _auc(table: Table, rows: np.ndarray) -> float:
    return float(time_auc(FollowUp(table.time[rows], table.event[rows]), table.risk[rows], [ONE_YEAR])[0])


def _safe(score: Statistic, table: Table, rows: np.ndarray) -> float:
    """NaN for rows that a score is not defined on."""
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            return float(score(table, rows))
        except (ValueError, UserError):
            return float("nan")


def _estimate(name: str, score: Statistic, table: Table) -> tuple[Estimate, str, str]:
    """A score with what each patient contributes to it, its kind, and how its interval is made."""
    counted = {"C-index": "pairs", "C-index within folds": "pairs_within"}
    if name in counted:
        pairs: PairCounts = getattr(table, counted[name])
        return pair_estimate(pairs.agreeing, pairs.comparable, table.event, table.subjects), "C-index", PAIRS
    freedom = int((table.event & (table.time <= ONE_YEAR)).sum()) - 1 if name == "AUC at one year" else None
    rows = np.arange(len(table.time))
    own = jackknife_estimate(partial(_safe, score, table), rows, groups=table.subjects, freedom=freedom)
    return own, "jackknife", "jackknife by patient"


def deck_figures(
    published: Mapping[str, Mapping[str, str]], *, end_point: str, grades: str
) -> dict[str, dict[str, str]]:
    """The deck's figures of one end point and kind of grades under the scores' own names; its others in full.

    Args:
        published: variant → column, such as "C-index, one-year, highest grade" → figure.
        end_point: "overall" or "one-year".
        grades: "all" or "highest".
    """
    own = (", one-year" if end_point == "one-year" else "") + (", highest grade" if grades == "highest" else "")

    def column(name: str) -> str:
        score, separator, rest = name.partition(",")
        if separator + rest == own:
            return score
        return name if separator else f"{score}, overall, all grades"

    return {variant: {column(name): value for name, value in printed.items()} for variant, printed in published.items()}
