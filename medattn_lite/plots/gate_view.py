"""One image's way through the gates of a model, and what the prediction becomes when some are switched off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.gates import FLAT, on_image, spatial_overlay
from medattn_lite.plots.layer_names import short_names
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
def gate_view(
    image: ArrayLike,
    *,
    gates: Mapping[str, ArrayLike],
    layer: str,
    before: ArrayLike,
    after: ArrayLike,
    off: Sequence[int] = (),
    spatial: ArrayLike | None = None,
    spatial_name: str = "spatial attention",
    opacity: float = 0.6,
    class_names: Sequence[str] | None = None,
    caption: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws one image's way through the gates: the image, its spatial map, the gates, the prediction before and after.

    Args:
        image: (H, W).
        gates: layer → (C,) gates of this image, nothing switched off.
        layer: the layer shown channel by channel.
        before: (K,) probabilities with all gates working.
        after: (K,) probabilities with `off` at zero.
        off: channels of `layer` that are switched off.
        spatial: (H, W) spatial map on the image's grid, or None.
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
    figure = new_figure(9.6, 6.2)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.45, 1.0))  # type: ignore[misc]  # an array
    count = 3 if spatial is not None else 2
    panels = upper.subplots(1, count, width_ratios=(*[1.0] * (count - 1), 1.25))
    window = default_window(slice_)
    draw_plane(panels[0], slice_, window=window, orientation_labels=AXIAL.orientation_labels)
    panels[0].set_title(caption or "image", fontsize=11)
    if spatial is not None:
        fine = on_image(spatial, slice_.shape)
        low, high = float(as_array(spatial).min()), float(as_array(spatial).max())
        draw_plane(panels[1], slice_, window=window, overlay=(spatial_overlay(fine, opacity=opacity), fine))
        flat = ", nearly flat" if high - low < FLAT else ""
        panels[1].set_title(f"{spatial_name}\n{low:.2f} to {high:.2f}{flat}", fontsize=10)
    before_after(panels[-1], before, after, class_names)
    one, every = lower.subplots(1, 2, width_ratios=(1.9, 1.0))
    _one_layer(one, short_names(layers)[layer], layers[layer], off)
    every_layer(every, layers, layer)
    words = _gate_words(caption, layers, layer, off, before, after, class_names)
    if spatial is not None:
        words += f" {spatial_name[0].upper()}{spatial_name[1:]}, from {low:.2f} to {high:.2f}{flat}, "
        words += f"lies on the image at {opacity:.0%} opacity."
    return set_alt(figure, alt or words)


def _one_layer(axes: Axes, layer: str, values: np.ndarray, off: Sequence[int]) -> None:
    channels = np.arange(len(values))
    closed = np.isin(channels, list(off))
    many_bars(axes, channels[~closed], values[~closed], CLASS_COLOURS[0])
    many_bars(axes, channels[closed], values[closed], "#efc3a8")
    axes.plot(channels[closed], np.zeros(closed.sum()), "x", color=SWITCHED_OFF, markersize=6, clip_on=False, zorder=5)
    axes.set_ylim(0.0, 1.03)
    axes.set_xlim(-0.8, len(values) - 0.2)
    axes.set(xlabel="channel", ylabel="gate")
    axes.set_title(f"{layer}: {int(closed.sum())} of {len(values)} switched off (×)", fontsize=11)
    light_grid(axes)


def many_bars(axes: Axes, places: np.ndarray, heights: np.ndarray, colour: str) -> None:
    """Bars as one shape: hundreds of single ones would take most of the time of a redraw."""
    if len(places) == 0:
        return
    edges = np.stack([places - 0.42, places + 0.42], axis=1).ravel()
    steps = np.insert(np.zeros(len(places) - 1), np.arange(len(places) - 1), heights[:-1])
    axes.stairs(np.append(steps, heights[-1]), edges, fill=True, color=colour, linewidth=0)


def every_layer(axes: Axes, layers: Mapping[str, np.ndarray], chosen: str, xlabel: str = "gate") -> None:
    """The spread of the gates of each layer: a dot per channel, layers from input (top) to output."""
    for row, (name, values) in enumerate(layers.items()):
        colour = CLASS_COLOURS[0] if name == chosen else MUTED
        spread = ((np.arange(len(values)) * 0.618) % 1.0 - 0.5) * 0.55  # golden-ratio jitter: even, never random
        axes.scatter(values, row + spread, s=9, color=colour, alpha=0.55, linewidths=0)
    names = list(short_names(layers).values())
    shown = range(0, len(names), max(1, -(-len(names) // 8)))
    axes.set_yticks(shown, [names[i] if len(names[i]) <= 18 else "…" + names[i][-17:] for i in shown])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(xlabel)
    axes.set_title("all layers", fontsize=11)
    light_grid(axes, axis="x")


def before_after(
    axes: Axes, before: np.ndarray, after: np.ndarray, names: Sequence[str],
    labels: tuple[str, str] = ("all gates", "with gates off"),
) -> None:
    """Two predictions as bars, class under class."""
    places = np.arange(len(before))
    first = axes.barh(places - 0.2, before, height=0.36, color="#b8bcc2", label=labels[0])
    second = axes.barh(places + 0.2, after, height=0.36, color=CLASS_COLOURS[0], label=labels[1])
    for bars, numbers in ((first, before), (second, after)):
        axes.bar_label(bars, labels=[f"{number:.3f}" for number in numbers], fontsize=10, padding=3)
    axes.set_yticks(places, names)
    axes.set_ylim(len(before) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.25)
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
    text = f"Gate explorer{f', {caption}' if caption else ''}. Layer {short_names(layers)[layer]} has "
    text += f"{len(chosen)} gates, mean {chosen.mean():.2f}, "
    text += f"most open channel {int(chosen.argmax())} ({chosen.max():.2f}). "
    closed = listed([str(channel) for channel in off], limit=10) if len(off) else "nothing"
    text += f"Switched off: {closed}. "
    best = int(before.argmax())
    return text + f"Probability of {names[best]}: {before[best]:.2f} before, {after[best]:.2f} after."
