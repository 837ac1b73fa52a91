"""Channel gates as bars and curves by layer, and spatial attention laid on its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.layer_names import short_names
from medattn_lite.plots.overlays import Overlay, make_overlay
from medattn_lite.plots.panels import AXIAL, default_window, draw_plane
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    SWITCHED_OFF,
    as_array,
    figure_function,
    light_grid,
    new_figure,
)

FLAT = 0.02  # a spatial map whose values differ by less looks at nothing in particular


@figure_function
def gates_by_layer(
    gates: Mapping[str, ArrayLike],
    *,
    labels: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    columns: int = 2,
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws channel gates of every layer, as in figure 5 of the SE paper: a line per class, channels along the axis.

    Args:
        gates: layer → (B, C) or (C,), as `channel_gates` gives them.
        labels: (B,) classes; with them a mean line is drawn for each class.
        class_names: by class number.
        columns: panels per row.
        title: above the panels.
        alt: alt text, instead of the one written from the values.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> gates = {"layer1.se": np.full((2, 8), 0.5), "layer2.se": np.full((2, 16), 0.9)}  # (images, channels)
        >>> len(plots.gates_by_layer(gates).axes)
        2
    """
    layers = {name: np.atleast_2d(as_array(values)) for name, values in gates.items()}
    if not layers:
        raise ValueError("no channel gates to draw: this model has no channel attention")
    classes = None if labels is None else as_array(labels).ravel().astype(int)
    short = short_names(layers)
    columns = min(columns, len(layers))
    rows = -(-len(layers) // columns)
    figure = new_figure(9.6 if columns > 1 else 6.4, 1.9 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, (name, values) in zip(panels, layers.items(), strict=False):
        _gate_lines(panel, values, classes, class_names)
        panel.set_title(f"{short[name]} ({values.shape[1]} channels)", fontsize=11)
    for panel in panels[len(layers) :]:
        panel.set_axis_off()
    for panel in panels[: len(layers)][-columns:]:
        panel.set_xlabel("channel")
    for row in range(rows):
        panels[row * columns].set_ylabel("gate")
    handles, names = panels[0].get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(handles, names, loc="outside upper right", ncols=len(handles))
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    means = [f"{short[name]} mean {v.mean():.2f}, from {v.min():.2f} to {v.max():.2f}" for name, v in layers.items()]
    words = f"Channel gates{f', {title}' if title else ''} in {len(layers)} layers: {listed(means)}."
    return set_alt(figure, alt or words)


@figure_function
def spatial_map_overlay(
    image: ArrayLike,
    maps: ArrayLike | Mapping[str, ArrayLike],
    *,
    opacity: float = 0.6,
    limits: tuple[float, float] | None = None,
    window: tuple[float, float] | None = None,
    mask: ArrayLike | None = None,
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws a slice, and beside it the slice under each spatial attention map.

    The maps lie on the image's grid: `medattn_lite.explain.to_image_grid` brings them there, to where a layer looks.

    Args:
        image: (H, W) or (1, H, W).
        maps: (H, W) or (1, H, W), or layer → map.
        opacity: the highest opacity.
        limits: of the colours; the smallest to the largest value of each map by default (the bar says them).
        window: intensities drawn black and white.
        mask: (H, W); its outline is drawn on every picture.
        title: above the image.
        alt: alt text, instead of the one written from the values.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> image = np.random.default_rng(0).random((16, 16))
        >>> figure = plots.spatial_map_overlay(image, {"layer1.cbam": image > 0.5})
        >>> print(plots.alt_text(figure)[:60])
        A slice and its spatial attention: layer1.cbam 0.00 to 1.00,
    """
    slice_ = as_array(image).squeeze()
    if slice_.ndim != 2:
        raise ValueError(f"a spatial map lies on one slice (H, W), not on shape {as_array(image).shape}")
    named = maps if isinstance(maps, Mapping) else {"spatial attention": maps}
    window = window or default_window(slice_)
    outline = None if mask is None else as_array(mask).squeeze()
    count = len(named) + 1
    wide = min(2.9, 9.6 / count)
    figure = new_figure(wide * count, wide * slice_.shape[0] / slice_.shape[1] + 0.95)
    panels = figure.subplots(1, count)
    draw_plane(panels[0], slice_, window=window, orientation_labels=AXIAL.orientation_labels)
    panels[0].set_title(title or "image", fontsize=11)
    words = []
    short = short_names(named)
    for panel, (name, values) in zip(panels[1:], named.items(), strict=True):
        fine = on_image(values, slice_.shape)
        overlay = spatial_overlay(fine, opacity=opacity, limits=limits)
        draw_plane(panel, slice_, window=window, overlay=(overlay, fine))
        flat = ", nearly flat" if np.ptp(fine) < FLAT else ""
        panel.set_title(f"{short[name]}{flat}", fontsize=10)
        key = panel.inset_axes((0.08, -0.07, 0.84, 0.045))
        overlay.add_key(key)
        key.set_title("")
        row, column = np.unravel_index(int(np.argmax(fine)), fine.shape)
        words.append(f"{short[name]} {fine.min():.2f} to {fine.max():.2f}{flat}, highest at row {row}, column {column}")
    if outline is not None and outline.any():
        for panel in panels:
            panel.contour(outline > 0, levels=[0.5], colors=[SWITCHED_OFF], linewidths=1.2)
    text = f"A slice{f' ({title})' if title else ''} and its spatial attention: {listed(words)}."
    return set_alt(figure, alt or text + (" The lesion is outlined." if outline is not None and outline.any() else ""))


def on_image(values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """A map that lies on the image's grid already; plots bring no map to another grid.

    Args:
        values: (H, W) or (D, H, W), leading axes of length 1 allowed.
        shape: the image's (H, W) or (D, H, W).

    Raises:
        ValueError: a map on another grid.
    """
    array = as_array(values).astype(np.float32)
    if array.shape[array.ndim - len(shape) :] != tuple(shape) or array.size != np.prod(shape):
        raise ValueError(f"a map of shape {array.shape} does not lie on an image of {tuple(shape)}: bring it to the "
                         "image's grid first, with medattn_lite.explain.to_image_grid and layer_box")  # fmt: skip
    return array.reshape(shape)


def spatial_overlay(
    fine: np.ndarray, *, opacity: float, limits: tuple[float, float] | None = None
) -> Overlay:
    """A sigmoid map often stays near one half, so its colours span its own values; the titles say which."""
    limits = limits or (float(fine.min()), float(fine.max()))
    overlay = make_overlay(fine, fine.shape, opacity=opacity, limits=limits, title="spatial attention")
    assert overlay is not None
    return overlay


def _gate_lines(axes: Axes, values: np.ndarray, classes: np.ndarray | None, names: Sequence[str] | None) -> None:
    channels = np.arange(values.shape[1])
    if classes is None:
        axes.plot(channels, values.T, color=CLASS_COLOURS[0], alpha=max(0.08, 0.5 / len(values)), linewidth=0.8)
        axes.plot(channels, values.mean(axis=0), color=CLASS_COLOURS[0], linewidth=1.4)
    else:
        for number in np.unique(classes):
            name = names[number] if names is not None else f"class {number}"
            mean = values[classes == number].mean(axis=0)
            axes.plot(channels, mean, color=CLASS_COLOURS[number % 6], label=name, linewidth=1.3)
    axes.set_ylim(-0.03, 1.03)
    axes.margins(x=0.01)
    light_grid(axes)
