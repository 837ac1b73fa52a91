"""The survival explorer: move the cut between low and high risk, choose a patient, choose a day."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from medattn_lite.errors import UserError
from medattn_lite.plots.survival_view import survival_view
from medattn_lite.survival.follow_up import ONE_YEAR, FollowUp
from medattn_lite.survival.kaplan_meier_curves import KaplanMeier, kaplan_meier
from medattn_lite.survival.predictions import HIGH, LOW, Predicted, RiskSplit
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer

STEPS = 100  # of the cut, from one end of the risks to the other
MOST_GROUPS = 6


@dataclass(frozen=True)
class SurvivalState:
    """What the controls of a survival explorer say; the patient is counted from the lowest risk, from 1."""

    threshold: float
    patient: int
    day: float
    groups: int


class SurvivalExplorer(Explorer[SurvivalState]):
    """See `survival_explorer`."""

    State = SurvivalState

    def __init__(self, cohort: Predicted, *, threshold: float) -> None:
        self._cohort = cohort
        self._order = np.argsort(cohort.risk, kind="stable")  # patients from low risk to high
        self._everyone = kaplan_meier(cohort.patients)
        self._days = cohort.scored_days()
        self._brier = cohort.brier_scores(self._days)
        low, high = float(cohort.risk.min()), float(cohort.risk.max())
        step = max(high - low, 1e-6) / STEPS
        # A slider snaps to its steps, counted from its lower end: the cut and one year must lie on one.
        lowest = threshold - step * max(1, math.ceil((threshold - low) / step) + 1)
        highest = threshold + step * max(1, math.ceil((high - threshold) / step) + 1)
        first, last = float(self._days[0]), float(self._days[-1])
        stride = max(1.0, round((last - first) / 60)) if last - first > 10 else max(last - first, 1e-6) / 60
        day = min(max(ONE_YEAR, first), last)
        first = day - math.floor((day - first) / stride) * stride
        digits = max(0, min(6, 1 - math.floor(math.log10(step))))
        style = {"style": LABEL, "layout": CONTROL}
        super().__init__({
            "threshold": ipywidgets.FloatSlider(
                value=threshold, min=lowest, max=highest, step=step, description="cut of the risk",
                readout_format=f".{digits}f", **style,
            ),
            "patient": ipywidgets.IntSlider(
                value=(len(cohort) + 1) // 2, min=1, max=len(cohort), description="patient, by risk",
                disabled=len(cohort) == 1, **style,
            ),
            "day": ipywidgets.FloatSlider(
                value=day, min=first, max=last, step=stride, description="day", disabled=first >= last,
                readout_format=".0f" if stride >= 1 else ".2f", **style,
            ),
            "groups": ipywidgets.IntSlider(
                value=min(4, len(cohort)), min=1, max=min(MOST_GROUPS, len(cohort)), description="calibration dots",
                disabled=len(cohort) == 1, **style,
            ),
        })  # fmt: skip

    def view(self, state: SurvivalState) -> tuple[Figure, str]:
        cohort, day = self._cohort, state.day
        split = cohort.split(state.threshold)
        row = int(self._order[state.patient - 1])
        calibrated = cohort.calibration(day, groups=state.groups)
        figure = survival_view(
            split.curves, risk=cohort.risk, threshold=split.threshold, test=_test(split), days=cohort.days,
            survival=cohort.survival, patient=(f"patient {cohort.subjects[row]}", row),
            outcome=(cohort.patients.time, cohort.patients.event), cohort=self._everyone, day=day,
            scored_days=self._days, brier=self._brier[0], brier_of_all_alike=self._brier[1], calibration=calibrated,
        )  # fmt: skip
        summary = f"Cut at risk {split.threshold:.3g}. {_groups(split)} {_sentence(_test(split))} "
        summary += f"{self._patient(row, day)} {self._scores(day)} "
        predicted, seen = calibrated.predicted_of_all, calibrated.observed_of_all
        summary += f"Of all, {predicted:.2f} are predicted to be alive and {_number(seen.value)} are"
        summary += f" (in {len(calibrated.patients)} groups: "
        pairs = zip(calibrated.predicted, calibrated.observed, strict=True)
        return figure, summary + "; ".join(f"{one:.2f} and {_number(two)}" for one, two in pairs) + ")."

    def _patient(self, row: int, day: float) -> str:
        cohort = self._cohort
        ends = "dies on" if cohort.patients.event[row] else "is alive when last seen on"
        place = int((cohort.risk < cohort.risk[row]).sum())
        return (
            f"Patient {cohort.subjects[row]} has risk {cohort.risk[row]:.3g}, above {place} of {len(cohort)}; alive on "
            f"day {day:.0f} with probability {cohort.at(day)[row]:.2f}; {ends} day {cohort.patients.time[row]:.0f}."
        )

    def _scores(self, day: float) -> str:
        scores = self._cohort.scores(day)
        if not np.isfinite(scores.brier):
            return f"Day {day:.0f} cannot be scored with these patients."
        text = f"On day {day:.0f}: Brier score {scores.brier:.3f}"
        text += f", one curve for all {_number(scores.brier_of_all_alike, 3)}"
        return text + f"; AUC {_number(scores.auc, 3)}."


def _groups(split: RiskSplit) -> str:
    """Patients, deaths and median survival of both groups."""
    sentences = []
    for name, count in ((LOW, int((~split.high).sum())), (HIGH, int(split.high.sum()))):
        curve: KaplanMeier | None = split.curves.get(name)
        if curve is None:
            sentences.append(f"{name.capitalize()}: nobody.")
            continue
        deaths = int(curve.deaths.sum())
        half = f"half have died by day {curve.median:.0f}" if np.isfinite(curve.median) else "fewer than half have died"
        sentences.append(f"{name.capitalize()}: {count} patients, {deaths} deaths, {half}.")
    return " ".join(sentences)


def _test(split: RiskSplit) -> str:
    if split.log_rank is None:
        return f"no log-rank test: {split.untested}"
    p = split.log_rank.p_value
    return f"log-rank test: p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "unknown"


def survival_explorer(
    predictions: Predicted | Sequence[Mapping], *, threshold: float | None = None, train: FollowUp | None = None
) -> SurvivalExplorer:
    """Explores a cohort's predicted survival: groups at a cut of the risk, one patient's curve, scores by day.

    Args:
        predictions: a `Predicted`, or the rows of a survival run's `predictions.json`.
        threshold: where the cut begins: the training patients' median, say; these patients' median if None.
        train: patients whose censoring weights the scores, where rows are given.

    Returns:
        An `Explorer`. Its controls: threshold, patient (1 for the lowest risk), day, groups (of the calibration).

    Raises:
        UserError: predictions that do not fit together, or a threshold that is not a number.
    """
    cohort = predictions if isinstance(predictions, Predicted) else Predicted.from_rows(predictions, train=train)
    cut = float(np.median(cohort.risk)) if threshold is None else float(threshold)
    if not np.isfinite(cut):
        raise UserError(f"the threshold is {threshold}: give a finite risk")
    return SurvivalExplorer(cohort, threshold=cut)
