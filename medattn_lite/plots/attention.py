"""Scores, weights and context as pictures: bars, arrows in the plane, and the alignment matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    INK,
    MAP,
    MUTED,
    as_array,
    figure_function,
    light_grid,
    new_figure,
    readable_on,
)


@figure_function
def weights_bars(
    weights: ArrayLike | Mapping[str, ArrayLike],
    *,
    names: Sequence[str] | None = None,
    title: str = "attention weights",
    label: str = "weight",
    limits: tuple[float, float] | None = (0.0, 1.0),
    alt: str | None = None,
) -> Figure:
    """Draws weights as bars, or several sets of weights side by side.

    Args:
        weights: (N,), or a name → (N,) mapping to compare, say, temperatures.
        names: one a bar; "key 1", "key 2", … by default.
        title: above the bars.
        label: of the vertical axis.
        limits: of the vertical axis; None for the data's own (scores, for example).
        alt: alt text, instead of the one written from the values.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.weights_bars({"τ = 0.5": [0.8, 0.2], "τ = 4": [0.6, 0.4]}, names=["the", "cat"])
        >>> len(figure.axes[0].patches)
        4
    """
    by_name = weights if isinstance(weights, Mapping) else {"": weights}
    sets = {name: as_array(values).ravel() for name, values in by_name.items()}
    count = len(next(iter(sets.values())))
    names = [f"key {i + 1}" for i in range(count)] if names is None else [str(name) for name in names]
    figure = new_figure(min(9.6, 2.2 + 0.75 * count + 0.5 * count * (len(sets) - 1)), 3.2)
    axes = figure.add_subplot()
    width = 0.8 / len(sets)
    for number, (name, values) in enumerate(sets.items()):
        places = np.arange(count) + (number - (len(sets) - 1) / 2) * width
        bars = axes.bar(places, values, width=0.92 * width, color=CLASS_COLOURS[number % 6], label=name or None)
        if count * len(sets) <= 15:
            axes.bar_label(bars, labels=[f"{value:.2f}" for value in values], fontsize=10, padding=2)
    axes.set_xticks(range(count), names)
    axes.set_ylabel(label)
    axes.set_title(title)
    if limits is not None:
        axes.set_ylim(limits[0], limits[1] * 1.08)
    else:
        axes.margins(y=0.15)
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
    light_grid(axes)
    if len(sets) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return set_alt(figure, alt or f"Bars, {title}. " + " ".join(_describe(name, names, v) for name, v in sets.items()))


@figure_function
def attention_matrix(
    weights: ArrayLike,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    row_label: str = "decoder step (query)",
    column_label: str = "encoder step (key)",
    value_label: str = "weight",
    title: str = "",
    limits: tuple[float, float] | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws an alignment matrix: which key each query looks at.

    Args:
        weights: (queries, keys).
        rows: names of the queries.
        columns: names of the keys.
        row_label, column_label: what the axes are.
        value_label: what the colours are.
        title: above the matrix.
        limits: of the colours; zero to the largest value by default.
        alt: alt text, instead of the one written from the values.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.attention_matrix([[0.9, 0.1], [0.2, 0.8]], rows=["le", "chat"], columns=["the", "cat"])
        >>> print(plots.alt_text(figure)[:59])
        Matrix of 2 queries and 2 keys: le looks most at the (0.90)
    """
    matrix = as_array(weights).astype(float)
    if matrix.ndim != 2:
        raise ValueError(f"an attention matrix is (queries, keys), not of shape {matrix.shape}: choose one head")
    queries, keys = matrix.shape
    rows = [str(i + 1) for i in range(queries)] if rows is None else [str(name) for name in rows]
    columns = [str(i + 1) for i in range(keys)] if columns is None else [str(name) for name in columns]
    low, high = limits or (min(0.0, float(matrix.min())), float(matrix.max()) or 1.0)
    cell = float(np.clip(6.5 / max(queries, keys), 0.06, 0.72))
    figure = new_figure(max(keys * cell, 2.4) + 2.4, max(queries * cell, 1.6) + 1.3, layout="compressed")
    axes = figure.add_subplot()
    picture = axes.imshow(matrix, cmap=MAP, vmin=low, vmax=high, aspect="equal")
    if cell >= 0.5:
        for (i, j), value in np.ndenumerate(matrix):
            ink = readable_on(tuple(picture.cmap(picture.norm(value))))
            axes.text(j, i, f"{value:z.2f}", ha="center", va="center", fontsize=10, color=ink)
    step_x, step_y = max(1, round(0.3 / cell)), max(1, round(0.22 / cell))
    axes.set_xticks(range(0, keys, step_x), columns[::step_x], rotation=0 if max(map(len, columns)) < 5 else 45)
    axes.set_yticks(range(0, queries, step_y), rows[::step_y])
    axes.set_xlabel(column_label)
    axes.set_ylabel(row_label)
    axes.set_title(title)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(picture, ax=axes, label=value_label, shrink=0.9)
    bar.outline.set_visible(False)
    best = [f"{rows[i]} looks most at {columns[j]} ({matrix[i, j]:.2f})" for i, j in enumerate(matrix.argmax(axis=1))]
    words = f"Matrix of {queries} queries and {keys} keys{f', {title}' if title else ''}: {listed(best)}."
    return set_alt(figure, alt or words)


