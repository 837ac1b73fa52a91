"""Three linked planes through one point of a volume, with the anatomical sides written on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.overlays import Overlay, make_overlay
from medattn_lite.plots.panels import DIRECTIONS, PLANES, default_window, draw_plane, take_slice, voxel_spacing
from medattn_lite.plots.style import GREY, as_array, figure_function, new_figure

WIDTH = 9.6  # inches: the text width of a notebook at 100 dpi
GAP = 0.08  # between planes
TOP = 0.38  # for the titles
BOTTOM = 0.78  # for the window and the overlay's key; kept when empty, so that the picture never jumps


@figure_function
def three_planes(
    image: ArrayLike,
    *,
    position: Sequence[int] | None = None,
    affine: ArrayLike | None = None,
    spacing: Sequence[float] | None = None,
    overlay: ArrayLike | None = None,
    labels: Mapping[int, str] | None = None,
    overlay_title: str | None = None,
    overlay_limits: tuple[float, float] | None = None,
    opacity: float = 0.5,
    window: tuple[float, float] | None = None,
    crosshair: bool = True,
    title: str | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws the axial, coronal and sagittal plane through one voxel, at the voxels' true proportions.

    Args:
        image: (D, H, W) or (1, D, H, W); D inferior→superior, H posterior→anterior, W left→right.
        position: indices (d, h, w) of the voxel; the middle of the volume by default.
        affine: 4×4, array indices to RAS mm; gives the voxel size and the millimetres in the titles.
        spacing: voxel edges (d, h, w) in mm; goes before the affine.
        overlay: array of the image's shape. Integers and booleans are a mask, drawn in class colours with
            a legend; floating-point numbers are a map, drawn in cividis, each value as opaque as it is large.
        labels: label value → name for a mask.
        overlay_title: what to call the overlay in its key.
        overlay_limits: lowest and highest value of a map's colours.
        opacity: the highest opacity of the overlay, 0 to 1.
        window: intensities drawn black and white; see `default_window`.
        crosshair: mark the voxel.
        title: goes before the planes' names in the alt text and above the first plane.
        alt: alt text, instead of the one written from the arguments.

    Raises:
        ValueError: if the image is not 3-D, the position outside it, or the overlay of another shape.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> volume = np.random.default_rng(0).random((12, 16, 16))
        >>> figure = plots.three_planes(volume, position=(6, 8, 4), spacing=(5, 1, 1), overlay=volume > 0.9)
        >>> print(plots.alt_text(figure)[:70])
        MRI volume in three planes: axial slice 6 of 12 (counted from inferior
    """
    volume = _volume(image)
    position = _position(position, volume.shape)
    edges = voxel_spacing(affine, spacing)
    window = window or default_window(volume)
    extra = make_overlay(
        overlay, volume.shape, opacity=opacity, labels=labels, title=overlay_title, limits=overlay_limits
    )
    size = [length * edge for length, edge in zip(volume.shape, edges, strict=True)]
    tall = max(size[plane.rows] for plane in PLANES)
    scale = (WIDTH - 2 * GAP) / sum(size[plane.columns] for plane in PLANES)  # inches per millimetre
    figure = new_figure(WIDTH, tall * scale + TOP + BOTTOM, layout=None)
    height = figure.get_figheight()
    left = 0.0
    for plane in PLANES:
        wide = size[plane.columns] * scale
        axes = figure.add_axes((left / WIDTH, BOTTOM / height, wide / WIDTH, tall * scale / height))
        index = position[plane.across]
        draw_plane(
            axes,
            take_slice(volume, plane, index),
            spacing=(edges[plane.rows], edges[plane.columns]),
            window=window,
            overlay=None if extra is None else (extra, take_slice(extra.values, plane, index)),
            orientation_labels=plane.orientation_labels,
            cross=(position[plane.rows], position[plane.columns]) if crosshair else None,
            box=(tall, size[plane.columns]),
        )
        prefix = f"{title}: " if title and plane is PLANES[0] else ""
        axes.set_title(f"{prefix}{plane.name} {index}", pad=5, fontsize=11)
        left += wide + GAP
    _add_keys(figure, window, extra)
    return set_alt(figure, alt or _words(title, position, volume.shape, affine, window, extra))


def _volume(image: ArrayLike) -> np.ndarray:
    volume = as_array(image)
    if volume.ndim == 4 and volume.shape[0] == 1:
        volume = volume[0]
    if volume.ndim != 3:
        raise ValueError(f"three planes need one volume (D, H, W), not shape {volume.shape}: choose a channel")
    return volume


def _position(position: Sequence[int] | None, shape: Sequence[int]) -> tuple[int, ...]:
    if position is None:
        return tuple(length // 2 for length in shape)
    position = tuple(int(index) for index in position)
    if len(position) != 3 or not all(0 <= index < length for index, length in zip(position, shape, strict=True)):
        raise ValueError(f"position {position} is outside the volume of shape {tuple(shape)}")
    return position


def _grey_value(value: float) -> str:
    """A grey value as a reader writes it: three digits, no power of ten."""
    if abs(value) >= 999.5:
        return f"{value:.0f}"
    digits = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in digits else digits


def _add_keys(figure: Figure, window: tuple[float, float], overlay: Overlay | None) -> None:
    """Under the planes: the grey scale of the image on the left, the overlay's key on the right."""
    height = figure.get_figheight()
    grey = figure.add_axes((0.04, 0.3 / height, 0.19, 0.13 / height))
    bar = figure.colorbar(ScalarMappable(Normalize(*window), GREY), cax=grey, orientation="horizontal")
    bar.outline.set_linewidth(0.6)
    bar.set_ticks(list(window), labels=[_grey_value(value) for value in window])
    grey.set_title("window", fontsize=10, pad=3)
    if overlay is None:
        return
    if overlay.is_mask or overlay.is_empty:
        overlay.add_key(figure.add_axes((0.3, 0.24 / height, 0.68, 0.28 / height)))
    else:
        overlay.add_key(figure.add_axes((0.33, 0.3 / height, 0.34, 0.13 / height)))


def _words(
    title: str | None,
    position: Sequence[int],
    shape: Sequence[int],
    affine: ArrayLike | None,
    window: tuple[float, float],
    overlay: Overlay | None,
) -> str:
    places = [
        f"{plane.name} slice {position[plane.across]} of {shape[plane.across]}"
        f" (counted from {DIRECTIONS[plane.across][0]})"
        for plane in PLANES
    ]
    text = f"{title or 'MRI volume'} in three planes: {', '.join(places)}."
    if affine is not None:
        x, y, z = as_array(affine)[:3] @ np.array([*position, 1.0])
        text += f" The planes meet at x {x:+.0f}, y {y:+.0f}, z {z:+.0f} mm."
    text += f" Grey values from {_grey_value(window[0])} to {_grey_value(window[1])}."
    if overlay is None:
        return text
    words = overlay.words()
    return f"{text} {words[0].upper()}{words[1:]}, at {overlay.opacity:.0%} opacity."
