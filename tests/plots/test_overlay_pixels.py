"""An overlay lies on its image: rendered pixels are read back, for one voxel in a corner of each plane."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from medattn_lite import plots
from medattn_lite.plots.panels import PLANES

SHAPE = (10, 14, 12)
SPACING = (4.0, 1.0, 1.5)
CORNERS = [(0, 0, 0), (9, 0, 11), (1, 12, 0), (8, 13, 10)]


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[::-1, :, :3].astype(float)  # the first row at the bottom, as in axes


def _centre_of_change(blank: np.ndarray, drawn: np.ndarray, axes: Axes) -> tuple[float, float]:
    """Where, in data coordinates (x, y) of the axes, the pixels differ; weighted by how much."""
    box = axes.get_window_extent()
    rows = slice(round(box.y0), round(box.y1))
    columns = slice(round(box.x0), round(box.x1))
    change = np.abs(drawn - blank).sum(axis=2)[rows, columns]
    assert change.max() > 60, "nothing was drawn"
    y, x = np.indices(change.shape)
    place = (box.x0 + (x * change).sum() / change.sum(), box.y0 + (y * change).sum() / change.sum())
    return tuple(axes.transData.inverted().transform(place))


def _one_voxel(voxel: tuple[int, ...], dtype: type) -> np.ndarray:
    volume = np.zeros(SHAPE, dtype)
    volume[voxel] = 1
    return volume


@pytest.mark.parametrize("dtype", [np.uint8, np.float32], ids=["mask", "map"])
@pytest.mark.parametrize("voxel", CORNERS)
def test_an_overlaid_voxel_is_drawn_where_the_image_has_that_voxel(voxel: tuple[int, ...], dtype: type) -> None:
    options = {"position": voxel, "spacing": SPACING, "window": (0.0, 1.0), "crosshair": False}
    blank = _pixels(plots.three_planes(np.zeros(SHAPE), **options))
    image = _pixels(plots.three_planes(_one_voxel(voxel, np.float32), **options))
    figure = plots.three_planes(np.zeros(SHAPE), overlay=_one_voxel(voxel, dtype), opacity=1.0, **options)
    overlay = _pixels(figure)
    for axes, plane in zip(figure.axes, PLANES, strict=False):
        expected = (voxel[plane.columns] * SPACING[plane.columns], voxel[plane.rows] * SPACING[plane.rows])  # mm
        drawn = _centre_of_change(blank, overlay, axes)
        for name, place in {"overlay": drawn, "image": _centre_of_change(blank, image, axes)}.items():
            for at, wanted, along in zip(place, expected, (plane.columns, plane.rows), strict=True):
                assert abs(at - wanted) < 0.5 * SPACING[along], (plane.name, name, place, expected)


def test_the_other_figures_draw_an_overlay_at_its_voxel() -> None:
    voxel = (8, 12, 1)
    empty, mask = np.zeros(SHAPE), _one_voxel(voxel, np.uint8)
    nothing = np.zeros_like(mask)
    figures = {
        "slice_montage": lambda overlay: plots.slice_montage(
            empty, slices=[8], columns=1, window=(0.0, 1.0), overlay=overlay, opacity=1.0
        ),
        "contrasts_row": lambda overlay: plots.contrasts_row(
            np.stack([empty, empty]), names=["t1", "t2"], position=8, overlay=overlay, opacity=1.0
        ),
    }
    for name, draw in figures.items():
        figure = draw(mask)
        drawn = _centre_of_change(_pixels(draw(nothing)), _pixels(figure), figure.axes[0])
        assert drawn == pytest.approx((voxel[2], voxel[1]), abs=0.5), name
