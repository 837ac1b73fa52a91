"""Maps beside each other: one picture for each network, in a plane of its choice, with its caption below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.explanations import LaidOut, MapRow, draw_map, lay_out, map_words, short_colour_bar
from medattn_lite.plots.style import INK, figure_function, new_figure

WIDTH, GAP, TOP = 9.6, 0.25, 0.3  # inches
PICTURE, LINE, TITLE = 2.05, 0.175, 0.24  # height of a picture, of a line of its caption, of its title
NAME_WIDTH = 38  # of a caption's line


@figure_function
def explanation_grid(
    rows: Sequence[MapRow], *, plane: str = "axial", columns: int = 3, opacity: float = 0.65, title: str = "",
    alt: str | None = None,
) -> Figure:  # fmt: skip
    """Draws maps side by side, each on its own image and with a colour scale of its own.

    Args:
        rows: what to draw, each with its image.
        plane: "axial", "coronal" or "sagittal", of the volumes among them; a slice is drawn as it is.
        columns: pictures beside each other.
        opacity: of a map's highest value.
        title: above all.
        alt: alt text, instead of the one written from the rows.

    Raises:
        ValueError: no rows, an image of another shape than its map, or no such plane.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> volume = np.random.default_rng(0).random((8, 16, 16))
        >>> rows = [plots.MapRow(name, volume**4, "at layer4", image=volume) for name in ("P3D", "P3D + IAM")]
        >>> len(plots.explanation_grid(rows, columns=2).axes) >= 2
        True
    """
    if not rows:
        raise ValueError("there is no map to draw: give at least one row")
    laid = [lay_out(row) for row in rows]
    if plane not in ("axial", "coronal", "sagittal"):
        raise ValueError(f"there is no plane {plane!r}: use axial, coronal or sagittal")
    captions = [_wrapped(item.row.caption) for item in laid]
    cell = TITLE + PICTURE + 0.3 + LINE * max(len(lines) for lines in captions) + 0.12
    height = TOP + cell * math.ceil(len(laid) / columns)
    wide = (WIDTH - GAP * (columns - 1)) / columns
    figure = new_figure(WIDTH, height, layout=None)
    figure.text(0.005, 1 - 0.06 / height, title, fontsize=11, va="top", color=INK)
    for number, (item, lines) in enumerate(zip(laid, captions, strict=True)):
        left = number % columns * (wide + GAP)
        top = height - TOP - number // columns * cell
        name = textwrap.shorten(item.row.title, NAME_WIDTH, placeholder=" …")
        figure.text((left + 0.03) / WIDTH, top / height, name, fontsize=11, fontweight="bold", va="top", color=INK)
        _draw(figure, item, plane, (left, top - TITLE - PICTURE, wide), height, opacity)
        below = top - TITLE - PICTURE
        if item.shown is not None and not item.shown.is_empty:
            short_colour_bar(figure, item, (left + 0.05, below - 0.12, min(1.7, wide - 0.3)), (WIDTH, height))
        figure.text((left + 0.03) / WIDTH, (below - 0.32) / height, "\n".join(lines), fontsize=10, va="top", color=INK,
                    linespacing=1.25)  # fmt: skip
    words = [f"{item.row.title}: {map_words(item)}" for item in laid]
    return set_alt(figure, alt or f"{title or 'Maps'}. {'. '.join(words)}. Bright is high; weak values are faint.")


def _wrapped(caption: str) -> list[str]:
    return [part for line in caption.splitlines() for part in textwrap.wrap(line, NAME_WIDTH) or [""]]


def _draw(
    figure: Figure, laid: LaidOut, plane: str, place: tuple[float, float, float], height: float, opacity: float
) -> None:
    """One picture, as large as its place (left, bottom, width in inches) allows."""
    left, bottom, wide = place
    chosen = next((panel for panel in laid.panels if panel.name == plane), laid.panels[0])
    rows, columns = (laid.volume.shape[axis] * laid.edges[axis] for axis in (chosen.rows, chosen.columns))
    scale = min(wide / columns, PICTURE / rows)
    box = (left / WIDTH, (bottom + PICTURE - rows * scale) / height, columns * scale / WIDTH, rows * scale / height)
    draw_map(figure.add_axes(box), laid, chosen, opacity=opacity, box=(rows, columns))
