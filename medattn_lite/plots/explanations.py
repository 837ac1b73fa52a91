"""Maps under each other: a row of three planes per network, method or re-initialised copy, with a caption beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.overlays import Overlay, make_overlay
from medattn_lite.plots.panels import AXIAL, PLANES, Plane, default_window, draw_plane, take_slice, voxel_spacing
from medattn_lite.plots.style import CLASS_COLOURS, INK, MAP, as_array, figure_function, new_figure

WIDTH = 9.6  # inches: the text width of a notebook at 100 dpi
CAPTION, GAP, TOP, ROW_GAP = 2.3, 0.06, 0.34, 0.16
TALLEST = 2.6  # of a row
HIGHEST = 0.999  # quantile that gets the strongest colour: one voxel must not hide the rest


@dataclass(frozen=True)
class MapRow:
    """One row.

    Attributes:
        title: of the row, such as "P3D + IAM".
        values: map of the image's shape, (D, H, W) or (H, W); what is below 0 is not drawn. None for no map.
        caption: what to know of it, a few words per line.
        image: the image under it, where it is not the one of the figure.
        position: of the planes, where it is not the one of the figure.
        spacing: voxel edges in mm, where they are not those of the figure.
        outline: mask drawn as a line, where it is not the one of the figure.
    """

    title: str
    values: ArrayLike | None
    caption: str = ""
    image: ArrayLike | None = None
    position: Sequence[int] | None = None
    spacing: Sequence[float] | None = None
    outline: ArrayLike | None = None


@figure_function
def explanation_rows(
    image: ArrayLike | None,
    rows: Sequence[MapRow],
    *,
    position: Sequence[int] | None = None,
    affine: ArrayLike | None = None,
    outline: ArrayLike | None = None,
    opacity: float = 0.65,
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws rows of maps on an image, each with its own colour scale (its highest value is written beside it).

    Args:
        image: (D, H, W), or (H, W) for a slice; None where each row has its own.
        rows: what to draw, from the top.
        position: indices of the voxel that the planes go through; the middle by default.
        affine: 4×4, gives the voxel size.
        outline: mask of the image's shape, drawn as a line.
        opacity: of a map's highest value.
        title: over the first plane.
        alt: alt text, instead of the one written from the rows.

    Raises:
        ValueError: no rows, or a map of another shape than its image.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> volume = np.random.default_rng(0).random((8, 16, 16))
        >>> rows = [plots.MapRow("Grad-CAM", volume**4, "at layer4")]
        >>> print(plots.alt_text(plots.explanation_rows(volume, rows))[:60])
        Maps. Grad-CAM: highest at (2, 1, 2), at layer4. Bright is h
    """
    if not rows:
        raise ValueError("there is no map to draw: give at least one row")
    edges = voxel_spacing(affine)
    laid = [lay_out(row, image, position, edges, outline) for row in rows]
    height = TOP + sum(item.height + ROW_GAP for item in laid) + 0.1
    figure = new_figure(WIDTH, height, layout=None)
    top = height - TOP
    for number, item in enumerate(laid):
        _draw_row(figure, item, top, height, opacity=opacity, first=number == 0, title=title)
        top -= item.height + ROW_GAP
    words = [f"{item.row.title}: {map_words(item)}" for item in laid]
    return set_alt(figure, alt or f"{title or 'Maps'}. {'. '.join(words)}. Bright is high; weak values are faint.")


@dataclass(frozen=True, eq=False)
class LaidOut:
    """A row ready to be drawn: its image, the planes' place, voxel edges in mm, and inches per mm."""

    row: MapRow
    volume: np.ndarray
    place: tuple[int, ...]
    edges: tuple[float, ...]
    mask: np.ndarray | None
    shown: Overlay | None
    scale: float
    height: float

    @property
    def panels(self) -> tuple[Plane, ...]:
        return PLANES if self.volume.ndim == 3 else (Plane("axial", -1, 0, 1, AXIAL.orientation_labels),)


