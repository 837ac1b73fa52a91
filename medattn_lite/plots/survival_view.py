"""One model's survival on a page: the two groups at a cut of the risk, one patient's curve, scores and calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    MUTED,
    SWITCHED_OFF,
    as_array,
    figure_function,
    light_grid,
    new_figure,
)
from medattn_lite.plots.survival import GROUP_COLOURS, StepCurve, draw_curves, draw_risk_table, words_of
from medattn_lite.plots.survival_predictions import HasCalibration, calibration_words, draw_calibration, draw_patients

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Left, bottom, width, height of each picture, as shares of the figure.
PLACES = ((0.095, 0.43, 0.43, 0.50), (0.095, 0.24, 0.43, 0.125), (0.095, 0.075, 0.43, 0.075),
          (0.61, 0.715, 0.36, 0.235), (0.61, 0.475, 0.36, 0.17), (0.655, 0.075, 0.30, 0.30))  # fmt: skip


@figure_function
def survival_view(
    curves: Mapping[str, StepCurve],
    *,
    risk: ArrayLike,
    threshold: float,
    test: str,
    days: ArrayLike,
    survival: ArrayLike,
    patient: tuple[str, int],
    outcome: tuple[ArrayLike, ArrayLike],
    cohort: StepCurve,
    day: float,
    scored_days: ArrayLike,
    brier: ArrayLike,
    brier_of_all_alike: ArrayLike,
    calibration: HasCalibration,
    alt: str | None = None,
) -> Figure:
    """Draws four pictures: groups at a cut with their risks, one patient against the cohort, Brier score, calibration.

    Args:
        curves: Kaplan–Meier by group, "low risk" and "high risk"; either may be missing.
        risk: (N,) risks.
        threshold: of the two groups.
        test: result of the log-rank test, in words.
        days: (T,) days of the predictions.
        survival: (N, T) predicted S.
        patient: name and row of the one shown.
        outcome: (N,) times and (N,) events.
        cohort: Kaplan–Meier of all.
        day: the day that scores and calibration belong to.
        scored_days: (M,) days.
        brier: (M,) Brier score on them.
        brier_of_all_alike: (M,) what everybody's Kaplan–Meier curve scores.
        calibration: on the day.
        alt: alt text, instead of the one written from the values.
    """
    days, survival, risk = as_array(days).astype(float), as_array(survival).astype(float), as_array(risk).astype(float)
    name, row = patient
    figure = new_figure(9.6, 7.6, layout=None)  # places by hand: a layout engine would double the time of a redraw
    groups, table, strip, one, score, dots = (figure.add_axes(place) for place in PLACES)
    table.sharex(groups)
    draw_curves(groups, curves, mark=(day, f"day {day:.4g}"))
    groups.tick_params(labelbottom=False)
    groups.set_xlim(0, float(cohort.times[-1]) * 1.02)
    groups.set(ylabel="share alive, S(t)", title=f"observed, by group\n{test}")
    draw_risk_table(table, curves, unit="days")
    _draw_risks(strip, risk, threshold, row)
    draw_patients(one, days, survival, {name: row}, outcome=outcome, cohort=cohort)
    one.axvline(day, color=MUTED, linestyle=":", linewidth=1.4)
    one.set(ylabel="S(t)", title="predicted, one patient over all")
    one.legend(loc="upper right")
    _draw_scores(score, as_array(scored_days), as_array(brier), as_array(brier_of_all_alike), day)
    score.set_xlim(one.get_xlim())
    draw_calibration(dots, {"": calibration})
    dots.set(xlabel=f"predicted to be alive on day {day:.4g}", ylabel="observed", title="calibration")
    place = f"{name} has risk {risk[row]:.2f}, higher than {int((risk < risk[row]).sum())} of {len(risk)}"
    text = f"Groups cut at risk {threshold:.2f}: {words_of(curves, (day, ''), 'days')} {test}. {place}. "
    return set_alt(figure, alt or text + f"Calibration on day {day:.4g}: {calibration_words(calibration)}.")


def _draw_risks(axes: Axes, risk: np.ndarray, threshold: float, row: int) -> None:
    """Every patient's risk as a dot, the cut, and the chosen one."""
    high = risk > threshold
    jitter = ((np.arange(len(risk)) * 0.618) % 1.0 - 0.5) * 0.6 + 0.5  # golden-ratio jitter: even, never random
    for in_group, group in ((~high, "low risk"), (high, "high risk")):
        axes.scatter(risk[in_group], jitter[in_group], s=16, color=GROUP_COLOURS[group], alpha=0.7, linewidths=0)
    axes.plot(risk[row], jitter[row], "o", markersize=9, markerfacecolor="none", markeredgecolor="black")
    axes.axvline(threshold, color=SWITCHED_OFF, linewidth=1.6)
    axes.set(yticks=[], ylim=(0, 1), xlabel="predicted risk: a dot per patient, the cut, ○ the chosen one")
    axes.spines["left"].set_visible(False)


def _draw_scores(axes: Axes, days: np.ndarray, brier: np.ndarray, reference: np.ndarray, day: float) -> None:
    """Brier score day by day, and that of one curve for all."""
    light_grid(axes)
    axes.plot(days, reference, color=MUTED, linestyle="--", linewidth=1.4, label="one curve for all")
    axes.plot(days, brier, color=CLASS_COLOURS[0], label="the model")
    axes.axvline(day, color=MUTED, linestyle=":", linewidth=1.4)
    top = np.nanmax(np.r_[brier, reference, 0.25]) if len(days) else 0.25
    axes.set(ylabel="Brier score", xlabel="days", ylim=(0, 1.5 * top))
    axes.legend(loc="upper right", ncols=2)
