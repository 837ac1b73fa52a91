"""Differences of several mechanisms to the plain network, one panel per task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.forest import HasInterval
from medattn_lite.plots.style import INK, MUTED, OKABE_ITO, figure_function, light_grid, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = Mapping[str, "HasInterval | str | None"]


@figure_function
def mechanism_panels(panels: Mapping[str, Panel], *, columns: int = 2) -> Figure:
    """Draws a panel per task, with a dot at each mechanism's difference and a bar over the interval.

    Args:
        panels: title with the score → name of the row → interval, or in words why there is none.
        columns: panels beside each other.

    Returns:
        The figure; bars that leave out 0 are vermilion, others blue.

    Raises:
        ValueError: nothing to draw.

    Example:
        >>> from medattn_lite import plots
        >>> from medattn_lite.evaluation import Interval
        >>> panels = {"grade: AUC": {"se": Interval(0.91, 0.85, 0.96), "none": Interval(0.84, 0.76, 0.9)}}
        >>> print(plots.alt_text(plots.mechanism_panels(panels))[:60])
        Difference to the plain network, a dot and its 95 % interval
    """
    if not panels or not any(panels.values()):
        raise ValueError("mechanism_panels needs at least one task with one row")
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    tallest = max(len(rows) for rows in panels.values())
    figure = new_figure(5.2 * columns, lines * (1.3 + 0.34 * tallest))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (title, rows) in zip(grid, panels.items(), strict=False):
        _panel(axes, title, rows)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    text = "; ".join(f"{title}: " + ", ".join(_describe(name, interval) for name, interval in rows.items())
                     for title, rows in panels.items())  # fmt: skip
    return set_alt(figure, f"Difference to the plain network, a dot and its 95 % interval for each. {text}. The dashed "
                           "line at 0 means no difference.")  # fmt: skip


def _panel(axes: Axes, title: str, rows: Panel) -> None:
    for place, interval in enumerate(rows.values()):
        if interval is None or isinstance(interval, str):
            axes.annotate(interval or "not run", (0, place), xytext=(6, 0), textcoords="offset points", fontsize=10,
                          color=MUTED, va="center")  # fmt: skip
            continue
        known = _is_given(interval)
        colour = OKABE_ITO["vermilion" if known and not interval.low <= 0 <= interval.high else "blue"]
        if known:
            axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=3, alpha=0.55)
        axes.plot(interval.value, place, "o", color=colour, markersize=7)
    axes.axvline(0, color=MUTED, linestyle="--", linewidth=1.2)
    axes.set(yticks=range(len(rows)), yticklabels=list(rows), title=title)
    axes.set_xlabel("difference to the plain network", color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.spines["left"].set_visible(False)
    light_grid(axes, axis="x")


def _describe(name: str, interval: HasInterval | str | None) -> str:
    if interval is None or isinstance(interval, str):
        return f"{name} {interval or 'not run'}"
    if not _is_given(interval):
        return f"{name} {interval.value:+.3f}, no interval"
    return f"{name} {interval.value:+.3f}, from {interval.low:+.3f} to {interval.high:+.3f}"


def _is_given(interval: HasInterval) -> bool:
    return not getattr(interval, "missing", "") and math.isfinite(interval.low) and math.isfinite(interval.high)
