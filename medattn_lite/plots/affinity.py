"""Who looks at whom: slice×slice matrices with anatomical axes, beside the planes through a voxel and what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.overlays import Overlay
from medattn_lite.plots.panels import AXIAL, DIRECTIONS, PLANES, Plane, default_window, draw_plane, voxel_spacing
from medattn_lite.plots.style import CROSSHAIR, INK, MAP, as_array, figure_function, new_figure

WIDTH = 9.6  # inches: the text width of a notebook at 100 dpi
MATRIX = 1.95  # edge of a matrix
LEFT, GAP, TOP, BOTTOM = 0.62, 0.08, 0.56, 0.46  # of each row, in inches
GAP_BEFORE_PLANES = 0.3  # between a matrix and the planes
HIGHEST = 0.999  # quantile of the weights that gets the strongest colour: a few voxels must not hide the rest
# Direction → from where to where its slices are counted; rows and columns are those of an axial slice.
ENDS = {"axial": DIRECTIONS[0], "coronal": DIRECTIONS[1], "sagittal": DIRECTIONS[2],
        "rows": DIRECTIONS[1], "columns": DIRECTIONS[2]}  # fmt: skip


@dataclass(frozen=True)
class AffinityRow:
    """One block's answer, a row of `affinity_view`.

    Attributes:
        name: of the block or network, such as "RSA".
        matrix: (S, S) slice×slice, row i for what slice i looks at.
        plane: the direction of its slices.
        weights: (D, H, W) or (H, W), what the voxel looks at; none below 0.
        caption: what the weights are, such as "all paths".
    """

    name: str
    matrix: ArrayLike
    plane: str
    weights: ArrayLike
    caption: str = ""


@figure_function
def slice_affinity(
    matrices: Any,
    planes: str | Sequence[str],
    *,
    chosen: int | Sequence[int | None] | None = None,
    titles: Sequence[str] | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws slice×slice matrices beside each other: each row a slice that looks, each column a slice that is looked at.

    Args:
        matrices: (S, S), or several of them.
        planes: "axial", "coronal", "sagittal", "rows" or "columns", one a matrix.
        chosen: slice whose row is marked, one a matrix; None for none.
        titles: one a matrix; the planes by default.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: matrices that are not square, or not as many planes.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> figure = plots.slice_affinity(np.eye(8), "axial", chosen=3)
        >>> print(plots.alt_text(figure)[:60])
        Slice×slice attention, bright is much. axial, 8 axial slices
    """
    planes = [planes] if isinstance(planes, str) else list(planes)
    single = len(planes) == 1 and as_array(matrices[0]).ndim == 1
    arrays = [np.asarray(as_array(each), dtype=float) for each in ([matrices] if single else matrices)]
    chosen = [chosen] * len(arrays) if chosen is None or isinstance(chosen, int) else list(chosen)
    if len(arrays) != len(planes) or len(chosen) != len(arrays):
        raise ValueError(f"{len(arrays)} matrices, {len(planes)} planes and {len(chosen)} chosen rows: give one each")
    titles = planes if titles is None else list(titles)
    edge = min(3.0, (WIDTH - len(arrays) * (LEFT + GAP_BEFORE_PLANES)) / len(arrays))
    height = edge + 0.36 + BOTTOM
    figure = new_figure(max(len(arrays) * (LEFT + edge + GAP_BEFORE_PLANES), 4.6), height, layout=None)
    width = figure.get_figwidth()
    words = []
    for number, (matrix, plane, row, title) in enumerate(zip(arrays, planes, chosen, titles, strict=True)):
        left = LEFT + number * (LEFT + edge + GAP_BEFORE_PLANES)
        axes = figure.add_axes((left / width, BOTTOM / height, edge / width, edge / height))
        draw_matrix(axes, matrix, plane, row)
        axes.set_title(f"{title}: up to {matrix.max():.2g}", fontsize=11)
        words.append(f"{title}, {_matrix_words(matrix, plane, row)}")
    return set_alt(figure, alt or f"Slice×slice attention, bright is much. {'; '.join(words)}.")


