"""Small 2-D pictures side by side: slices, feature maps, attention maps; grey for images, cividis for maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import CROSSHAIR, GREY, MAP, as_array, figure_function, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = 2.1  # inches of one picture


@figure_function
def picture_table(
    rows: Sequence[Sequence[ArrayLike]],
    *,
    alt: str,
    columns: Sequence[str] = (),
    names: Sequence[str] = (),
    outlines: Sequence[ArrayLike] | None = None,
    maps_from: int | None = None,
    limits: tuple[float, float] | None = None,
    map_label: str = "",
) -> Figure:
    """Draws rows of 2-D pictures, (H, W) each, with anterior up and the image's left on the left.

    Args:
        rows: pictures; every row has as many.
        alt: what is to be seen, in words.
        columns: a title over each column.
        names: a name before each row.
        outlines: a mask (H, W) for each row, drawn as a line on every picture of the row; None for none.
            A mask of another size than its picture is stretched over it.
        maps_from: pictures from this column on are maps on one colour scale; None: all are images.
        limits: of the maps; by default their smallest and largest value.
        map_label: beside the maps' colour bar.

    Returns:
        The figure.

    Raises:
        ValueError: rows of different lengths, or a picture that is not 2-D.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> pictures = np.random.default_rng(0).random((1, 2, 8, 8))
        >>> figure = plots.picture_table(pictures, alt="A slice and its map", columns=["slice", "map"], maps_from=1)
        >>> plots.alt_text(figure)
        'A slice and its map'
    """
    pictures = [[as_array(picture) for picture in row] for row in rows]
    if len({len(row) for row in pictures}) != 1 or any(picture.ndim != 2 for row in pictures for picture in row):
        raise ValueError("picture_table needs rows of one length whose pictures are 2-D, (height, width)")
    wide = len(pictures[0])
    first_map = wide if maps_from is None else maps_from
    maps = [picture for row in pictures for picture in row[first_map:]]
    if maps and limits is None:
        limits = (min(float(m.min()) for m in maps), max(float(m.max()) for m in maps))
    figure = new_figure(SIZE * wide + (0.9 if maps else 0.2), SIZE * len(pictures) + 0.5)
    grid = figure.subplots(len(pictures), wide, squeeze=False)
    for row, (line, axes_row) in enumerate(zip(pictures, grid, strict=True)):
        for column, (picture, axes) in enumerate(zip(line, axes_row, strict=True)):
            _draw(axes, picture, limits if column >= first_map else None)
            if outlines is not None:
                _outline(axes, as_array(outlines[row]), picture.shape)
            if row == 0 and column < len(columns):
                axes.set_title(columns[column], fontsize=11)
        if row < len(names):
            axes_row[0].set_ylabel(names[row], fontsize=11)
    if maps and limits is not None:
        scale = ScalarMappable(Normalize(*limits), MAP)
        figure.colorbar(scale, ax=grid, fraction=0.03, pad=0.02, label=map_label)
    return set_alt(figure, alt)


def _draw(axes: Axes, picture: np.ndarray, limits: tuple[float, float] | None) -> None:
    if limits is None:
        low, high = np.percentile(picture, (1.0, 99.5))
        axes.imshow(picture, cmap=GREY, origin="lower", vmin=low, vmax=max(high, low + 1e-6))
    else:
        axes.imshow(picture, cmap=MAP, origin="lower", vmin=limits[0], vmax=limits[1])
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _outline(axes: Axes, mask: np.ndarray, shape: tuple[int, int]) -> None:
    mask = np.squeeze(mask) > 0
    if not mask.any():
        return
    # Contours are drawn at pixel centres of the mask, in pixels of the picture.
    y = (np.arange(mask.shape[0]) + 0.5) * shape[0] / mask.shape[0] - 0.5
    x = (np.arange(mask.shape[1]) + 0.5) * shape[1] / mask.shape[1] - 0.5
    for colour, width in (("black", 2.8), (CROSSHAIR, 1.3)):  # the dark edge keeps it visible on a bright map
        axes.contour(x, y, mask.astype(float), levels=[0.5], colors=[colour], linewidths=width)
