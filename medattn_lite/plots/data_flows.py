"""Drawings of data flow: what each step makes of its inputs, with the shape of every tensor.

They need no data. A drawing is a table of boxes and arrows, so that picture and alt text say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.diagrams import INK, LEARNED, PLAIN, POOLED
from medattn_lite.plots.style import figure_function, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = (1.05, 0.95)  # inches per column and row
_VOLUME = "(B, C, D, H, W)"


@dataclass(frozen=True)
class Step:
    """One box: where it stands (column, row), what it does, the shape that comes out, and its colour."""

    column: float
    row: float
    text: str
    shape: str
    colour: str = PLAIN


@dataclass(frozen=True)
class Flow:
    """One drawing: its name in words, its boxes, and its arrows, "a b" for one from a to b."""

    title: str
    steps: Mapping[str, Step]
    arrows: Sequence[str]


_FLOWS = {
    "encoder-decoder": Flow(
        "an encoder and a decoder with attention",
        {
            "word": Step(0, 2, "letters read", "(B, N)"),
            "encoder": Step(1.9, 2, "encoder, GRU", "reads all N", LEARNED),
            "h": Step(4, 2, "states h", "(B, N, d)"),
            "last": Step(1.9, 1, "last state", "(B, d)"),
            "written": Step(0, 0, "letters written", "(B, T)"),
            "decoder": Step(1.9, 0, "decoder, GRU", "writes T", LEARNED),
            "s": Step(4, 0, "states s", "(B, T, d)"),
            "scores": Step(5.7, 1, "scores s · h", "(B, T, N)", POOLED),
            "weights": Step(7.7, 1, "softmax over N", "(B, T, N)", POOLED),
            "context": Step(9.8, 2, "context: weights × h", "(B, T, d)", POOLED),
            "joined": Step(9.8, 0, "[context ; s]", "(B, T, 2d)"),
            "letters": Step(11.9, 0, "next letters", "(B, T, letters)", LEARNED),
        },
        ("word encoder", "encoder h", "encoder last", "last decoder", "written decoder", "decoder s", "h scores",
         "s scores", "scores weights", "weights context", "h context", "context joined", "s joined", "joined letters"),
    ),
    "query-key-value": Flow(
        "self-attention with m heads",
        {
            "x": Step(0, 1, "x", "(B, N, E)"),
            "wq": Step(1.6, 2, "$W_q$", "E → E", LEARNED),
            "wk": Step(1.6, 1, "$W_k$", "E → E", LEARNED),
            "wv": Step(1.6, 0, "$W_v$", "E → E", LEARNED),
            "q": Step(3.6, 2, "queries Q", "(B, m, N, E/m)"),
            "k": Step(3.6, 1, "keys K", "(B, m, N, E/m)"),
            "v": Step(3.6, 0, "values V", "(B, m, N, E/m)"),
            "scores": Step(5.9, 1.5, "$QK^T / \\sqrt{E/m}$", "(B, m, N, N)", POOLED),
            "weights": Step(8.0, 1.5, "softmax over keys", "(B, m, N, N)", POOLED),
            "context": Step(8.0, 0, "weights × V", "(B, m, N, E/m)", POOLED),
            "joined": Step(10.1, 0, "heads side by side", "(B, N, E)"),
            "y": Step(11.9, 0, "$W_o$", "(B, N, E)", LEARNED),
        },
        ("x wq", "x wk", "x wv", "wq q", "wk k", "wv v", "q scores", "k scores", "scores weights", "weights context",
         "v context", "context joined", "joined y"),
    ),
    "inter-slice": Flow(
        "inter-slice attention",
        {
            "x": Step(0, 0, "x", _VOLUME),
            "means": Step(1.9, 1, "mean over H, W", "(B, C, D, 1, 1)", POOLED),
            "hidden": Step(3.95, 1, "conv 3×1×1, ReLU", "(B, C/r, D, 1, 1)", LEARNED),
            "gate": Step(6.0, 1, "conv 3×1×1, σ: $a^c$", "(B, C, D, 1, 1)", LEARNED),
            "scaled": Step(6.0, 0, "$a^c \\otimes x$", _VOLUME),
            "mean": Step(8.05, 1, "mean over C", "(B, 1, D, H, W)", POOLED),
            "map": Step(10.2, 1, "conv 3×3×3, σ: $a^s$", "(B, 1, D, H, W)", LEARNED),
            "out": Step(10.2, 0, "$a^s \\otimes a^c \\otimes x$", _VOLUME),
        },
        ("x means", "means hidden", "hidden gate", "gate scaled", "x scaled", "scaled mean", "mean map", "map out",
         "scaled out"),
    ),
    "slice attention": Flow(
        "one step of recurrent slice attention, along one direction with S slices",
        {
            "x": Step(0, 1, "x", _VOLUME),
            "q": Step(2.1, 2, "θ, slices as rows", "(B, S, C·DHW/S)", LEARNED),
            "k": Step(2.1, 1, "φ, slices as rows", "(B, S, C·DHW/S)", LEARNED),
            "v": Step(2.1, 0, "g, slices as rows", "(B, S, C·DHW/S)", LEARNED),
            "scores": Step(4.5, 1.5, "rows × rows", "(B, S, S)", POOLED),
            "map": Step(6.3, 1.5, "softmax: A", "(B, S, S)", POOLED),
            "mixed": Step(6.3, 0, "A × rows of g", "(B, S, C·DHW/S)", POOLED),
            "back": Step(8.4, 0, "back to a volume, × β", _VOLUME),
            "out": Step(10.5, 0, "+ x", _VOLUME),
        },
        ("x q", "x k", "x v", "q scores", "k scores", "scores map", "map mixed", "v mixed", "mixed back", "back out"),
    ),
    "dual fusion": Flow(
        "dual fusion; N is the number of voxels or tokens",
        {
            "f1": Step(0, 2, "map of network 1: $F_1$", "(B, $f_1$, D, H, W)"),
            "f2": Step(0, 1, "map of network 2: $F_2$", "(B, $f_2$, D, H, W)"),
            "n1": Step(2.2, 2, "conv 1: $N_1$", "(B, f, D, H, W)", LEARNED),
            "n2": Step(2.2, 1, "conv 1: $N_2$", "(B, f, D, H, W)", LEARNED),
            "weights": Step(4.5, 1.5, "softmax over keys: A", "(B, N, N)", POOLED),
            "early": Step(4.5, 0, "early fusion: V", "(B, f, D, H, W)", LEARNED),
            "context": Step(6.6, 1.5, "A × V", "(B, N, f)", POOLED),
            "global": Step(6.6, 0, "× V: G", "(B, f, D, H, W)", POOLED),
            "local": Step(8.7, 0, "residual block: L", "(B, f, D, H, W)", LEARNED),
            "logits": Step(10.8, 0, "conv 1: logits", "(B, R, D, H, W)", LEARNED),
        },
        ("f1 n1", "f2 n2", "n1 early", "n2 early", "n1 weights", "n2 weights", "weights context", "early context",
         "context global", "early global", "global local", "local logits"),
    ),
}


@figure_function
def data_flow(kind: str) -> Figure:
    """Draws what a mechanism makes of its input, box by box, with the shape of what comes out of each.

    Args:
        kind: "encoder-decoder", "query-key-value", "inter-slice", "slice attention" or "dual fusion".

    Returns:
        The figure. Grey boxes hold data, yellow ones have weights that are learned, blue ones compute and learn
        nothing.

    Raises:
        ValueError: for another kind.

    Example:
        >>> from medattn_lite import plots
        >>> print(plots.alt_text(plots.data_flow("inter-slice"))[:58])
        Drawing of the data flow in inter-slice attention. x (B, C
    """
    if kind not in _FLOWS:
        raise ValueError(f"kind must be one of {', '.join(_FLOWS)}, not {kind!r}")
    flow = _FLOWS[kind]
    columns, rows = ([getattr(step, side) for step in flow.steps.values()] for side in ("column", "row"))
    figure = new_figure(PLACE[0] * (max(columns) + 1.9), PLACE[1] * (max(rows) + 0.9))
    axes = figure.add_subplot()
    axes.set(xlim=(-0.95, max(columns) + 0.95), ylim=(-0.45, max(rows) + 0.45))
    axes.axis("off")
    drawn = {name: axes.text(step.column, step.row, f"{step.text}\n{step.shape}", ha="center", va="center", fontsize=10,
                             color="black", zorder=3, bbox={"boxstyle": "round,pad=0.35", "facecolor": step.colour,
                                                            "edgecolor": INK}) for name, step in flow.steps.items()}
    figure.canvas.draw()  # lays the boxes out, so that arrows end at their borders
    for arrow in flow.arrows:
        start, end = (drawn[name] for name in arrow.split())
        axes.annotate("", xy=end.get_position(), xytext=start.get_position(), arrowprops={
            "arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 1.0, "shrinkB": 1.0,
            "patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()})  # fmt: skip
    return set_alt(figure, _alt(flow))


def _alt(flow: Flow) -> str:
    named = {name: f"{_plain(step.text)} {_plain(step.shape)}" for name, step in flow.steps.items()}
    lines = []
    for name in named:
        ends = [named[arrow.split()[1]] for arrow in flow.arrows if arrow.split()[0] == name]
        if ends:
            lines.append(f"{named[name]} goes to {', and to '.join(ends)}.")
    return f"Drawing of the data flow in {flow.title}. " + " ".join(lines)


def _plain(text: str) -> str:
    signs = {"\\otimes": "times", "\\sqrt{E/m}": "√(E/m)", "^T": "ᵀ", "^c": "ᶜ", "^s": "ˢ", "$": "", "_": ""}
    for sign, word in signs.items():
        text = text.replace(sign, word)
    return text
