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
    said = "; ".join(f"{title}: " + ", ".join(_told(name, own) for name, own in rows.items())
                     for title, rows in panels.items())  # fmt: skip
    return set_alt(figure, f"Difference to the plain network, a dot and its 95 % interval for each. {said}. The dashed "
                           "line at 0 means no difference.")  # fmt: skip


def _panel(axes: Axes, title: str, rows: Panel) -> None:
    for place, own in enumerate(rows.values()):
        if own is None or isinstance(own, str):
            axes.annotate(own or "not run", (0, place), xytext=(6, 0), textcoords="offset points", fontsize=10,
                          color=MUTED, va="center")  # fmt: skip
            continue
        given = _is_given(own)
        colour = OKABE_ITO["vermilion" if given and not own.low <= 0 <= own.high else "blue"]
        if given:
            axes.plot([own.low, own.high], [place, place], color=colour, linewidth=3, alpha=0.55)
        axes.plot(own.value, place, "o", color=colour, markersize=7)
    axes.axvline(0, color=MUTED, linestyle="--", linewidth=1.2)
    axes.set(yticks=range(len(rows)), yticklabels=list(rows), title=title)
    axes.set_xlabel("difference to the plain network", color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.spines["left"].set_visible(False)
    light_grid(axes, axis="x")


def _told(name: str, own: HasInterval | str | None) -> str:
    if own is None or isinstance(own, str):
        return f"{name} {own or 'not run'}"
    if not _is_given(own):
        return f"{name} {own.value:+.3f}, no interval"
    return f"{name} {own.value:+.3f}, from {own.low:+.3f} to {own.high:+.3f}"


def _is_given(own: HasInterval) -> bool:
    return not getattr(own, "missing", "") and math.isfinite(own.low) and math.isfinite(own.high)
