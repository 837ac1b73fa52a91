"""Where one patch of a slice looks: the slice with the asking patch framed, and its weights beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.panels import AXIAL, default_window, draw_plane
from medattn_lite.plots.style import CROSSHAIR, MAP, as_array, figure_function, new_figure

PANEL = 3.8  # inches along the longer edge of a slice


@figure_function
def patch_weights(
    image: ArrayLike,
    queries: Sequence[tuple[int, int]],
    *,
    side: int,
    weights: Sequence[ArrayLike] | None = None,
    outline: ArrayLike | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws a slice with a framed patch, and the weights which that patch gives to all others.

    Args:
        image: (H, W), one contrast.
        queries: (row, column) of each asking patch, counted in patches; one row of pictures each.
        side: pixels along a patch.
        weights: one map (rows, columns) a query, each on a colour scale of its own; None draws the slices only.
        outline: mask (H, W) drawn as a line on the weights.
        alt: alt text, instead of the one written from the arguments.

    Raises:
        ValueError: as many maps as queries were expected.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> image = np.random.default_rng(0).random((16, 16))
        >>> figure = plots.patch_weights(image, [(1, 1)], side=4, weights=[np.full((4, 4), 1 / 16)])
        >>> print(plots.alt_text(figure)[:60])
        A slice of a head, cut into patches: the patch in row 1, col
    """
    picture = as_array(image)
    maps = None if weights is None else [as_array(each) for each in weights]
    if maps is not None and len(maps) != len(queries):
        raise ValueError(f"{len(maps)} maps for {len(queries)} queries: give one per query")
    columns = 1 if maps is None else 2  # slice, weights
    height, width = (PANEL * length / max(picture.shape) for length in picture.shape)
    figure = new_figure(columns * width + (1.1 if maps else 0.2), len(queries) * (height + 0.35), layout="compressed")
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for number, (query, row) in enumerate(zip(queries, grid, strict=True)):
        draw_plane(row[0], picture, window=default_window(picture), orientation_labels=AXIAL.orientation_labels)
        row[0].set_title(f"query: patch {query[0]}, {query[1]}", fontsize=11)
        _frame(row[0], query, side)
        if maps is not None:
            _map(row[1], maps[number], picture.shape, side, outline)
            _frame(row[1], query, side)
    return set_alt(figure, alt or _words(queries, maps))


def _map(axes: Axes, weights: np.ndarray, shape: tuple[int, int], side: int, outline: ArrayLike | None) -> None:
    rows, columns = weights.shape
    largest = float(weights.max()) or 1.0
    extent = (-0.5, columns * side - 0.5, -0.5, rows * side - 0.5)
    axes.imshow(weights, cmap=MAP, origin="lower", extent=extent, vmin=0.0, vmax=largest, interpolation="nearest")
    axes.set(xticks=[], yticks=[], xlim=(-0.5, shape[1] - 0.5), ylim=(-0.5, shape[0] - 0.5))
    axes.spines[:].set_visible(False)
    axes.set_title("its weights", fontsize=11)
    bar = axes.figure.colorbar(ScalarMappable(Normalize(0.0, largest), MAP), ax=axes, shrink=0.8)
    bar.outline.set_visible(False)
    mask = None if outline is None else as_array(outline) > 0
    if mask is not None and mask.any():
        axes.contour(mask.astype(float), levels=[0.5], colors=["white"], linewidths=1.2)


def _frame(axes: Axes, query: tuple[int, int], side: int) -> None:
    corner = (query[1] * side - 0.5, query[0] * side - 0.5)
    for colour, line in (("black", 3.6), (CROSSHAIR, 2.0)):  # a dark edge keeps the frame visible on bright tissue
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=line))


def _words(queries: Sequence[tuple[int, int]], maps: list[np.ndarray] | None) -> str:
    sentences = []
    for number, (row, column) in enumerate(queries):
        text = f"the patch in row {row}, column {column} is framed"
        if maps is not None:
            best = [f"{int(i) // maps[number].shape[1]}, {int(i) % maps[number].shape[1]}"
                    for i in np.argsort(-maps[number].ravel())[:3]]
            text += f" and looks most at the patches {listed(best)}"
        sentences.append(text)
    return f"A slice of a head, cut into patches: {'; '.join(sentences)}."
