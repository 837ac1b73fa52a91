"""Figures with their intervals, one line each, and the value that would mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import INK, MUTED, OKABE_ITO, PAPER, figure_function, light_grid, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NARROW = 0.1  # where all ends lie this close together, a second decimal says too little; a tenth of it, a third one

# Behind a number, so that the dashed line does not run through it.
BEHIND = {"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"}


class HasInterval(Protocol):
    """A value between two ends, such as `medattn_lite.evaluation.Interval`."""

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
    """A forest plot: for each name a dot at the value and a bar over its interval.

    Args:
        results: name → interval, drawn from top to bottom.
        label: of the axis, with the unit.
        reference: where a dashed line stands, such as 0.5 for an AUC by chance.
        reference_label: what that line means.
        title: over the figure.

    Returns:
        The figure.

    Raises:
        ValueError: nothing to draw.
    """
    if not results:
        raise ValueError("forest needs at least one result")
    figure = new_figure(7.5, 1.1 + 0.42 * len(results))
    axes = figure.add_subplot()
    ends = [end for interval in results.values() for end in (interval.low, interval.high)]
    width = max(ends) - min(ends)
    digits = 2 if width > NARROW else 3 if width > NARROW / 10 or not width else 4
    for row, interval in enumerate(results.values()):
        axes.plot([interval.low, interval.high], [row, row], color=OKABE_ITO["blue"], linewidth=3, alpha=0.55)
        axes.plot(interval.value, row, "o", color=OKABE_ITO["blue"], markersize=8)
        axes.annotate(f"{interval.value:.{digits}f}".replace("-", "−"), (interval.value, row), xytext=(0, 7),
                      textcoords="offset points", ha="center", fontsize=10, color=INK, bbox=BEHIND, zorder=4)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linestyle="--", linewidth=1.2)
        axes.annotate(reference_label, (reference, len(results) - 0.45), xytext=(4, 0), textcoords="offset points",
                      fontsize=10, color=MUTED, va="center")
    axes.set(yticks=range(len(results)), yticklabels=list(results), xlabel=label, title=title)
    axes.set_ylim(len(results) - 0.2, -0.75)
    axes.tick_params(axis="y", length=0, labelsize=11)
    if digits == 4:
        axes.locator_params(axis="x", nbins=6)  # long numbers would touch
    axes.spines["left"].set_visible(False)
    light_grid(axes, axis="x")
    said = "; ".join(
        f"{name} {i.value:.{digits}f}, from {i.low:.{digits}f} to {i.high:.{digits}f}" for name, i in results.items()
    )
    at = "" if reference is None else f" The dashed line at {reference:g} means {reference_label}."
    return set_alt(figure, f"{label}, a dot and its interval for each: {said}.{at}")
