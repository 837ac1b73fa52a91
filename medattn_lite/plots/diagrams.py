"""Drawings of wiring: where a gate sits in a residual block, how a grouped convolution connects.

They need no data. Each function returns a matplotlib Figure with its alt text set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import figure_function, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLAIN = "#e8e8e8"
POOLED = "#bcd7f0"
LEARNED = "#ffe08a"
INK = "#333333"
ARROW = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.4, "shrinkA": 0.0, "shrinkB": 2.0}

# What each gate does, from the feature map upwards: pooled, learned, squashed.
_GATES = {
    "channel gate": ("squeeze: mean\nover space", "excitation:\nC → C/r → C", "sigmoid"),
    "channel attention": ("mean; max\nover space", "shared MLP,\nthen the sum", "sigmoid"),
    "spatial attention": ("max; mean\nover channels", "conv 7×7\n2 → 1", "sigmoid"),
}
_COLOURS = (POOLED, LEARNED, LEARNED)
_BLOCKS = {
    "plain": [],
    "squeeze-excitation": ["channel gate"],
    "cbam": ["channel attention", "spatial attention"],
}


@figure_function
def residual_block(kind: str = "squeeze-excitation", *, middle: str = "grouped\nconv 3×3") -> Figure:
    """Draw a residual block with its gates where the papers put them: on the branch, before the addition.

    Args:
        kind: "plain", "squeeze-excitation" or "cbam".
        middle: text of the middle convolution's box.

    Returns:
        The figure.

    Raises:
        ValueError: for another kind.
    """
    if kind not in _BLOCKS:
        raise ValueError(f"kind must be one of {', '.join(_BLOCKS)}, not {kind!r}")
    gates = _BLOCKS[kind]
    figure = new_figure(6.6 + 2.3 * len(gates), 3.9 if gates else 2.2)
    axes = figure.add_subplot()
    axes.text(0.0, 0.0, "x", ha="center", va="center", fontsize=13)
    for x, text in zip((1.5, 3.2, 4.9), ("conv 1×1", middle, "conv 1×1"), strict=True):
        _box(axes, x, 0.0, text, PLAIN)
    for start, end in ((0.2, 0.9), (2.1, 2.5), (3.9, 4.3)):
        _arrow(axes, (start, 0.0), (end, 0.0))
    here = 5.5
    for gate in gates:
        here = _gate(axes, here, gate)
    _arrow(axes, (here, 0.0), (here + 0.75, 0.0))
    _sign(axes, here + 1.0, "+")
    _arrow(axes, (here + 1.25, 0.0), (here + 1.8, 0.0))
    axes.text(here + 2.3, 0.0, "ReLU", ha="center", va="center", fontsize=11)
    axes.plot([0.0, 0.0, here + 1.0], [-0.3, -1.1, -1.1], color=INK, linewidth=1.4)
    _arrow(axes, (here + 1.0, -1.1), (here + 1.0, -0.3))
    axes.text(3.2, -0.95, "shortcut: x, untouched", ha="center", va="bottom", fontsize=11)
    axes.set(xlim=(-0.3, here + 2.8), ylim=(-1.3, 3.8 if gates else 0.7))
    axes.axis("off")
    return set_alt(figure, _residual_alt(gates))


@figure_function
def grouped_convolution(groups: Sequence[int] = (1, 2, 4), *, channels: int = 8) -> Figure:
    """Draw which input channels each output channel of a convolution reads, for several numbers of groups.

    Args:
        groups: numbers of groups, one panel each; every number divides `channels`.
        channels: input channels, and as many output channels.

    Returns:
        The figure.
    """
    figure = new_figure(3.0 * len(groups), 2.4)
    said = []
    for panel, count in enumerate(groups, start=1):
        axes = figure.add_subplot(1, len(groups), panel)
        width = channels // count
        for out in range(channels):
            first = (out // width) * width
            for inner in range(first, first + width):
                axes.plot([inner, out], [1, 0], color=INK, linewidth=0.8, alpha=0.6, zorder=1)
        axes.scatter(range(channels), [1] * channels, s=110, color=POOLED, edgecolor=INK, zorder=2)
        axes.scatter(range(channels), [0] * channels, s=110, color=LEARNED, edgecolor=INK, zorder=2)
        links = f"{count} group{'s' if count > 1 else ''}: {channels * width} links"
        axes.set_title(links, fontsize=12)
        axes.set(xlim=(-1.2, channels + 0.2), ylim=(-0.25, 1.25))  # room between one panel and the next
        axes.axis("off")
        said.append(links)
    return set_alt(
        figure,
        f"{channels} input channels above, {channels} output channels below, a line for each link. "
        f"{'; '.join(said)}. With more groups, each output channel reads only the inputs of its own group.",
    )


def _gate(axes: Axes, here: float, name: str) -> float:
    """Draw a gate above the main line, from `here`; return where the gated feature map leaves."""
    x = here + 1.15
    _arrow(axes, (here + 0.25, 0.0), (here + 0.25, 0.6))
    for height, text, colour in zip((1.0, 2.0, 2.85), _GATES[name], _COLOURS, strict=True):
        _box(axes, x - 0.1, height, text, colour)
    for low in (1.35, 2.35):
        _arrow(axes, (x - 0.1, low), (x - 0.1, low + 0.3))
    product = here + 2.55
    axes.plot([x + 0.4, product], [2.85, 2.85], color=INK, linewidth=1.4, solid_capstyle="projecting")
    _arrow(axes, (product, 2.85), (product, 0.3))
    axes.text(x - 0.1, 3.4, name, ha="center", va="center", fontsize=12, fontweight="bold")
    _arrow(axes, (here, 0.0), (product - 0.22, 0.0))
    _sign(axes, product, "×")
    return product + 0.25


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    box = {"boxstyle": "round,pad=0.4", "facecolor": colour, "edgecolor": INK}
    axes.text(x, y, text, ha="center", va="center", fontsize=11, color="black", bbox=box, zorder=3)


def _sign(axes: Axes, x: float, text: str) -> None:
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": INK}
    axes.text(x, 0.0, text, ha="center", va="center", fontsize=14, color="black", bbox=box, zorder=3)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops=ARROW)


def _residual_alt(gates: Sequence[str]) -> str:
    text = "Drawing of a residual block. x goes through three convolutions."
    for gate in gates:
        steps = ", ".join(_GATES[gate]).replace("\n", " ")
        text += f" The result goes up into a {gate} ({steps}) and is multiplied by what comes out."
    return text + " Then x, untouched on its shortcut, is added, and a ReLU follows."