@figure_function
def affinity_view(
    image: ArrayLike,
    position: Sequence[int],
    rows: Sequence[AffinityRow],
    *,
    affine: ArrayLike | None = None,
    spacing: Sequence[float] | None = None,
    outline: ArrayLike | None = None,
    opacity: float = 0.75,
    window: tuple[float, float] | None = None,
    title: str = "",
    query: str = "the voxel",
    alt: str | None = None,
) -> Figure:
    """Draws what one voxel looks at, by one or several blocks: a slice×slice matrix and three planes per block.

    Args:
        image: (D, H, W), or (H, W) for one axial slice.
        position: indices of the voxel that looks; the planes go through it, and its slice's row is marked.
        rows: one block each, drawn under another. Each has a colour scale of its own.
        affine: 4×4, gives the voxel size.
        spacing: voxel edges in mm, one per axis; goes before the affine.
        outline: mask of the image's shape, drawn as a line.
        opacity: of the strongest weight.
        window: intensities drawn black and white; see `default_window`.
        title: in front of the first row's.
        query: who looks, where it is not the voxel at the position: for the alt text.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: nothing to draw, a position outside the image, or weights or an outline of another shape.
    """
    volume = as_array(image)
    position = tuple(int(index) for index in position)
    mask = None if outline is None else as_array(outline) > 0
    _check(volume, position, rows, mask)
    panels = (Plane("axial", -1, 0, 1, AXIAL.orientation_labels),) if volume.ndim == 2 else PLANES
    flat = (1.0, 1.0) if spacing is None else tuple(spacing)
    edges = flat if volume.ndim == 2 else voxel_spacing(affine, spacing)
    size = [length * edge for length, edge in zip(volume.shape, edges, strict=True)]
    tall = max(size[plane.rows] for plane in panels)
    room = WIDTH - LEFT - MATRIX - GAP_BEFORE_PLANES - (len(panels) - 1) * GAP
    scale = min(room / sum(size[plane.columns] for plane in panels), 3.4 / tall)  # inches per millimetre
    step = TOP + max(MATRIX, tall * scale) + BOTTOM
    height = len(rows) * step
    figure = new_figure(WIDTH, height, layout=None)
    window = window or default_window(volume)
    for number, row in enumerate(rows):
        top = height - number * step - TOP
        place = (LEFT / WIDTH, (top - MATRIX) / height, MATRIX / WIDTH, MATRIX / height)
        axes = figure.add_axes(place)
        draw_matrix(axes, as_array(row.matrix), row.plane, position[_axis(row.plane)])
        axes.set_title(row.plane if volume.ndim == 2 else f"{row.plane} slices", fontsize=10, pad=4)
        heading = f"{title}: {row.name}" if title and number == 0 else row.name
        figure.text(0.005, (top + 0.36) / height, f"{heading}{f', {row.caption}' if row.caption else ''}",
                    fontsize=12, va="center", weight="bold")  # fmt: skip
        overlay = _times_even(row, opacity)
        left = LEFT + MATRIX + GAP_BEFORE_PLANES
        first = left
        for plane in panels:
            wide = size[plane.columns] * scale
            axes = figure.add_axes((left / WIDTH, (top - tall * scale) / height, wide / WIDTH, tall * scale / height))
            box = (tall, size[plane.columns])
            _draw(axes, volume, plane, position, (edges[plane.rows], edges[plane.columns]), window, overlay, mask, box)
            left += wide + GAP
        _add_bar(figure, overlay, first, top - tall * scale, height)
    return set_alt(figure, alt or _words(title, position, rows, mask, opacity, query))


def draw_matrix(axes: Axes, matrix: np.ndarray, plane: str, row: int | None) -> None:
    """A slice×slice matrix, first slice at the lower left, its ends named, and one row marked."""
    axes.imshow(matrix, cmap=MAP, origin="lower", vmin=0.0, vmax=float(matrix.max()) or 1.0, interpolation="nearest")
    last = len(matrix) - 1
    low, high = (word[0].upper() for word in ENDS[plane])
    ticks, names = ([0, last], [low, high]) if last else ([0], [low])
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.tick_params(length=0, pad=7)
    axes.tick_params(axis="x", pad=2)
    axes.set_xlabel(f"looked at, {low}→{high}", fontsize=10, labelpad=-2)
    axes.set_ylabel(f"looks, {low}→{high}", fontsize=10, labelpad=4)
    axes.spines[:].set_visible(False)
    if row is not None:  # a frame as thick as a row would hide it: thin lines, and arrows from both sides
        for edge in (row - 0.5, row + 0.5):
            axes.axhline(edge, color=CROSSHAIR, linewidth=0.7)
        for x, marker in ((-0.03, ">"), (1.03, "<")):
            axes.plot([x], [row], marker=marker, color=INK, markersize=7, clip_on=False,
                      transform=axes.get_yaxis_transform())  # fmt: skip


