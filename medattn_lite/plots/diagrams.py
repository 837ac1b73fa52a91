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
    "channel in slice": ("mean\nover H and W", "conv 3×1×1, twice\nC → C/r → C", "sigmoid"),
    "place in slice": ("mean\nover channels", "conv 3×3×3\n1 → 1", "sigmoid"),
}
_COLOURS = (POOLED, LEARNED, LEARNED)
_BLOCKS = {
    "plain": [],
    "squeeze-excitation": ["channel gate"],
    "spatial attention": ["spatial attention"],
    "cbam": ["channel attention", "spatial attention"],
    "inter-slice": ["channel in slice", "place in slice"],
}


@figure_function
def residual_block(kind: str = "squeeze-excitation", *, middle: str = "grouped\nconv 3×3") -> Figure:
    """Draws a residual block with its gates where the papers put them: on the branch, before the addition.

    Args:
        kind: "plain", "squeeze-excitation", "spatial attention", "cbam" or "inter-slice".
        middle: text of the middle convolution's box.

    Returns:
        The figure.

    Raises:
        ValueError: for another kind.

    Example:
        >>> from medattn_lite import plots
        >>> print(plots.alt_text(plots.residual_block("cbam"))[:60])
        Drawing of a residual block. x goes through three convolutio
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
    """Draws which input channels each output channel of a convolution reads, for several numbers of groups.

    Args:
        groups: numbers of groups, one panel each; every number divides `channels`.
        channels: input channels, and as many output channels.

    Returns:
        The figure.

    Example:
        >>> from medattn_lite import plots
        >>> print(plots.alt_text(plots.grouped_convolution((1, 4)))[:59])
        8 input channels above, 8 output channels below, a line for
    """
    figure = new_figure(3.0 * len(groups), 2.4)
    sentences = []
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
        sentences.append(links)
    return set_alt(
        figure,
        f"{channels} input channels above, {channels} output channels below, a line for each link. "
        f"{'; '.join(sentences)}. With more groups, each output channel reads only the inputs of its own group.",
    )


@figure_function
def split_attention(radix: int = 2) -> Figure:
    """Draws split attention: channels go to R convolutions, whose versions are mixed by shares of one whole.

    Args:
        radix: R, number of splits, even.

    Returns:
        The figure.

    Raises:
        ValueError: an odd number, for which the drawing has no room on its main line.

    Example:
        >>> from medattn_lite import plots
        >>> print(plots.alt_text(plots.split_attention(2))[:62])
        Drawing of split attention. The channels of x are divided into
    """
    if radix < 2 or radix % 2:
        raise ValueError(f"radix is {radix}: the drawing is made for 2, 4, … splits")
    figure = new_figure(9.6, 1.1 + 1.1 * radix)
    axes = figure.add_subplot()
    rows = [1.5 * ((radix - 1) / 2 - number) for number in range(radix)]
    axes.text(0.0, 0.0, "x", ha="center", va="center", fontsize=13)
    for number, row in enumerate(rows, start=1):
        side = 1 if row > 0 else -1  # above or below the main line
        _arrow(axes, (0.25, 0.0), (0.65, row))
        _box(axes, 1.7, row, f"channels,\npart {number} of {radix}", PLAIN)
        _arrow(axes, (2.75, row), (3.1, row))
        _box(axes, 4.15, row, "conv 3×3,\nBN, ReLU", LEARNED)
        axes.text(5.3, row, f"$u_{number}$", ha="left", va="center", fontsize=13)
        _arrow(axes, (5.85, row), (13.65, row))
        _arrow(axes, (6.0, row), (6.4, 0.25 * side))
        _arrow(axes, (12.3, 0.0), (13.75, row - 0.28 * side))
        axes.text(12.85, row * 0.45 + 0.14 * side, f"$a_{number}$", ha="right", fontsize=13,
                  va="bottom" if side > 0 else "top")  # fmt: skip
        _sign(axes, 13.9, "×", row)
        _arrow(axes, (14.15, row), (14.9, 0.2 * side))
    _sign(axes, 6.6, "+")
    for x, text, colour in ((7.95, "mean\nover space", POOLED), (9.7, "$W_1$, BN,\nReLU, $W_2$", LEARNED),
                            (11.45, "softmax\nover splits", POOLED)):  # fmt: skip
        _box(axes, x, 0.0, text, colour)
    for start, end in ((6.85, 7.1), (8.75, 8.95), (10.45, 10.65)):
        _arrow(axes, (start, 0.0), (end, 0.0))
    _sign(axes, 15.1, "+")
    axes.text(15.5, 0.0, "x′", ha="left", va="center", fontsize=13)
    axes.set(xlim=(-0.2, 15.9), ylim=(rows[-1] - 0.5, rows[0] + 0.5))
    axes.axis("off")
    return set_alt(
        figure,
        f"Drawing of split attention. The channels of x are divided into {radix} parts; each part goes through a 3×3 "
        f"convolution of its own and gives a version of all channels. The versions are added, averaged over space and "
        f"sent through two small layers and a softmax over the {radix} splits. Each version is multiplied by its "
        "share, and the products are added.",
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


def _sign(axes: Axes, x: float, text: str, y: float = 0.0) -> None:
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": INK}
    axes.text(x, y, text, ha="center", va="center", fontsize=14, color="black", bbox=box, zorder=3)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops=ARROW)


def _residual_alt(gates: Sequence[str]) -> str:
    text = "Drawing of a residual block. x goes through three convolutions."
    for gate in gates:
        steps = ", ".join(_GATES[gate]).replace("\n", " ")
        text += f" The result goes up into a {gate} ({steps}) and is multiplied by what comes out."
    return text + " Then x, untouched on its shortcut, is added, and a ReLU follows."
