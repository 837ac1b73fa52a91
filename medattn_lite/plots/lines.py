"""Named lines over one axis: how a measured number changes with size, length, temperature or step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import CLASS_COLOURS, MUTED, as_array, figure_function, light_grid, new_figure

# Lines differ in dash and marker too, so that a grey print-out can still be read.
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")
FEW_POINTS = 12


@figure_function
def lines(
    x: Sequence[float] | ArrayLike,
    series: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    log_x: bool = False,
    log_y: bool = False,
    ylim: tuple[float, float] | None = None,
    mark: tuple[float, str] | None = None,
) -> Figure:
    """Draws one line per name, with a legend that says which is which.

    Args:
        x: (N,) positions, shared by all lines.
        series: name → (N,) values.
        xlabel: what the positions are, with their unit.
        ylabel: what the values are, with their unit.
        log_x: a logarithmic horizontal axis.
        log_y: a logarithmic vertical axis.
        ylim: lowest and highest value shown.
        mark: a position to mark with a dotted vertical line, and what to write beside it.

    Returns:
        The figure.

    Raises:
        ValueError: no lines, or a line of another length than `x`.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.lines([1, 2, 3], {"with SE": [0.6, 0.8, 0.9]}, xlabel="epoch", ylabel="AUC")
        >>> print(plots.alt_text(figure)[:60])
        Lines of AUC over epoch, which goes from 1 to 3: with SE, fr
    """
    positions = np.asarray(as_array(list(x) if isinstance(x, range) else x), dtype=float)
    values = {name: np.asarray(as_array(line), dtype=float) for name, line in series.items()}
    if not values:
        raise ValueError("lines needs at least one named line")
    for name, line in values.items():
        if line.shape != positions.shape:
            raise ValueError(f"the line {name!r} has shape {line.shape}, its positions {positions.shape}")
    figure = new_figure(7.0, 3.6)
    axes = figure.add_subplot()
    light_grid(axes)
    few = len(positions) <= FEW_POINTS
    for number, (name, line) in enumerate(values.items()):
        axes.plot(
            positions, line, label=name, linestyle=DASHES[number % len(DASHES)],
            color=CLASS_COLOURS[number % len(CLASS_COLOURS)],
            marker=MARKERS[number % len(MARKERS)] if few else None, markersize=5,
        )
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    if ylim is not None:
        axes.set_ylim(*ylim)
    if few:
        axes.set_xticks(positions, [f"{position:g}" for position in positions])
        axes.set_xticks([], minor=True)
    elif log_x:
        axes.xaxis.set_major_formatter("{x:g}")  # 0.1, 1, 10 reads more easily than powers of ten
    if mark is not None:
        axes.axvline(mark[0], color=MUTED, linestyle=":", linewidth=1.4)
        axes.annotate(mark[1], (mark[0], 0.02), xycoords=("data", "axes fraction"), xytext=(4, 0),
                      textcoords="offset points", fontsize=10, color=MUTED)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return set_alt(figure, _words(positions, values, xlabel, ylabel))


def _words(positions: np.ndarray, values: Mapping[str, np.ndarray], xlabel: str, ylabel: str) -> str:
    """Where each line begins and ends, in words."""
    first, last = int(positions.argmin()), int(positions.argmax())
    ends = "; ".join(f"{name}, from {line[first]:.3g} to {line[last]:.3g}" for name, line in values.items())
    return (
        f"Lines of {ylabel} over {xlabel}, which goes from {positions[first]:g} to {positions[last]:g}: {ends}."
    )
