"""A figure for a dark page: paper and ink change places, data and images keep their colours.

Greys are turned over (white paper becomes a dark grey, black ink a light one); a colour that would be lost on the dark
paper is made lighter. What lies on an image or on a coloured box stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_rgb, to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from medattn_lite.plots.style import GRID, INK, MUTED

DARK_PAPER = "#1e1e1e"
GREY_SPREAD = 0.12  # between the strongest and the weakest of red, green and blue: less is a grey
READABLE, VISIBLE = 4.5, 3.0  # contrast of text and of lines with the paper (WCAG 2.2: 1.4.3 and 1.4.11)


def on_dark(figure: Figure) -> Figure:
    """Recolour a figure in place for a dark page, and give it back.

    Args:
        figure: drawn in the package's style, on white paper.
    """
    images = [axes for axes in figure.axes if axes.images]
    kept = {id(artist) for axes in images for artist in _on_image(axes)}
    kept |= {id(text) for text in figure.findobj(Text) if _on_colour(text)}
    for artist in figure.findobj(lambda artist: isinstance(artist, (Text, Line2D, Patch, Collection))):
        if id(artist) not in kept:
            _turn(artist)
    for axes in figure.axes:
        _turn_ticks(axes)
    parts: list[Any] = [figure, *figure.subfigs]
    for part in parts:
        part.patch.set_facecolor(DARK_PAPER)
    return figure


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((_luminance(to_rgb(one)), _luminance(to_rgb(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def turned(colour: Any, *, needed: float = VISIBLE) -> tuple[float, float, float, float]:
    """The colour that takes a colour's place on dark paper.

    Args:
        colour: a colour of matplotlib's.
        needed: the least contrast with the paper that a colour, not a grey, must have.
    """
    red, green, blue, alpha = to_rgba(colour)
    if max(red, green, blue) - min(red, green, blue) < GREY_SPREAD:
        grey = 0.92 - (0.92 - to_rgb(DARK_PAPER)[0]) * (red + green + blue) / 3
        return grey, grey, grey, alpha
    rgb = np.array([red, green, blue])
    while contrast(rgb, DARK_PAPER) < needed:
        rgb = rgb + 0.06 * (1 - rgb)
    return float(rgb[0]), float(rgb[1]), float(rgb[2]), alpha


def _luminance(rgb: Iterable[float]) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _on_image(axes: Axes) -> list[Artist]:
    """What is drawn on an image and seen against it: letters, crosses, outlines; dark marks beside it are not."""
    light = [line for line in axes.lines if min(to_rgb(line.get_color())) > 0.5 or not _grey(line.get_color())]
    paper = [axes.patch] if max(to_rgb(axes.patch.get_facecolor())) < 0.5 else []
    return [*paper, *axes.texts, *light, *axes.collections]


def _on_colour(text: Text) -> bool:
    """White letters, which are written on something dark already, and letters in a box of a colour."""
    box = text.get_bbox_patch()
    return min(to_rgb(text.get_color())) > 0.95 or (box is not None and not _grey(box.get_facecolor()))


def _grey(colour: Any) -> bool:
    return float(np.ptp(to_rgb(colour))) < GREY_SPREAD


def _turn_ticks(axes: Axes) -> None:
    """Ticks, their labels and the grid, those that are made while drawing too."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_tick_params(which="both", color=turned(MUTED), labelcolor=turned(INK, needed=READABLE),
                             grid_color=turned(GRID))  # fmt: skip


def _turn(artist: Artist) -> None:
    if isinstance(artist, Text):
        artist.set_color(turned(artist.get_color(), needed=READABLE))
    elif isinstance(artist, Line2D):
        parts = ("color", "markerfacecolor", "markeredgecolor")
        before = {part: getattr(artist, f"get_{part}")() for part in parts}  # all first: a marker may follow its line
        for part, colour in before.items():
            if not (isinstance(colour, str) and colour in ("none", "auto")):
                getattr(artist, f"set_{part}")(turned(colour))
    elif isinstance(artist, Patch):
        edge, face = to_rgba(artist.get_edgecolor()), to_rgba(artist.get_facecolor())
        if face[3]:  # what is not drawn stays so
            artist.set_facecolor(turned(face))
        if edge[3]:
            artist.set_edgecolor(turned(edge))
    elif isinstance(artist, Collection) and artist.get_array() is None:
        for part in ("facecolor", "edgecolor"):
            colours = to_rgba_array(getattr(artist, f"get_{part}")())
            if len(colours):
                getattr(artist, f"set_{part}")([turned(colour) for colour in colours])
