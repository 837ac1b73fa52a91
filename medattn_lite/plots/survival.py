"""Survival as it was seen: one line of follow-up a patient, and Kaplan–Meier curves with the numbers at risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.lines import DASHES
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    INK,
    MUTED,
    OKABE_ITO,
    as_array,
    figure_function,
    light_grid,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALIVE, DEAD = OKABE_ITO["blue"], OKABE_ITO["vermilion"]
COLUMNS = 7  # at most, of the table of numbers at risk
MOST_TICKS = 150  # more censoring ticks than this would hide their curve, so none is drawn
GROUP_COLOURS = {"low risk": ALIVE, "high risk": DEAD}  # the same in every figure, also where one group is empty


class StepCurve(Protocol):
    """A Kaplan–Meier curve, such as `medattn_lite.survival.kaplan_meier_curves.KaplanMeier`."""

    @property
    def times(self) -> np.ndarray: ...

    @property
    def survival(self) -> np.ndarray: ...

    @property
    def low(self) -> np.ndarray: ...

    @property
    def high(self) -> np.ndarray: ...

    @property
    def at_risk(self) -> np.ndarray: ...

    @property
    def deaths(self) -> np.ndarray: ...

    @property
    def censored(self) -> np.ndarray: ...

    def at(self, days: Sequence[float]) -> np.ndarray: ...

    def followed(self, days: Sequence[float]) -> np.ndarray: ...

    @property
    def median(self) -> float: ...


@figure_function
def follow_up_lines(
    time: ArrayLike,
    event: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    mark: tuple[float, str] | None = None,
    unit: str = "days",
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws one line per patient, from the start to what was seen last: × a death, an arrow for who was alive then.

    Args:
        time: (N,) length of follow-up, drawn in the order given, from top to bottom.
        event: (N,) True for death.
        names: of the patients; their numbers if None.
        mark: a time to mark with a dotted line, and what to write beside it.
        unit: of the time.
        title: above the lines.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: no patients, or another number of events or names.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.follow_up_lines([6, 9], [True, False], names=["ada", "bob"], unit="months")
        >>> print(plots.alt_text(figure))
        Lines of follow-up of 2 patients, in months: ada dies at 6; bob alive at 9.
    """
    ends, died = as_array(time).astype(float).ravel(), as_array(event).astype(bool).ravel()
    names = [str(number + 1) for number in range(len(ends))] if names is None else [str(name) for name in names]
    if not len(ends) or not len(ends) == len(died) == len(names):
        raise ValueError(f"{len(ends)} times, {len(died)} events and {len(names)} names: give one of each a patient")
    figure = new_figure(7.2, 1.3 + 0.32 * len(ends))
    axes = figure.add_subplot()
    light_grid(axes, axis="x")
    rows = np.arange(len(ends))
    for seen, colour, marker, label in ((True, DEAD, "X", "death"), (False, ALIVE, ">", "alive when last seen")):
        in_group = died == seen
        axes.hlines(rows[in_group], 0, ends[in_group], color=colour, linewidth=2.4)
        axes.plot(ends[in_group], rows[in_group], marker, color=colour, markersize=9, linestyle="", label=label,
                  markerfacecolor=colour if seen else "white", markeredgewidth=1.6 if not seen else 0.8)  # fmt: skip
    if mark is not None:
        axes.axvline(mark[0], color=MUTED, linestyle=":", linewidth=1.6)
        axes.annotate(mark[1], (mark[0], 1.0), xycoords=("data", "axes fraction"), xytext=(4, 2),
                      textcoords="offset points", fontsize=10, color=MUTED)  # fmt: skip
    axes.set(yticks=rows, yticklabels=names, xlabel=f"{unit} since the start", title=title)
    axes.set_xlim(left=0, right=ends.max() * 1.06)
    axes.set_ylim(len(ends) - 0.4, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    text = "; ".join(f"{name} {'dies at' if dead else 'alive at'} {end:g}"
                     for name, end, dead in zip(names, ends, died, strict=True)) if len(ends) <= 12 else (
        f"{int(died.sum())} end in death, {int((~died).sum())} are alive when last seen")  # fmt: skip
    at = "" if mark is None else f" A dotted line at {mark[0]:g} says {mark[1]}."
    return set_alt(figure, alt or f"Lines of follow-up of {len(ends)} patients, in {unit}: {text}.{at}")


@figure_function
def survival_curves(
    curves: Mapping[str, StepCurve],
    *,
    mark: tuple[float, str] | None = None,
    unit: str = "days",
    title: str = "",
    risk_table: bool = True,
    alt: str | None = None,
) -> Figure:
    """Draws Kaplan–Meier curves with bands and censoring ticks; under them, how many are still followed up.

    Args:
        curves: name → curve.
        mark: a time to mark with a dotted line, and what to write beside it.
        unit: of the time.
        title: above the curves.
        risk_table: whether the numbers at risk stand below.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: no curve.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> from medattn_lite.survival import FollowUp, kaplan_meier
        >>> curve = kaplan_meier(FollowUp(np.array([3.0, 5.0, 8.0]), np.array([True, False, True])))
        >>> print(plots.alt_text(plots.survival_curves({"all": curve})))
        Kaplan–Meier curves: all, 3 patients, 2 deaths, median 8 days.
    """
    if not curves:
        raise ValueError("survival_curves needs at least one curve")
    rows = len(curves) if risk_table else 0
    figure = new_figure(7.2, 3.7 + (0.55 + 0.26 * rows if rows else 0))
    if risk_table:
        axes, table = figure.subplots(2, 1, sharex=True, height_ratios=(10, 1.0 + 0.85 * rows))
    else:
        axes, table = figure.add_subplot(), None
    draw_curves(axes, curves, mark=mark)
    axes.tick_params(labelbottom=table is None)
    axes.set(ylabel="share alive, S(t)", title=title)
    if table is None:
        axes.set_xlabel(unit)
    else:
        draw_risk_table(table, curves, unit=unit)
    return set_alt(figure, alt or f"Kaplan–Meier curves{f', {title}' if title else ''}: {words_of(curves, mark, unit)}")


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name: its own, or the next of the classes'."""
    return {name: GROUP_COLOURS.get(name, CLASS_COLOURS[number % len(CLASS_COLOURS)])
            for number, name in enumerate(names)}  # fmt: skip


def draw_curves(axes: Axes, curves: Mapping[str, StepCurve], *, mark: tuple[float, str] | None = None) -> None:
    """Steps, bands and censoring ticks on some axes."""
    chosen = colours_of(list(curves))
    light_grid(axes)
    for number, (name, curve) in enumerate(curves.items()):
        style: dict[str, Any] = {"color": chosen[name], "linestyle": DASHES[number % len(DASHES)]}
        axes.fill_between(curve.times, curve.low, curve.high, step="post", color=chosen[name], alpha=0.15, linewidth=0)
        axes.step(curve.times, curve.survival, where="post", label=name, **style)
        left = (curve.censored > 0) & (np.count_nonzero(curve.censored) <= MOST_TICKS)
        axes.plot(curve.times[left], curve.survival[left], "|", color=chosen[name], markersize=8, markeredgewidth=1.3)
    if mark is not None:
        axes.axvline(mark[0], color=MUTED, linestyle=":", linewidth=1.4)
        axes.annotate(mark[1], (mark[0], 1.0), xycoords=("data", "axes fraction"), xytext=(4, -10),
                      textcoords="offset points", fontsize=10, color=MUTED)  # fmt: skip
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlim(0, max(float(curve.times[-1]) for curve in curves.values()) * 1.02 or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(COLUMNS - 1, steps=[1, 2, 2.5, 5, 10]))
    axes.legend(loc="upper right")


def draw_risk_table(axes: Axes, curves: Mapping[str, StepCurve], *, unit: str) -> None:
    """Numbers still followed up, one row per curve, under the ticks of the axes above (which share x)."""
    chosen = colours_of(list(curves))
    axes.xaxis.set_major_locator(MaxNLocator(COLUMNS - 1, steps=[1, 2, 2.5, 5, 10]))
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    for row, (name, curve) in enumerate(curves.items()):
        for tick, number in zip(ticks, curve.followed(ticks), strict=True):
            axes.text(tick, row, str(int(number)), ha="center", va="center", fontsize=10, color=INK)
        axes.annotate(name, (0, row), xycoords=("axes fraction", "data"), xytext=(-19, 0), textcoords="offset points",
                      ha="right", va="center", fontsize=10, color=chosen[name])  # fmt: skip
    axes.set_ylim(len(curves) - 0.4, -0.6)
    axes.set(yticks=[], xlabel=unit)
    axes.set_title("still followed up", fontsize=10, color=MUTED)
    axes.spines["left"].set_visible(False)


def words_of(curves: Mapping[str, StepCurve], mark: tuple[float, str] | None, unit: str) -> str:
    """Each curve in words: patients, deaths, median, and S at the mark."""
    sentences = []
    for name, curve in curves.items():
        median = f"median {curve.median:.4g} {unit}" if np.isfinite(curve.median) else "median not reached"
        text = f"{name}, {int(curve.at_risk[0])} patients, {int(curve.deaths.sum())} deaths, {median}"
        if mark is not None and np.isfinite(curve.at([mark[0]])[0]):
            text += f", {curve.at([mark[0]])[0]:.2f} alive at {mark[0]:g}"
        sentences.append(text)
    return "; ".join(sentences) + "."
