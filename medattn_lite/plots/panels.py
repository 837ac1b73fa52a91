"""One MRI plane on one axes: true proportions in millimetres, orientation labels, window, overlay, crosshair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from medattn_lite.data.nifti_io.orientation import voxel_sizes
from medattn_lite.plots.overlays import Overlay
from medattn_lite.plots.style import CROSSHAIR, GREY, as_array


class Plane(NamedTuple):
    """How a plane is cut from a (D, H, W) volume: the axis it is cut across, its rows and its columns.

    The labels say what lies at the left, right, bottom and top of the picture.
    """

    name: str
    across: int
    rows: int
    columns: int
    orientation_labels: tuple[str, str, str, str]


# D inferior→superior, H posterior→anterior, W left→right; the first row is drawn at the bottom.
AXIAL = Plane("axial", 0, 1, 2, ("L", "R", "P", "A"))
CORONAL = Plane("coronal", 1, 0, 2, ("L", "R", "I", "S"))
SAGITTAL = Plane("sagittal", 2, 0, 1, ("P", "A", "I", "S"))
PLANES = (AXIAL, CORONAL, SAGITTAL)
_NAMES = {plane.orientation_labels: plane.name for plane in PLANES}
DIRECTIONS = (("inferior", "superior"), ("posterior", "anterior"), ("left", "right"))


def voxel_spacing(affine: ArrayLike | None, spacing: Sequence[float] | None = None) -> tuple[float, float, float]:
    """Voxel edges (d, h, w) in mm, from the spacing if it is given, else from the affine, else 1 mm each."""
    if spacing is not None:
        return tuple(float(edge) for edge in spacing)  # type: ignore[return-value]  # one per axis
    if affine is None:
        return (1.0, 1.0, 1.0)
    return voxel_sizes(as_array(affine))


def default_window(image: ArrayLike) -> tuple[float, float]:
    """Chooses the darkest and brightest intensity shown: the middle 99 % of what is not background.

    The commonest value at the border of an MRI is air; it is left out, so that a large empty field
    of view does not darken the picture.

    Args:
        image: one contrast, any shape.

    Example:
        >>> import numpy as np
        >>> from medattn_lite.plots import default_window
        >>> low, high = default_window(np.arange(1001.0))
        >>> round(low), round(high)
        (6, 995)
    """
    values = as_array(image)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return (0.0, 1.0)
    inside = values[values != values.flat[0]]  # the first corner voxel is background
    low, high = np.percentile(inside if inside.size else values, (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def take_slice(volume: np.ndarray, plane: Plane, index: int) -> np.ndarray:
    """Takes one slice of a (D, H, W) volume, shape (rows, columns)."""
    return np.take(volume, index, axis=plane.across)


def draw_plane(
    axes: Axes,
    image: np.ndarray,
    *,
    spacing: tuple[float, float] = (1.0, 1.0),
    window: tuple[float, float],
    overlay: tuple[Overlay, np.ndarray] | None = None,
    orientation_labels: tuple[str, str, str, str] | None = None,
    cross: tuple[float, float] | None = None,
    box: tuple[float, float] | None = None,
) -> None:
    """Draw one slice; the axes' units are mm from the centre of the first voxel.

    Args:
        axes: an empty axes; its ticks are removed.
        image: (rows, columns), first row at the bottom.
        spacing: mm per row and mm per column.
        window: intensities drawn black and white.
        overlay: the overlay and its slice of the same shape.
        orientation_labels: what lies left, right, bottom and top; they say which plane it is, as does
            `axes.get_gid()`.
        cross: row and column of the crosshair.
        box: height and width in mm of the frame, when several planes share one.
    """
    height, width = image.shape[0] * spacing[0], image.shape[1] * spacing[1]
    extent = (-spacing[1] / 2, width - spacing[1] / 2, -spacing[0] / 2, height - spacing[0] / 2)
    place: dict[str, Any] = {"extent": extent, "origin": "lower", "aspect": "equal"}
    axes.imshow(image, cmap=GREY, vmin=window[0], vmax=window[1], interpolation="bilinear", **place)
    if overlay is not None:
        axes.imshow(overlay[0].colours(overlay[1]), interpolation="nearest", **place)
    if box is not None:
        middle_x, middle_y = (extent[0] + extent[1]) / 2, (extent[2] + extent[3]) / 2
        axes.set_xlim(middle_x - box[1] / 2, middle_x + box[1] / 2)
        axes.set_ylim(middle_y - box[0] / 2, middle_y + box[0] / 2)
    axes.set_facecolor("black")
    for axis in (axes.xaxis, axes.yaxis):  # no ticks and no labels: nothing to lay out
        axis.set_ticks([])
        axis.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if cross is not None:
        _draw_cross(axes, cross[0] * spacing[0], cross[1] * spacing[1])
    if orientation_labels is not None:
        axes.set_gid(_NAMES.get(orientation_labels))
        _draw_orientation_labels(axes, orientation_labels)


def _draw_cross(axes: Axes, y: float, x: float) -> None:
    """A crosshair with a gap, so that it does not cover what it points at."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    gap = 0.035 * (top - bottom)
    line: dict[str, Any] = {"color": CROSSHAIR, "linewidth": 0.9, "alpha": 0.9}
    axes.plot([left, x - gap], [y, y], **line)
    axes.plot([x + gap, right], [y, y], **line)
    axes.plot([x, x], [bottom, y - gap], **line)
    axes.plot([x, x], [y + gap, top], **line)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _draw_orientation_labels(axes: Axes, orientation_labels: tuple[str, str, str, str]) -> None:
    places = (
        (0.025, 0.5, "left", "center"), (0.975, 0.5, "right", "center"),
        (0.5, 0.02, "center", "bottom"), (0.5, 0.98, "center", "top"),
    )  # fmt: skip
    for letter, (x, y, horizontal, vertical) in zip(orientation_labels, places, strict=True):
        text = axes.text(x, y, letter, transform=axes.transAxes, ha=horizontal, va=vertical, color="white", fontsize=11)
        text.set_fontweight("bold")
        text.set_path_effects([effects.withStroke(linewidth=2.5, foreground="black")])