def _times_even(row: AffinityRow, opacity: float) -> Overlay:
    """The weights in multiples of an even share, with a colour scale that ends near their highest."""
    weights = as_array(row.weights).astype(float)
    total = weights.sum()
    values = weights * (weights.size / total) if total > 0 else weights
    positive = values[values > 0]
    highest = float(np.quantile(values, HIGHEST)) if positive.size else 1.0
    highest = max(highest, float(positive.min()) if positive.size else 1.0)
    return Overlay(values.astype(np.float32), opacity, "attention", limits=(0.0, highest))


def _draw(
    axes: Axes,
    volume: np.ndarray,
    plane: Plane,
    position: tuple[int, ...],
    spacing: tuple[float, float],
    window: tuple[float, float],
    overlay: Overlay,
    mask: np.ndarray | None,
    box: tuple[float, float],
) -> None:
    def part(values: np.ndarray) -> np.ndarray:
        return values if values.ndim == 2 else np.take(values, position[plane.across], axis=plane.across)

    cross = (position[plane.rows], position[plane.columns])
    draw_plane(axes, part(volume), spacing=spacing, window=window, overlay=(overlay, part(overlay.values)),
               orientation_labels=plane.orientation_labels, cross=cross, box=box)  # fmt: skip
    if volume.ndim == 3:
        axes.set_title(f"{plane.name} {position[plane.across]}", fontsize=10, pad=4)
    if mask is not None and part(mask).any():
        inside = part(mask).astype(float)
        y, x = (np.arange(n) * mm for n, mm in zip(inside.shape, spacing, strict=True))
        axes.contour(x, y, inside, levels=[0.5], colors=["white"], linewidths=1.1)


def _add_bar(figure: Figure, overlay: Overlay, left: float, bottom: float, height: float) -> None:
    if overlay.is_empty:
        figure.text(left / WIDTH, (bottom - 0.3) / height, "It looks at nothing: all weights are 0.", fontsize=10)
        return
    axes = figure.add_axes((left / WIDTH, (bottom - 0.22) / height, 2.2 / WIDTH, 0.11 / height))
    bar = figure.colorbar(ScalarMappable(Normalize(*overlay.limits), MAP), cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    axes.locator_params(nbins=4)
    figure.text((left + 2.4) / WIDTH, (bottom - 0.17) / height,
                "times an even share (faint = small)",
                fontsize=10, va="center")  # fmt: skip


def _axis(plane: str) -> int:
    return {"axial": 0, "coronal": 1, "sagittal": 2, "rows": 0, "columns": 1}[plane]


def _check(volume: np.ndarray, position: tuple, rows: Sequence[AffinityRow], mask: np.ndarray | None) -> None:
    if volume.ndim not in (2, 3):
        raise ValueError(f"one volume (D, H, W) or slice (H, W) is drawn, not shape {volume.shape}: choose a channel")
    inside = all(0 <= index < length for index, length in zip(position, volume.shape, strict=False))
    if len(position) != volume.ndim or not inside:
        raise ValueError(f"position {position} is outside the image of shape {volume.shape}")
    shapes = {as_array(row.weights).shape for row in rows} | ({mask.shape} if mask is not None else set())
    if not rows or shapes != {volume.shape}:
        raise ValueError(f"weights and outline have shapes {sorted(shapes)}, the image {volume.shape}: make them fit")


def _matrix_words(matrix: np.ndarray, plane: str, row: int | None) -> str:
    low, high = ENDS[plane]
    text = f"{len(matrix)} {plane} slices counted from {low} to {high}"
    if row is None:
        return f"{text}; the largest weight is {matrix.max():.2g}"
    best = int(matrix[row].argmax())
    return f"{text}; slice {row} is marked and looks most at slice {best} ({matrix[row, best]:.2g})"


def _words(
    title: str,
    position: tuple[int, ...],
    rows: Sequence[AffinityRow],
    mask: np.ndarray | None,
    opacity: float,
    query: str,
) -> str:
    sentences = []
    for row in rows:
        overlay = _times_even(row, opacity)
        text = f"{row.name}{f', {row.caption}' if row.caption else ''}: "
        text += _matrix_words(as_array(row.matrix), row.plane, position[_axis(row.plane)])
        if overlay.is_empty:
            sentences.append(f"{text}; {query}: nothing is looked at")
            continue
        peak = np.unravel_index(int(overlay.values.argmax()), overlay.values.shape)
        where = listed([str(int(index)) for index in peak])
        sentences.append(f"{text}; {query}: most at {where}, {overlay.values.max():.3g} times an even share")
    text = f"{title or 'MRI'}: what {query} looks at; planes through {listed([str(index) for index in position])}. "
    text += ". ".join(sentences) + f". At {opacity:.0%} opacity."
    return text if mask is None else f"{text} The mask is outlined in white."
