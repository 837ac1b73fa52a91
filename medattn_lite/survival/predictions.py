"""A cohort with its predicted survival: what happened, S by patient and day, a risk to rank by; and its questions.

What a page of survival results asks of one model, at a cut of the risk or on one day, each answered through `scores`,
`kaplan_meier_curves` and `calibration`; `prediction_scores` scores a run's predictions, pooled over folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from medattn_lite.errors import UserError
from medattn_lite.survival.calibration import Calibration, calibration
from medattn_lite.survival.concordance import PairCounts, pair_counts
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import KaplanMeier, LogRank, kaplan_meier, log_rank
from medattn_lite.survival.predicted_curves import log_survival_at
from medattn_lite.survival.scores import brier, time_auc, usable_times

LOW, HIGH = "low risk", "high risk"
SMALLEST = 1e-12  # stands for S = 0 where a logarithm is taken


@dataclass(frozen=True)
class RiskSplit:
    """A cohort cut in two at a risk.

    Attributes:
        threshold: risks above it are high.
        high: (N,) bool.
        curves: Kaplan–Meier of each group that has patients, "low risk" first.
        log_rank: the test, or None where there is none.
        untested: why there is none; empty if there is one.
    """

    threshold: float
    high: np.ndarray
    curves: dict[str, KaplanMeier]
    log_rank: LogRank | None
    untested: str


@dataclass(frozen=True)
class DayScores:
    """Scores on one day; NaN where these patients do not define one.

    Attributes:
        brier: of the predictions.
        brier_of_all_alike: of the Kaplan–Meier estimate as everybody's prediction; a model should stay below.
        auc: of the risk.
    """

    brier: float
    brier_of_all_alike: float
    auc: float


@dataclass(frozen=True)
class Predicted:
    """Predictions for N patients.

    Args:
        patients: what happened.
        days: (T,) days, rising.
        survival: (N, T) predicted S.
        risk: (N,) higher means earlier death; 1 − S on the middle one of the days if None.
        subjects: N names; their numbers if None.
        train: patients whose censoring weights Brier score and AUC; the cohort's own if None.
        fold: (N,) which fold's network predicted each; one network for all if None.

    Raises:
        UserError: shapes that do not fit, S outside 0 … 1, or days that do not rise.
    """

    patients: FollowUp
    days: np.ndarray
    survival: np.ndarray
    risk: np.ndarray = None  # type: ignore[assignment]  # never None once made
    subjects: Sequence[str] = None  # type: ignore[assignment]  # likewise
    train: FollowUp | None = None
    fold: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.patients.time)
        days, survival = np.asarray(self.days, dtype=float), np.asarray(self.survival, dtype=float)
        if days.ndim != 1 or survival.shape != (count, len(days)):
            raise UserError(f"survival is {survival.shape} for {count} patients and {len(days)} days: give (N, T)")
        if not (np.diff(days) > 0).all() or not (days >= 0).all():
            raise UserError("the days of predicted survival must rise from 0 or later")
        if not ((survival >= 0) & (survival <= 1)).all():
            raise UserError("predicted survival lies outside 0 … 1: give probabilities of being alive, not risks")
        risk = 1 - survival[:, len(days) // 2] if self.risk is None else np.asarray(self.risk, dtype=float)
        if risk.shape != (count,) or not np.isfinite(risk).all():
            raise UserError(f"risk of shape {risk.shape} for {count} patients: give one finite number for each")
        subjects = tuple(map(str, range(count) if self.subjects is None else self.subjects))
        if len(subjects) != count:
            raise UserError(f"{len(subjects)} names for {count} patients: give one for each")
        for name, value in (("days", days), ("survival", survival), ("risk", risk), ("subjects", subjects)):
            object.__setattr__(self, name, value)

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]], *, train: FollowUp | None = None) -> Predicted:
        """From the predictions of a survival run: subject, time, event, risk, days, survival, and fold where pooled."""
        if not rows:
            raise UserError("there are no predictions to look at: give at least one patient's")
        event = np.array([row["event"] for row in rows], dtype=bool)
        columns = {name: np.array([row[name] for row in rows], dtype=float) for name in ("time", "survival", "risk")}
        return cls(
            FollowUp(columns["time"], event), np.array(rows[0]["days"], dtype=float), columns["survival"],
            columns["risk"], [row["subject"] for row in rows], train,
            np.array([row["fold"] for row in rows]) if "fold" in rows[0] else None,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.subjects)

    def at(self, days: float | Sequence[float] | np.ndarray) -> np.ndarray:
        """S on any days, (N,) on one and (N, M) on M: −log S runs straight between two days, and on from 0 at day 0.

        Raises:
            UserError: a day before 0 or after the last one predicted.
        """
        at_days = np.atleast_1d(np.asarray(days, dtype=float))
        known, log_curve = self.days, np.log(np.maximum(self.survival, SMALLEST))
        if known[0] > 0:
            known, log_curve = np.r_[0.0, known], np.column_stack([np.zeros(len(log_curve)), log_curve])
        read = log_survival_at(torch.from_numpy(log_curve), torch.from_numpy(at_days), torch.from_numpy(known))
        survival = read.exp().numpy()  # (N, M)
        return survival[:, 0] if np.ndim(days) == 0 else survival

    @cached_property
    def pairs(self) -> PairCounts:
        """Each patient's pairs with all others; the risks of a network may differ by little, so only equal ones tie."""
        return pair_counts(self.patients.event, self.patients.time, self.risk, tolerance=0.0)

    @cached_property
    def pairs_within(self) -> PairCounts:
        """`pairs` with patients of the same fold."""
        return pair_counts(self.patients.event, self.patients.time, self.risk, tolerance=0.0, within=self.fold)

    def split(self, threshold: float) -> RiskSplit:
        """The two groups at a cut of the risk; one of them may be empty."""
        high = self.risk > threshold
        curves = {
            name: kaplan_meier(self._some(in_group))
            for name, in_group in ((LOW, ~high), (HIGH, high))
            if in_group.any()
        }
        try:
            return RiskSplit(float(threshold), high, curves, log_rank(self.patients, high), "")
        except UserError as error:
            return RiskSplit(float(threshold), high, curves, None, _reason(high, str(error)))

    def scores(self, day: float) -> DayScores:
        """Brier score and AUC on a day."""
        model_brier, reference_brier = self.brier_scores([day])
        auc = time_auc(self.patients, self.risk, [day], train=self.train or self.patients)
        return DayScores(float(model_brier[0]), float(reference_brier[0]), float(auc[0]))

    def brier_scores(self, days: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Brier score on M rising days, (M,), and what everybody's Kaplan–Meier estimate scores; NaN where unknown."""
        everyone = self.train or self.patients
        reference_survival = np.broadcast_to(kaplan_meier(everyone).at(days), (len(self), len(days)))
        known = np.isfinite(reference_survival).all(axis=0)
        scored = brier(self.patients, np.where(known, reference_survival, 0.0), days, train=everyone)
        return brier(self.patients, self.at(days), days, train=everyone), np.where(known, scored, np.nan)

    def calibration(self, day: float, *, groups: int = 4) -> Calibration:
        """Predicted and observed survival on a day, by groups."""
        return calibration(self.patients, self.at(day), day, groups=groups)

    def scored_days(self, count: int = 60) -> np.ndarray:
        """Days, evenly spread over those that can be scored and are predicted; the last one if there is none."""
        first, last = self.patients.time.min(), min(self.patients.time.max(), self.days[-1])
        days = np.linspace(first, last, count)
        usable = days[usable_times(self.patients, days, train=self.train)] if last > first else days[:0]
        return usable if len(usable) else np.array([last])

    def _some(self, rows: np.ndarray) -> FollowUp:
        return FollowUp(self.patients.time[rows], self.patients.event[rows])


def _reason(high: np.ndarray, error: str) -> str:
    """Why two groups cannot be tested, for a reader who moved a slider."""
    if high.all() or not high.any():
        return f"everybody is in the {HIGH if high.all() else LOW} group"
    return error.split(":")[0]
