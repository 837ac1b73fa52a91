"""Channel gates as bars and curves by layer, and spatial attention laid on its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.overlays import make_overlay
from medattn_lite.plots.panels import AXIAL, default_window, draw_plane
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    MUTED,
    SWITCHED_OFF,
    as_array,
    figure_function,
    light_grid,
    new_figure,
)


@figure_function
def gates_by_layer(
    gates: Mapping[str, object],
    *,
    labels: object | None = None,
    class_names: Sequence[str] | None = None,
    columns: int = 2,
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Channel gates of every layer, as in figure 5 of the SE paper: a class a line, channels along the axis.

    Args:
        gates: layer → (B, C) or (C,), as `channel_gates` gives them.
        labels: (B,) classes; with them a mean line is drawn for each class.
        class_names: by class number.
        columns: panels a row.
        title: above the panels.
        alt: alt text, instead of the one written from the values.
    """
    layers = {name: np.atleast_2d(as_array(values)) for name, values in gates.items()}
    if not layers:
        raise ValueError("no channel gates to draw: this model has no channel attention")
    classes = None if labels is None else as_array(labels).ravel().astype(int)
    columns = min(columns, len(layers))
    rows = -(-len(layers) // columns)
    figure = new_figure(9.6 if columns > 1 else 6.4, 1.9 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, (name, values) in zip(panels, layers.items(), strict=False):
        _gate_lines(panel, values, classes, class_names)
        panel.set_title(f"{name} ({values.shape[1]} channels)", fontsize=11)
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
    means = [f"{name} mean {values.mean():.2f}, from {values.min():.2f} to {values.max():.2f}" for name, values in layers.items()]
    return set_alt(figure, alt or f"Channel gates{f', {title}' if title else ''} in {len(layers)} layers: {listed(means)}.")


@figure_function
def spatial_map_overlay(
    image: object,
    maps: object | Mapping[str, object],
    *,
    opacity: float = 0.6,
    limits: tuple[float, float] | None = None,
    window: tuple[float, float] | None = None,
    mask: object | None = None,
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """A slice, and beside it the slice under each spatial attention map.

    A coarse map is brought to the image's grid by bilinear interpolation whose pixel edges, not pixel
    centres, lie on one another, so that nothing is shifted.

    Args:
        image: (H, W) or (1, H, W).
        maps: (h, w) or (1, h, w), or layer → map.
        opacity: the highest opacity.
        limits: of the colours; zero to the largest value of each map by default.
        window: intensities drawn black and white.
        mask: (H, W); its outline is drawn on every picture.
        title: above the image.
        alt: alt text, instead of the one written from the values.
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
    draw_plane(panels[0], slice_, window=window, letters=AXIAL.letters)
    panels[0].set_title(title or "image", fontsize=11)
    words = []
    for panel, (name, values) in zip(panels[1:], named.items(), strict=True):
        fine = upsample_map(values, slice_.shape)
        overlay = make_overlay(fine, slice_.shape, opacity=opacity, limits=limits, title=name)
        draw_plane(panel, slice_, window=window, overlay=(overlay, fine))
        coarse = as_array(values).squeeze()
        panel.set_title(f"{name}\n{coarse.shape[0]}×{coarse.shape[1]}", fontsize=10)
        key = panel.inset_axes((0.08, -0.07, 0.84, 0.045))
        overlay.add_key(key)
        key.set_title("")
        row, column = np.unravel_index(int(np.argmax(fine)), fine.shape)
        words.append(f"{name} {overlay.limits[0]:.2g} to {overlay.limits[1]:.2g}, highest at row {row}, column {column}")
    if outline is not None and outline.any():
        for panel in panels:
            panel.contour(outline > 0, levels=[0.5], colors=[SWITCHED_OFF], linewidths=1.2)
    text = f"A slice{f' ({title})' if title else ''} and its spatial attention: {listed(words)}."
    return set_alt(figure, alt or text + (" The lesion is outlined." if outline is not None and outline.any() else ""))


@figure_function
def gate_view(
    image: object,
    *,
    gates: Mapping[str, object],
    layer: str,
    before: object,
    after: object,
    off: Sequence[int] = (),
    spatial: object | None = None,
    spatial_name: str = "spatial attention",
    opacity: float = 0.6,
    class_names: Sequence[str] | None = None,
    caption: str = "",
    alt: str | None = None,
) -> Figure:
    """One image's way through the gates: the image, its spatial map, the gates, the prediction before and after.

    Args:
        image: (H, W).
        gates: layer → (C,) gates of this image, nothing switched off.
        layer: the layer shown channel by channel.
        before: (K,) probabilities with all gates working.
        after: (K,) probabilities with `off` at zero.
        off: channels of `layer` that are switched off.
        spatial: (h, w) spatial map, or None.
        spatial_name: which layer it comes from.
        opacity: of the spatial map.
        class_names: by class number.
        caption: above the image.
        alt: alt text, instead of the one written from the values.
    """
    slice_ = as_array(image)
    layers = {name: as_array(values).ravel() for name, values in gates.items()}
    before, after = as_array(before).ravel(), as_array(after).ravel()
    class_names = [f"class {i}" for i in range(len(before))] if class_names is None else list(class_names)
    figure = new_figure(9.6, 5.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.25, 1.0))
    count = 3 if spatial is not None else 2
    panels = upper.subplots(1, count, width_ratios=(*[1.0] * (count - 1), 1.25))
    window = default_window(slice_)
    draw_plane(panels[0], slice_, window=window, letters=AXIAL.letters)
    panels[0].set_title(caption or "image", fontsize=11)
    if spatial is not None:
        fine = upsample_map(spatial, slice_.shape)
        overlay = make_overlay(fine, slice_.shape, opacity=opacity, limits=(0.0, 1.0))
        draw_plane(panels[1], slice_, window=window, overlay=(overlay, fine))
        panels[1].set_title(f"{spatial_name}\n{fine.min():.2f} to {fine.max():.2f}", fontsize=10)
    _before_after(panels[-1], before, after, class_names)
    one, every = lower.subplots(1, 2, width_ratios=(1.9, 1.0))
    _one_layer(one, layer, layers[layer], off)
    _every_layer(every, layers, layer)
    return set_alt(figure, alt or _gate_words(caption, layers, layer, off, before, after, class_names))


def upsample_map(values: object, shape: tuple[int, ...]) -> np.ndarray:
    """A coarse map on the image's grid: linear interpolation, half-pixel aligned.

    Args:
        values: (h, w) or (d, h, w), leading axes of length 1 allowed.
        shape: the image's (H, W) or (D, H, W).
    """
    import torch
    from torch.nn import functional

    array = as_array(values).astype(np.float32)
    array = array.reshape(array.shape[array.ndim - len(shape) :])
    mode = {2: "bilinear", 3: "trilinear"}[len(shape)]
    fine = functional.interpolate(torch.as_tensor(array)[None, None], size=shape, mode=mode, align_corners=False)
    return fine[0, 0].numpy()


def _gate_lines(axes: Axes, values: np.ndarray, classes: np.ndarray | None, names: Sequence[str] | None) -> None:
    channels = np.arange(values.shape[1])
    if classes is None:
        axes.plot(channels, values.T, color=CLASS_COLOURS[0], alpha=max(0.08, 0.5 / len(values)), linewidth=0.8)
        axes.plot(channels, values.mean(axis=0), color=CLASS_COLOURS[0], linewidth=1.4)
    else:
        for number in np.unique(classes):
            name = names[number] if names is not None else f"class {number}"
            axes.plot(channels, values[classes == number].mean(axis=0), color=CLASS_COLOURS[number % 6], label=name, linewidth=1.3)
    axes.set_ylim(-0.03, 1.03)
    axes.margins(x=0.01)
    light_grid(axes)


def _one_layer(axes: Axes, layer: str, values: np.ndarray, off: Sequence[int]) -> None:
    channels = np.arange(len(values))
    closed = np.isin(channels, list(off))
    axes.bar(channels[~closed], values[~closed], color=CLASS_COLOURS[0], width=0.85)
    axes.bar(channels[closed], values[closed], color="#f2d5c4", edgecolor=SWITCHED_OFF, width=0.85, linewidth=0.8)
    axes.plot(channels[closed], np.zeros(closed.sum()), "x", color=SWITCHED_OFF, markersize=6, clip_on=False, zorder=5)
    axes.set_ylim(0.0, 1.03)
    axes.set_xlim(-0.8, len(values) - 0.2)
    axes.set(xlabel="channel", ylabel="gate")
    axes.set_title(f"{layer}: {int(closed.sum())} of {len(values)} switched off (×)", fontsize=11)
    light_grid(axes)


def _every_layer(axes: Axes, layers: Mapping[str, np.ndarray], chosen: str) -> None:
    """The spread of the gates of each layer: a dot a channel, layers from input (top) to output."""
    for row, (name, values) in enumerate(layers.items()):
        colour = CLASS_COLOURS[0] if name == chosen else MUTED
        spread = ((np.arange(len(values)) * 0.618) % 1.0 - 0.5) * 0.55  # golden-ratio jitter: even, never random
        axes.scatter(values, row + spread, s=9, color=colour, alpha=0.55, linewidths=0)
    names = list(layers)
    step = max(1, -(-len(names) // 8))
    shown = sorted({*range(0, len(names), step)})
    axes.set_yticks(shown, [names[i] if len(names[i]) <= 18 else "…" + names[i][-17:] for i in shown])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("gate")
    axes.set_title("all layers", fontsize=11)
    light_grid(axes, axis="x")


def _before_after(axes: Axes, before: np.ndarray, after: np.ndarray, names: Sequence[str]) -> None:
    places = np.arange(len(before))
    first = axes.barh(places - 0.2, before, height=0.36, color="#b8bcc2", label="all gates")
    second = axes.barh(places + 0.2, after, height=0.36, color=CLASS_COLOURS[0], label="with gates off")
    for bars, numbers in ((first, before), (second, after)):
        axes.bar_label(bars, labels=[f"{number:.2f}" for number in numbers], fontsize=10, padding=3)
    axes.set_yticks(places, names)
    axes.set_ylim(len(before) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.2)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.set_title("prediction", fontsize=11)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, columnspacing=1.2, handlelength=1.2)


def _gate_words(
    caption: str,
    layers: Mapping[str, np.ndarray],
    layer: str,
    off: Sequence[int],
    before: np.ndarray,
    after: np.ndarray,
    names: Sequence[str],
) -> str:
    chosen = layers[layer]
    text = f"Gate explorer{f', {caption}' if caption else ''}. Layer {layer} has {len(chosen)} gates, mean {chosen.mean():.2f}, "
    text += f"most open channel {int(chosen.argmax())} ({chosen.max():.2f}). "
    text += f"Switched off: {listed([str(channel) for channel in off], limit=10)}. " if len(off) else "Nothing switched off. "
    best = int(before.argmax())
    return text + f"Probability of {names[best]}: {before[best]:.2f} before, {after[best]:.2f} after."
