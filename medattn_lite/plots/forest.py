"""Figures with their intervals, one line each, and the value that would mean nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import INK, MUTED, OKABE_ITO, PAPER, figure_function, light_grid, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NARROW = 0.1  # where all ends lie this close together, a second decimal says too little; a tenth of it, a third one

# Behind a number, so that the dashed line does not run through it.
BEHIND = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"}


class HasInterval(Protocol):
    """A value between two ends, such as `medattn_lite.evaluation.Interval`; its `units` and `missing` are shown."""

    value: float
    low: float
    high: float


@figure_function
def forest(
    results: Mapping[str, HasInterval],
    *,
    label: str,
    reference: float | None = None,
    reference_label: str = "no difference",
    title: str = "",
) -> Figure:
    """Draws a forest plot: for each name a dot at the value, a bar over its interval, and how many units they rest on.

    Args:
        results: name → interval, drawn from top to bottom. One without ends has its dot alone.
        label: of the axis, with the unit.
        reference: where a dashed line stands, such as 0.5 for an AUC by chance.
        reference_label: what that line means.
        title: over the figure.

    Returns:
        The figure.

    Raises:
        ValueError: nothing to draw.

    Example:
        >>> from medattn_lite import plots
        >>> from medattn_lite.evaluation import Interval
        >>> figure = plots.forest({"with SE": Interval(0.91, 0.85, 0.96)}, label="AUC", reference=0.5)
        >>> print(plots.alt_text(figure)[:80])
        AUC, a dot and its interval for each: with SE 0.91, from 0.85 to 0.96. The dashe
    """
    if not results:
        raise ValueError("forest needs at least one result")
    figure = new_figure(7.5, 1.1 + 0.42 * len(results))
    axes = figure.add_subplot()
    known = {name: _is_given(interval) for name, interval in results.items()}
    ends = [end for name, i in results.items() for end in ((i.low, i.high) if known[name] else (i.value,))
            if math.isfinite(end)] or [0.0]  # fmt: skip
    width = max(ends) - min(ends)
    digits = 2 if width > NARROW else 3 if width > NARROW / 10 or not width else 4
    for row, (name, interval) in enumerate(results.items()):
        if known[name]:
            axes.plot([interval.low, interval.high], [row, row], color=OKABE_ITO["blue"], linewidth=3, alpha=0.55)
        if not math.isfinite(interval.value):
            continue
        axes.plot(interval.value, row, "o", color=OKABE_ITO["blue"], markersize=8)
        axes.annotate(f"{interval.value:.{digits}f}".replace("-", "−"), (interval.value, row), xytext=(0, 7),
                      textcoords="offset points", ha="center", fontsize=10, color=INK, bbox=BEHIND, zorder=4)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linestyle="--", linewidth=1.2)
        axes.annotate(reference_label, (reference, len(results) - 0.45), xytext=(4, 0), textcoords="offset points",
                      fontsize=10, color=MUTED, va="center")
    under = _units(results.values(), known.values())
    axes.set(yticks=range(len(results)), yticklabels=list(results), title=title)
    axes.set_xlabel(f"{label}\n{under}" if under else label)
    axes.set_ylim(len(results) - 0.2, -0.75)
    axes.tick_params(axis="y", length=0, labelsize=11)
    if digits == 4:
        axes.locator_params(axis="x", nbins=6)  # long numbers would touch
    axes.spines["left"].set_visible(False)
    light_grid(axes, axis="x")
    text = "; ".join(
        f"{name} {i.value:.{digits}f}, from {i.low:.{digits}f} to {i.high:.{digits}f}" if known[name] else
        f"{name} {i.value:.{digits}f}, no interval" for name, i in results.items()
    )  # fmt: skip
    at = "" if reference is None else f" The dashed line at {reference:g} means {reference_label}."
    rests = f" {under[0].upper()}{under[1:]}." if under else ""
    return set_alt(figure, f"{label}, a dot and its interval for each: {text}.{at}{rests}")


def _is_given(interval: HasInterval) -> bool:
    return not getattr(interval, "missing", "") and math.isfinite(interval.low) and math.isfinite(interval.high)


def _units(intervals: Iterable[HasInterval], known: Iterable[bool]) -> str:
    """How many units the figures rest on, and why some have no interval."""
    intervals = list(intervals)
    units = sorted({count for interval in intervals if (count := getattr(interval, "units", 0))})
    missing = sorted({why for interval, is_given in zip(intervals, known, strict=True)
                      if not is_given and (why := getattr(interval, "missing", ""))})  # fmt: skip
    units_text = f"n = {units[0]}" + (f" to {units[-1]}" if len(units) > 1 else "") if units else ""
    return "; ".join(part for part in (units_text, *missing) if part)
