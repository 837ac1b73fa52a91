"""Inter-slice attention of one volume: a slice, its map, the gates of every channel in every slice, the prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.gate_view import before_after
from medattn_lite.plots.gates import FLAT, spatial_overlay
from medattn_lite.plots.layer_names import short_names
from medattn_lite.plots.panels import AXIAL, default_window, draw_plane
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    CROSSHAIR,
    MAP,
    MUTED,
    PAPER,
    SWITCHED_OFF,
    as_array,
    figure_function,
    light_grid,
    new_figure,
)


@figure_function
def inter_slice_view(
    image: ArrayLike,
    position: int,
    *,
    gates: Mapping[str, ArrayLike],
    layer: str,
    spatial: ArrayLike,
    extents: Mapping[str, tuple[float, float]],
    before: ArrayLike,
    after: ArrayLike,
    mask: ArrayLike | None = None,
    closed: int | None = None,
    towards_mean: float = 0.0,
    opacity: float = 0.6,
    class_names: Sequence[str] | None = None,
    caption: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws one volume in one block of inter-slice attention.

    Args:
        image: (D, H, W).
        position: the axial slice shown.
        gates: layer → (C, D'), as they were used.
        layer: the block shown.
        spatial: (D, H, W), its spatial map on the image's grid.
        extents: layer → from where to where its slices reach, in the image's slices from its first edge.
        before: (K,) probabilities of the network as it is.
        after: (K,) probabilities with the gates used here.
        mask: (D, H, W); its outline is drawn, and how much of it lies in each slice.
        closed: slice of the layer whose gates were set to 0, or None.
        towards_mean: how far the gates were moved towards one value per channel, 0 to 1.
        opacity: of the spatial map.
        class_names: by class number.
        caption: above the image.
        alt: alt text, instead of the one written from the values.
    """
    volume, map_ = as_array(image), as_array(spatial)
    layers = {name: as_array(values) for name, values in gates.items()}
    before, after = as_array(before).ravel(), as_array(after).ravel()
    class_names = [f"class {i}" for i in range(len(before))] if class_names is None else list(class_names)
    inside = None if mask is None else as_array(mask).reshape(volume.shape) > 0
    shown, depth = layers[layer], len(volume)
    figure = new_figure(9.6, 8.0)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.35, 2.15))  # type: ignore[misc]  # an array
    panels = upper.subplots(1, 3, width_ratios=(1.0, 1.0, 1.25))
    window, low, high = default_window(volume), float(map_.min()), float(map_.max())
    flat = ", nearly flat" if high - low < FLAT else ""
    overlay = spatial_overlay(map_, opacity=opacity)
    draw_plane(panels[0], volume[position], window=window, orientation_labels=AXIAL.orientation_labels)
    draw_plane(panels[1], volume[position], window=window, overlay=(overlay, map_[position]))
    if inside is not None and inside[position].any():
        for panel in panels[:2]:
            panel.contour(inside[position].astype(float), levels=[0.5], colors=[CROSSHAIR], linewidths=1.3)
    panels[0].set_title(f"{caption}\naxial slice {position} of {depth}", fontsize=10)
    panels[1].set_title(f"its map of places\n{low:.2f} to {high:.2f}{flat}", fontsize=10)
    before_after(panels[2], before, after, class_names, ("as it is", "with these gates"))
    short = short_names(layers)[layer]
    changed = f"{towards_mean:.0%} towards the mean" + ("" if closed is None else f", slice {closed} closed")
    table, curve = lower.subplots(2, 1, sharex=True, height_ratios=(1.15, 1.0))
    _table(table, shown, extents[layer], closed)
    table.set_title(f"{short}: a gate for each channel in each slice, {shown.min():.2f} to {shown.max():.2f}; "
                    f"{changed}", fontsize=11, pad=9)  # fmt: skip
    lower.colorbar(table.images[0], ax=[table, curve], fraction=0.03, pad=0.02, label="gate").outline.set_visible(False)
    _by_slice(curve, layers, extents, layer, inside, depth)
    for axes, colour in ((table, "white"), (curve, PAPER)):
        axes.axvline(position, color=colour, linewidth=1.8)
        axes.axvline(position, color=SWITCHED_OFF, linestyle="--", linewidth=1.8, label="slice shown")
    curve.legend(loc="upper left", ncols=3, frameon=True, facecolor=PAPER, edgecolor="none", framealpha=1.0)
    words = f"Inter-slice attention{f', {caption}' if caption else ''}, axial slice {position} of {depth}. {short} has "
    words += f"{shown.shape[0]} channels in {shown.shape[1]} slices, mean gates by slice from "
    words += f"{shown.mean(0).min():.2f} to {shown.mean(0).max():.2f}; {changed}. "
    words += f"Map of places from {low:.2f} to {high:.2f}{flat}, at {opacity:.0%} "
    best = int(before.argmax())
    words += f"opacity. Probability of {class_names[best]}: {before[best]:.2f} as it is, {after[best]:.2f} with these."
    return set_alt(figure, alt or words)


def _table(axes: Axes, values: np.ndarray, extents: tuple[float, float], closed: int | None) -> None:
    """Channels down, slices of the volume along: each of the layer's slices covers several of them."""
    low, high = (end - 0.5 for end in extents)
    axes.imshow(values, cmap=MAP, vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest",
                extent=(low, high, values.shape[0] - 0.5, -0.5))  # fmt: skip
    if closed is not None:
        place = low + (closed + 0.5) * (high - low) / values.shape[1]
        axes.plot([place], [values.shape[0] / 2], "x", color=SWITCHED_OFF, markersize=12, markeredgewidth=2.5)
    axes.set(ylabel="channel", ylim=(values.shape[0] - 0.5, -0.5))


def _by_slice(
    axes: Axes, layers: Mapping[str, np.ndarray], extents: Mapping[str, tuple[float, float]], chosen: str,
    inside: np.ndarray | None, depth: int,
) -> None:
    """The mean gate of each slice, a line per block, over how much of the mask lies there."""
    short = short_names(layers)
    if inside is not None and inside.any():
        area = inside.reshape(depth, -1).sum(1)
        axes.fill_between(np.arange(depth), area / area.max() * 0.3, step="mid", color=CLASS_COLOURS[1], alpha=0.35,
                          label="area of the tumour", linewidth=0)  # fmt: skip
    for name, values in layers.items():
        edges = np.linspace(extents[name][0] - 0.5, extents[name][1] - 0.5, values.shape[1] + 1)
        mine = name == chosen
        axes.stairs(values.mean(0), edges, color=CLASS_COLOURS[0] if mine else MUTED, linewidth=2.4 if mine else 1.0,
                    baseline=None, label=short[name] if mine else None, alpha=1.0 if mine else 0.7)  # fmt: skip
    axes.set(xlabel="axial slice, inferior to superior", ylabel="mean gate", xlim=(-0.5, depth - 0.5), ylim=(0.0, 1.0))
    axes.set_title("mean over channels; grey: the other blocks", fontsize=11)
    light_grid(axes)