@figure_function
def playground(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    scores: ArrayLike,
    weights: ArrayLike,
    context: ArrayLike,
    score_name: str = "dot",
    temperature: float = 1.0,
    names: Sequence[str] | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws attention in the plane: query and keys as arrows, scores and weights as bars, the context as a star.

    Args:
        query: (2,).
        keys: (N, 2).
        values: (N, 2).
        scores: (N,).
        weights: (N,).
        context: (2,).
        score_name: which score was used.
        temperature: of the softmax.
        names: of the keys.
        alt: alt text, instead of the one written from the values.

    Example:
        >>> from medattn_lite import plots
        >>> from medattn_lite.attention import attend
        >>> import torch
        >>> query, keys = torch.tensor([1.0, 0.5]), torch.tensor([[1.0, 1.0], [-1.0, 1.5]])
        >>> scores, weights, context = attend(query, keys, keys)
        >>> figure = plots.playground(query, keys, keys, scores=scores, weights=weights, context=context)
        >>> print(plots.alt_text(figure)[:59])
        Attention playground, dot score, temperature 1. Query (1.0,
    """
    query, keys, values = (as_array(vectors).astype(float) for vectors in (query, keys, values))
    scores, weights, context = (as_array(numbers).astype(float) for numbers in (scores, weights, context))
    names = [f"key {i + 1}" for i in range(len(keys))] if names is None else list(names)
    colours = [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(len(keys))]
    figure = new_figure(9.6, 3.5)
    plane, bars_scores, bars_weights, mixture = figure.subplots(1, 4, width_ratios=(1.5, 0.8, 0.8, 1.5))
    _vectors(plane, query, keys, colours)
    _bars(bars_scores, scores, colours, title="2 scores", note=score_name)
    _bars(bars_weights, weights, colours, title="3 weights", note=f"temperature {temperature:g}", limits=(0.0, 1.0))
    _mixture(mixture, values, weights, context, colours)
    sentences = [
        f"{name} ({key[0]:z.1f}, {key[1]:z.1f}) scores {score:z.2f} and weighs {weight:.2f}"
        for name, key, score, weight in zip(names, keys, scores, weights, strict=True)
    ]
    words = (
        f"Attention playground, {score_name} score, temperature {temperature:g}. "
        f"Query ({query[0]:z.1f}, {query[1]:z.1f}). {'; '.join(sentences)}. "
        f"Context ({context[0]:z.2f}, {context[1]:z.2f})."
    )
    return set_alt(figure, alt or words)


def _vectors(axes: Axes, query: np.ndarray, keys: np.ndarray, colours: list[str]) -> None:
    _square(axes, np.vstack([query[None], keys]), title="1 query and keys")
    for number, (key, colour) in enumerate(zip(keys, colours, strict=True), start=1):
        _arrow(axes, key, colour, text=f"k{number}", width=1.8)
    _arrow(axes, query, INK, text="q", width=3.0)


def _mixture(axes: Axes, values: np.ndarray, weights: np.ndarray, context: np.ndarray, colours: list[str]) -> None:
    """Values as dots as large as their weight, and the context, their mean by weight, as a star between them."""
    _square(axes, np.vstack([values, context[None]]), title="4 context: Σ weight × value")
    for number, (value, weight, colour) in enumerate(zip(values, weights, colours, strict=True), start=1):
        along = np.stack([value, context], axis=1)
        axes.plot(*along, color=colour, linewidth=1.0, alpha=0.25 + 0.7 * weight)
        axes.scatter(value[0], value[1], s=30 + 500 * weight, color=colour, alpha=0.85, zorder=3, linewidths=0)
        axes.annotate(f"v{number}", value, xytext=(7, 7), textcoords="offset points", fontsize=10, zorder=5)
    axes.scatter(context[0], context[1], marker="*", s=240, color=INK, edgecolor="white", linewidth=1.0, zorder=6)


def _bars(
    axes: Axes,
    numbers: np.ndarray,
    colours: list[str],
    *,
    title: str,
    note: str,
    limits: tuple[float, float] | None = None,
) -> None:
    places = np.arange(len(numbers))
    axes.barh(places, numbers, color=colours, height=0.62)
    for place, number in enumerate(numbers):  # a column of figures at the right edge: they never meet the bars
        written = f"{number:z.2f}"
        axes.text(1.0, place, written, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=10)
    axes.set_yticks(places, [str(i + 1) for i in places])
    axes.set_ylim(len(numbers) - 0.4, -0.6)
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    low, high = min(0.0, float(numbers.min())), max(0.0, float(numbers.max()))
    low, high = (low, max(high, 1.0)) if limits is None else limits
    axes.set_xlim(low - 0.02 * (high - low), high + 0.62 * (high - low))
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.set_title(title)
    axes.set_xlabel(note)


def _square(axes: Axes, points: np.ndarray, *, title: str) -> None:
    edge = max(2, int(np.ceil(np.abs(points).max())))
    reach = edge * 1.3  # room for the names beyond the tips
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=title)
    axes.axhline(0.0, color="#d9d9d9", linewidth=0.8, zorder=0)
    axes.axvline(0.0, color="#d9d9d9", linewidth=0.8, zorder=0)
    axes.set_xticks([-edge, 0, edge])
    axes.set_yticks([-edge, 0, edge])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#d9d9d9")


def _arrow(axes: Axes, tip: np.ndarray, colour: str, *, text: str, width: float) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14}
    axes.annotate("", xy=tuple(tip), xytext=(0.0, 0.0), arrowprops=style, zorder=4)
    length = float(np.hypot(*tip)) or 1.0
    away = (tip / length * 10).round(1)  # the name stands beyond the arrow's tip
    axes.annotate(
        text, tuple(tip), xytext=tuple(away), textcoords="offset points", ha="center", va="center",
        color=colour, fontsize=11, fontweight="bold", zorder=5,
    )


def _describe(name: str, names: Sequence[str], values: np.ndarray) -> str:
    order = np.argsort(-values)[:8]
    text = ", ".join(f"{names[i]} {values[i]:.2f}" for i in order)
    return f"{name + ': ' if name else ''}{text}{', the rest lower' if len(values) > 8 else ''}."
