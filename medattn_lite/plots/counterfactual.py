"""What if: three planes of a head with a map, what every network says of it, and the survival that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.overlays import make_overlay
from medattn_lite.plots.panels import PLANES, default_window, draw_plane, take_slice, voxel_spacing
from medattn_lite.plots.style import CLASS_COLOURS, INK, as_array, figure_function, new_figure

WIDTH = 9.6  # inches: the text width of a notebook at 100 dpi
GAP, TOP, KEY = 0.08, 0.36, 0.62  # between planes, over them, and under them for the map's key
BARS, CURVES = 2.35, 2.35  # height of the lower row
Curve = tuple[Sequence[float], Sequence[float]]


@figure_function
def counterfactual_view(
    image: ArrayLike,
    position: Sequence[int],
    probabilities: Mapping[str, float],
    *,
    before: Mapping[str, float] | None = None,
    overlay: ArrayLike | None = None,
    overlay_title: str = "map",
    outline: ArrayLike | None = None,
    survival: Curve | None = None,
    survival_before: Curve | None = None,
    affine: ArrayLike | None = None,
    opacity: float = 0.6,
    chosen: str | None = None,
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws a head with a tumour, and what is made of it.

    Args:
        image: (D, H, W).
        position: indices of the voxel that the planes go through.
        probabilities: network → probability of high grade.
        before: the same before anything was moved, drawn as a tick.
        overlay: map of the image's shape; None for none.
        overlay_title: its name.
        outline: mask of the image's shape, drawn as a line.
        survival: days and the chance to be alive; None without a tumour.
        survival_before: the same before anything was moved.
        affine: 4×4, gives the voxel size.
        opacity: of the map's highest value.
        chosen: the network whose map is shown.
        title: of the planes.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: an image that is not a volume, or a position outside it.
    """
    volume = as_array(image)
    position = tuple(int(index) for index in position)
    if volume.ndim != 3 or not all(0 <= i < n for i, n in zip(position, volume.shape, strict=True)):
        raise ValueError(f"a position {position} in an image of shape {volume.shape} cannot be shown")
    edges = voxel_spacing(affine)
    size = [length * edge for length, edge in zip(volume.shape, edges, strict=True)]
    tall = max(size[plane.rows] for plane in PLANES)
    scale = (WIDTH - 2 * GAP) / sum(size[plane.columns] for plane in PLANES)
    height = tall * scale + TOP + KEY + max(BARS, CURVES) + 0.75
    figure = new_figure(WIDTH, height, layout=None)
    shown = make_overlay(overlay, volume.shape, opacity=opacity, title=overlay_title)
    mask = None if outline is None else as_array(outline) > 0
    bottom, left, window = height - TOP - tall * scale, 0.0, default_window(volume)
    for plane in PLANES:
        wide = size[plane.columns] * scale
        axes = figure.add_axes((left / WIDTH, bottom / height, wide / WIDTH, tall * scale / height))
        index = position[plane.across]
        draw_plane(
            axes, take_slice(volume, plane, index), spacing=(edges[plane.rows], edges[plane.columns]),
            window=window, orientation_labels=plane.orientation_labels, box=(tall, size[plane.columns]),
            overlay=None if shown is None else (shown, take_slice(shown.values, plane, index)),
        )  # fmt: skip
        if mask is not None:
            _draw_outline(axes, take_slice(mask, plane, index), edges[plane.rows], edges[plane.columns])
        axes.set_title(f"{title}: {plane.name}" if title and plane is PLANES[0] else plane.name, fontsize=11, pad=5)
        left += wide + GAP
    if shown is not None:
        shown.add_key(figure.add_axes((0.33, (bottom - 0.36) / height, 0.34, 0.13 / height)))
    _draw_probabilities(figure.add_axes((0.235, 0.55 / height, 0.245, BARS / height)), probabilities, before, chosen)
    _draw_survival(figure.add_axes((0.59, 0.55 / height, 0.39, CURVES / height)), survival, survival_before)
    return set_alt(figure, alt or _words(probabilities, before, shown, survival))


def _draw_outline(axes: Axes, inside: np.ndarray, row: float, column: float) -> None:
    if inside.any() and not inside.all():
        limits = axes.get_xlim(), axes.get_ylim()
        y, x = np.arange(inside.shape[0]) * row, np.arange(inside.shape[1]) * column
        axes.contour(x, y, inside.astype(float), levels=[0.5], colors=[CLASS_COLOURS[1]], linewidths=1.2)
        axes.set_xlim(limits[0])
        axes.set_ylim(limits[1])


def _draw_probabilities(
    axes: Axes, now: Mapping[str, float], before: Mapping[str, float] | None, chosen: str | None
) -> None:
    names = list(now)
    places = np.arange(len(names))[::-1]
    colours = [CLASS_COLOURS[0] if name == chosen or chosen is None else "#9aa7b3" for name in names]
    axes.barh(places, [now[name] for name in names], height=0.62, color=colours)
    for place, name in zip(places, names, strict=True):
        value = now[name]
        inside = value > 0.72
        axes.text(value - 0.02 if inside else value + 0.02, place, f"{value:.2f}", va="center",
                  ha="right" if inside else "left", fontsize=10, color="white" if inside and
                  (name == chosen or chosen is None) else INK)  # fmt: skip
        if before is not None:
            axes.plot([before[name]] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2)
    axes.axvline(0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(places, names, fontsize=10)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("probability of high grade" + ("; | before" if before is not None else ""), fontsize=10)


def _draw_survival(axes: Axes, now: Curve | None, before: Curve | None) -> None:
    if before is not None:
        axes.plot(*before, color=INK, linewidth=1.2, linestyle="--", label="before", zorder=3)  # over the other
    if now is not None:
        axes.plot(*now, color=CLASS_COLOURS[1], linewidth=2.2, label="now")
    else:
        axes.text(0.5, 0.5, "no tumour", transform=axes.transAxes, ha="center", va="center", fontsize=11)
    if now is not None or before is not None:
        axes.legend(loc="upper right", frameon=False, fontsize=10)
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.set_xlabel("days", fontsize=10)
    axes.set_ylabel("alive", fontsize=10)
    axes.set_title("survival by the phantom's own law", fontsize=11)


def _words(
    now: Mapping[str, float], before: Mapping[str, float] | None, shown: Any, survival: Curve | None
) -> str:
    texts = [f"{name} {value:.2f}" + (f" (before {before[name]:.2f})" if before is not None else "")
             for name, value in now.items()]  # fmt: skip
    text = f"A synthetic head in three planes. Probability of high grade: {', '.join(texts)}."
    text += "" if shown is None else f" With {shown.words()}."
    if survival is not None:
        median = next((day for day, alive in zip(*survival, strict=True) if alive < 0.5), None)
        text += f" Median survival {'beyond the curve' if median is None else f'about {median:.0f} days'}."
    return text
