"""Where the planes of a volume lie in a picture, so that a point in the picture is a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from medattn_lite.plots.panels import PLANES

NAMES = {plane.name for plane in PLANES}


@dataclass(frozen=True)
class PlanePlace:
    """One plane in a picture.

    Attributes:
        plane: "axial", "coronal" or "sagittal".
        box: left, top, right and bottom as shares of the picture, from its upper left corner.
        view: what the box shows, in mm: left, right, bottom, top.
        extent: where the slice lies in it, in mm: left, right, bottom, top.
        shape: rows and columns of the slice; the first row is at the bottom.
    """

    plane: str
    box: tuple[float, ...]
    view: tuple[float, ...]
    extent: tuple[float, ...]
    shape: tuple[int, int]

    def holds(self, x: float, y: float) -> bool:
        """Whether a point of the picture lies in it."""
        left, top, right, bottom = self.box
        return left <= x <= right and top <= y <= bottom

    def voxel(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the voxel at a point of the picture; the nearest one beside the slice.

        Args:
            x: share of the picture's width, from the left.
            y: share of its height, from the top.
        """
        left, top, right, bottom = self.box
        along = self.view[0] + (x - left) / (right - left) * (self.view[1] - self.view[0])
        up = self.view[3] - (y - top) / (bottom - top) * (self.view[3] - self.view[2])
        row = int((up - self.extent[2]) / (self.extent[3] - self.extent[2]) * self.shape[0])
        column = int((along - self.extent[0]) / (self.extent[1] - self.extent[0]) * self.shape[1])
        return min(max(row, 0), self.shape[0] - 1), min(max(column, 0), self.shape[1] - 1)


def plane_places(figure: Figure) -> list[PlanePlace]:
    """The planes of a figure that has been drawn; none where it shows none.

    Args:
        figure: its axes with planes carry the plane's name as their group id, as `draw_plane` gives it.
    """
    wide, high = figure.bbox.width, figure.bbox.height
    places = []
    for axes in figure.axes:
        if axes.get_gid() not in NAMES or not axes.images:
            continue
        seen, slice_ = axes.bbox, axes.images[0]
        box = tuple(float(side) for side in (seen.x0 / wide, 1 - seen.y1 / high, seen.x1 / wide, 1 - seen.y0 / high))
        rows, columns = np.asarray(slice_.get_array()).shape[:2]
        places.append(PlanePlace(str(axes.get_gid()), box, tuple(map(float, (*axes.get_xlim(), *axes.get_ylim()))),
                                 tuple(slice_.get_extent()), (rows, columns)))  # fmt: skip
    return places