def lay_out(
    row: MapRow, image: ArrayLike | None = None, position: Sequence[int] | None = None,
    edges: Sequence[float] = (1.0, 1.0, 1.0), outline: ArrayLike | None = None,
) -> LaidOut:  # fmt: skip
    """What a row is drawn from; its own image, position, spacing and outline come before the figure's.

    Raises:
        ValueError: no image, or a map of another shape.
    """
    volume = as_array(image if row.image is None else row.image)
    if volume.ndim not in (2, 3):
        raise ValueError(f"{row.title or 'a row'} has no image (D, H, W) or (H, W) under its map")
    place = row.position if row.position is not None else position
    place = tuple(side // 2 for side in volume.shape) if place is None else tuple(int(index) for index in place)
    spacing = tuple(row.spacing) if row.spacing is not None else tuple(edges)
    spacing = spacing[-volume.ndim :]
    outline = outline if row.outline is None else row.outline
    mask = None if outline is None else as_array(outline) > 0
    shown = None
    if row.values is not None:
        values = np.clip(np.asarray(as_array(row.values), dtype=float), 0, None)
        high = float(np.quantile(values, HIGHEST)) if values.size else 0.0
        high = high if high > 0 else float(values.max(initial=0.0))
        shown = make_overlay(values, volume.shape, title=row.title, limits=(0.0, high) if high > 0 else None)
    panels = PLANES if volume.ndim == 3 else (Plane("axial", -1, 0, 1, AXIAL.orientation_labels),)
    size = [length * edge for length, edge in zip(volume.shape, spacing, strict=True)]
    tall = max(size[plane.rows] for plane in panels)
    room = WIDTH - CAPTION - (len(panels) - 1) * GAP
    scale = min(room / sum(size[plane.columns] for plane in panels), TALLEST / tall)
    return LaidOut(row, volume, place, spacing, mask, shown, scale, tall * scale)


def _draw_row(
    figure: Figure, laid: LaidOut, top: float, height: float, *, opacity: float, first: bool, title: str
) -> None:
    size = [length * edge for length, edge in zip(laid.volume.shape, laid.edges, strict=True)]
    left = CAPTION
    for plane in laid.panels:
        wide = size[plane.columns] * laid.scale
        axes = figure.add_axes((left / WIDTH, (top - laid.height) / height, wide / WIDTH, laid.height / height))
        draw_map(axes, laid, plane, opacity=opacity, box=(laid.height / laid.scale, size[plane.columns]))
        if first:
            axes.set_title(f"{title}: {plane.name}" if title and plane is laid.panels[0] else plane.name, fontsize=11)
        left += wide + GAP
    _caption(figure, laid, top, height)


def draw_map(axes: Axes, laid: LaidOut, plane: Plane, *, opacity: float, box: tuple[float, float]) -> None:
    """One plane of a row: its image, its map, its outline.

    Args:
        axes: empty axes.
        laid: the row.
        plane: which plane.
        opacity: of the map's highest value.
        box: height and width of the frame, in mm.
    """
    shown = None if laid.shown is None else Overlay(laid.shown.values, opacity, laid.shown.title, laid.shown.limits)

    def pick(array: np.ndarray) -> np.ndarray:
        return array if plane.across < 0 else take_slice(array, plane, laid.place[plane.across])

    draw_plane(
        axes, pick(laid.volume), spacing=(laid.edges[plane.rows], laid.edges[plane.columns]),
        window=default_window(laid.volume), orientation_labels=plane.orientation_labels, box=box,
        overlay=None if shown is None else (shown, pick(shown.values)),
    )  # fmt: skip
    if laid.mask is not None:
        _outline(axes, pick(laid.mask), laid.edges[plane.rows], laid.edges[plane.columns])


def _caption(figure: Figure, laid: LaidOut, top: float, height: float) -> None:
    title = textwrap.wrap(laid.row.title, 24) or [""]
    figure.text(0.005, (top - 0.04) / height, "\n".join(title), fontsize=11, fontweight="bold", va="top", color=INK)
    below = top - 0.09 - 0.2 * len(title)
    figure.text(0.005, below / height, laid.row.caption, fontsize=10, va="top", color=INK, linespacing=1.25)
    if laid.shown is not None and not laid.shown.is_empty:
        short_colour_bar(figure, laid, (0.01 * WIDTH, top - laid.height + 0.2, 1.7), (WIDTH, height))


def short_colour_bar(
    figure: Figure, laid: LaidOut, place: tuple[float, float, float], size: tuple[float, float]
) -> None:
    """A colour bar with two numbers.

    Args:
        figure: where to draw it.
        laid: the row whose map it belongs to, with something to show.
        place: left, bottom and width in inches.
        size: width and height of the figure in inches.
    """
    if laid.shown is None or laid.shown.limits is None:
        return
    (left, bottom, wide), (width, height) = place, size
    axes = figure.add_axes((left / width, bottom / height, wide / width, 0.1 / height))
    bar = figure.colorbar(ScalarMappable(Normalize(*laid.shown.limits), MAP), cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    bar.set_ticks(list(laid.shown.limits), labels=["0", f"{laid.shown.limits[1]:.2g}"])
    axes.tick_params(labelsize=10, length=0, pad=2)


def _outline(axes: Axes, inside: np.ndarray, row: float, column: float) -> None:
    if inside.any() and not inside.all():
        limits = axes.get_xlim(), axes.get_ylim()
        axes.contour(np.arange(inside.shape[1]) * column, np.arange(inside.shape[0]) * row, inside.astype(float),
                     levels=[0.5], colors=[CLASS_COLOURS[1]], linewidths=1.2)  # fmt: skip
        axes.set_xlim(limits[0])
        axes.set_ylim(limits[1])


def map_words(laid: LaidOut) -> str:
    """The row in words: where its map is highest, and its caption."""
    caption = laid.row.caption.replace("\n", ", ")
    if laid.shown is None:
        return caption or "no map"
    if laid.shown.is_empty:
        return f"nothing above 0{', ' + caption if caption else ''}"
    highest = np.unravel_index(int(np.argmax(laid.shown.values)), laid.shown.values.shape)
    return f"highest at {tuple(int(index) for index in highest)}{', ' + caption if caption else ''}"
