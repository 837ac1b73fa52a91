"""Survival as it was predicted: a patient's curve over everybody's, and predicted against observed survival."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.lines import DASHES, MARKERS
from medattn_lite.plots.style import CLASS_COLOURS, INK, MUTED, as_array, figure_function, light_grid, new_figure
from medattn_lite.plots.survival import ALIVE, DEAD, StepCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CHOSEN = 4


class HasCalibration(Protocol):
    """Predicted and observed survival, such as `medattn_lite.survival.calibration.Calibration`."""

    @property
    def day(self) -> float: ...

    @property
    def predicted(self) -> np.ndarray: ...

    @property
    def observed(self) -> np.ndarray: ...

    @property
    def low(self) -> np.ndarray: ...

    @property
    def high(self) -> np.ndarray: ...

    @property
    def patients(self) -> np.ndarray: ...


@figure_function
def patient_curves(
    days: ArrayLike,
    survival: ArrayLike,
    *,
    chosen: Mapping[str, int],
    outcome: tuple[ArrayLike, ArrayLike] | None = None,
    cohort: StepCurve | None = None,
    unit: str = "days",
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws predicted survival of some patients, bold, over everybody's, faint; and the cohort's Kaplan–Meier curve.

    Args:
        days: (T,) times.
        survival: (N, T) predicted S.
        chosen: name → row of the patients drawn bold, at most four.
        outcome: (N,) times and (N,) events; a × marks the death of a chosen patient, an arrow when it was last seen.
        cohort: what was observed of all.
        unit: of the time.
        title: above the curves.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: shapes that do not fit, or nobody (or more than four) chosen.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.patient_curves([100, 200], [[0.9, 0.5], [0.6, 0.2]], chosen={"ada": 0})
        >>> print(plots.alt_text(figure)[:60])
        Predicted survival. At 200 days all 2 lie from 0.20 to 0.50;
    """
    days, survival = as_array(days).astype(float), as_array(survival).astype(float)
    if survival.ndim != 2 or survival.shape[1] != len(days):
        raise ValueError(f"survival has shape {survival.shape} for {len(days)} days: give (N, T)")
    if not 1 <= len(chosen) <= MOST_CHOSEN:
        raise ValueError(f"choose 1 to {MOST_CHOSEN} patients, not {len(chosen)}")
    figure = new_figure(7.2, 3.8)
    axes = figure.add_subplot()
    draw_patients(axes, days, survival, chosen, outcome=outcome, cohort=cohort)
    axes.set(xlabel=unit, ylabel="predicted to be alive, S(t)", title=title)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    middle = len(days) // 2
    text = "; ".join(f"{name}, {survival[row, middle]:.2f}{_ending(outcome, row, unit)}"
                     for name, row in chosen.items())  # fmt: skip
    spread = f"all {len(survival)} lie from {survival[:, middle].min():.2f} to {survival[:, middle].max():.2f}"
    return set_alt(figure, alt or f"Predicted survival{f', {title}' if title else ''}. At {days[middle]:.4g} {unit} "
                                  f"{spread}; {text}.")  # fmt: skip


@figure_function
def survival_calibration(
    calibrations: HasCalibration | Mapping[str, HasCalibration],
    *,
    unit: str = "day",
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws predicted against observed survival at one time: a dot per group of patients, with its interval.

    Args:
        calibrations: of one model, or name → of several.
        unit: of the time.
        title: above the dots.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: nothing to draw.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> from medattn_lite.survival import FollowUp, Predicted
        >>> patients = FollowUp(np.arange(1.0, 41.0), np.arange(40) % 2 == 0)
        >>> predicted = Predicted(patients, np.array([10.0, 20.0]), np.full((40, 2), 0.7), np.arange(40.0))
        >>> print(plots.alt_text(plots.survival_calibration(predicted.calibration(20)))[:60])
        Predicted against observed survival on day 20, a dot per gro
    """
    named = calibrations if isinstance(calibrations, Mapping) else {"": calibrations}
    if not named:
        raise ValueError("survival_calibration needs at least one model")
    figure = new_figure(6.6 if len(named) > 1 or "" not in named else 4.9, 4.4)
    axes = figure.add_subplot()
    draw_calibration(axes, named)
    day = next(iter(named.values())).day
    axes.set(xlabel="predicted to be alive", ylabel="alive (Kaplan–Meier)")
    axes.set_title(title or f"calibration, {unit} {day:g}")
    if "" not in named:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    text = "; ".join(f"{name + ', ' if name else ''}{calibration_words(curve)}" for name, curve in named.items())
    return set_alt(figure, alt or f"Predicted against observed survival on {unit} {day:g}, a dot per group: {text}.")


def draw_patients(
    axes: Axes,
    days: np.ndarray,
    survival: np.ndarray,
    chosen: Mapping[str, int],
    *,
    outcome: tuple[ArrayLike, ArrayLike] | None = None,
    cohort: StepCurve | None = None,
) -> None:
    """The chosen patients' curves over everybody's on some axes."""
    if days[0] > 0:
        days, survival = np.r_[0.0, days], np.column_stack([np.ones(len(survival)), survival])
    light_grid(axes)
    lines = np.stack([np.broadcast_to(days, survival.shape), survival], axis=2)  # (N, T, 2)
    axes.add_collection(LineCollection(list(lines), colors="#9aa0a6", linewidths=0.7, alpha=0.45))
    if cohort is not None:
        axes.step(cohort.times, cohort.survival, where="post", color=INK, linewidth=1.4, label="all, observed")
    for number, (name, row) in enumerate(chosen.items()):
        colour = CLASS_COLOURS[number]
        axes.plot(days, survival[row], color=colour, linewidth=2.6, label=name, linestyle=DASHES[number])
        if outcome is not None:
            end, died = float(as_array(outcome[0])[row]), bool(as_array(outcome[1])[row])
            height = float(np.interp(end, days, survival[row]))
            axes.plot(min(end, days[-1]), height, "X" if died else ">", color=DEAD if died else ALIVE, markersize=10,
                      markerfacecolor=DEAD if died else "white", markeredgewidth=1.6, zorder=5)  # fmt: skip
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlim(0, days[-1])


def draw_calibration(axes: Axes, named: Mapping[str, HasCalibration]) -> None:
    """Dots with intervals and the line on which predictions come true."""
    light_grid(axes, axis="both")
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2)
    for number, (name, curve) in enumerate(named.items()):
        known = np.isfinite(curve.observed)
        colour = CLASS_COLOURS[number % len(CLASS_COLOURS)]
        axes.vlines(
            curve.predicted[known], curve.low[known], curve.high[known], color=colour, alpha=0.55, linewidth=2.6
        )
        axes.plot(curve.predicted[known], curve.observed[known], color=colour, label=name or None, markersize=7,
                  marker=MARKERS[number % len(MARKERS)], linewidth=1.2)  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def calibration_words(curve: HasCalibration) -> str:
    """The groups of a calibration in words."""
    pairs = zip(curve.predicted, curve.observed, curve.patients, strict=True)
    return ", ".join(f"{predicted:.2f} predicted and "
                     f"{f'{seen:.2f} observed' if np.isfinite(seen) else 'nobody observed'} "
                     f"({int(count)} patients)" for predicted, seen, count in pairs)  # fmt: skip


def _ending(outcome: tuple[ArrayLike, ArrayLike] | None, row: int, unit: str) -> str:
    if outcome is None:
        return ""
    time, died = float(as_array(outcome[0])[row]), bool(as_array(outcome[1])[row])
    return f" ({'died at' if died else 'alive at'} {time:.4g} {unit})"
