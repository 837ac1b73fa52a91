"""One channel's versions in split attention, their shares, their mixture, and what the prediction owes to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.gate_view import before_after, every_layer, many_bars
from medattn_lite.plots.gates import FLAT, on_image, spatial_overlay
from medattn_lite.plots.layer_names import short_names
from medattn_lite.plots.panels import AXIAL, default_window, draw_plane
from medattn_lite.plots.style import (
    CLASS_COLOURS,
    INK,
    MAP,
    MUTED,
    as_array,
    figure_function,
    new_figure,
)


@figure_function
def split_view(
    image: ArrayLike,
    *,
    splits: ArrayLike,
    mixture: ArrayLike,
    shares: Mapping[str, ArrayLike],
    layer: str,
    channel: int,
    before: ArrayLike,
    after: ArrayLike,
    towards_uniform: float = 0.0,
    spatial: ArrayLike | None = None,
    opacity: float = 0.6,
    class_names: Sequence[str] | None = None,
    caption: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws one image in one block of split attention: a channel's versions, their shares and mixture, the prediction.

    Args:
        image: (H, W).
        splits: (R, C, h, w), the versions of the chosen block.
        mixture: (C, h, w).
        shares: layer → (R, C), as they were used.
        layer: the block shown.
        channel: the channel shown.
        before: (K,) probabilities with the network's own shares.
        after: (K,) probabilities with the shares used here.
        towards_uniform: how far the shares were moved towards 1/R, 0 to 1.
        spatial: (H, W) spatial map of the same block, on the image's grid, or None.
        opacity: of the spatial map.
        class_names: by class number.
        caption: above the image.
        alt: alt text, instead of the one written from the values.
    """
    slice_, versions, mixed = as_array(image), as_array(splits)[:, channel], as_array(mixture)[channel]
    layers = {name: as_array(values) for name, values in shares.items()}
    before, after = as_array(before).ravel(), as_array(after).ravel()
    class_names = [f"class {i}" for i in range(len(before))] if class_names is None else list(class_names)
    of_layer = layers[layer]
    figure = new_figure(9.6, 8.2)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1.25, 1.15, 1.0))  # type: ignore[misc]  # an array
    spread = _image_row(upper, slice_, spatial, opacity, caption, short_names(layers)[layer])
    before_after(
        upper.axes[-1], before, after, class_names, ("unchanged shares", f"{towards_uniform:.0%} towards uniform")
    )
    _channel_row(middle, versions, mixed, of_layer[:, channel], channel)
    one, every = lower.subplots(1, 2, width_ratios=(1.9, 1.0))
    _stacked(one, of_layer, channel, f"{short_names(layers)[layer]}, moved {towards_uniform:.0%} towards uniform")
    every_layer(every, {name: values[0] for name, values in layers.items()}, layer, "share of split 1")
    every.axvline(1 / len(of_layer), color=MUTED, linestyle="--", linewidth=1.0)
    texts = [f"split {r + 1} has {share:.2f}" for r, share in enumerate(of_layer[:, channel])]
    words = f"Split attention{f', {caption}' if caption else ''}. Channel {channel} of {short_names(layers)[layer]}: "
    words += f"{listed(texts)}. Shares moved {towards_uniform:.0%} towards uniform. "
    best = int(before.argmax())
    words += f"Probability of {class_names[best]}: {before[best]:.2f} with unchanged shares, "
    words += f"{after[best]:.2f} with these."
    return set_alt(figure, alt or words + spread)


def _image_row(figure: Figure, image: np.ndarray, spatial: ArrayLike | None, opacity: float, caption: str,
               block: str) -> str:  # fmt: skip
    """The image, its spatial map if there is one, and an empty panel for the prediction."""
    count = 2 if spatial is None else 3
    panels = figure.subplots(1, count, width_ratios=(*[1.0] * (count - 1), 1.25))
    window = default_window(image)
    draw_plane(panels[0], image, window=window, orientation_labels=AXIAL.orientation_labels)
    panels[0].set_title(caption or "image", fontsize=11)
    if spatial is None:
        return ""
    values = as_array(spatial)
    fine = on_image(values, image.shape)
    low, high = float(values.min()), float(values.max())
    flat = ", nearly flat" if high - low < FLAT else ""
    draw_plane(panels[1], image, window=window, overlay=(spatial_overlay(fine, opacity=opacity), fine))
    panels[1].set_title(f"its spatial map\n{low:.2f} to {high:.2f}{flat}", fontsize=10)
    return f" Spatial map of the block from {low:.2f} to {high:.2f}{flat}, at {opacity:.0%} opacity."


def _channel_row(figure: Figure, versions: np.ndarray, mixed: np.ndarray, shares: np.ndarray, channel: int) -> None:
    """The versions of one channel and their mixture, all on one scale of colours."""
    panels = figure.subplots(1, len(versions) + 1)
    top = max(float(versions.max()), 1e-6)
    for number, (panel, picture) in enumerate(zip(panels, [*versions, mixed], strict=True)):
        panel.imshow(picture, cmap=MAP, origin="lower", vmin=0.0, vmax=top)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        if number < len(versions):
            panel.set_title(f"split {number + 1}\nshare {shares[number]:.2f}", fontsize=11)
    panels[-1].set_title(f"mixture\nchannel {channel}", fontsize=11)
    scale = ScalarMappable(Normalize(0.0, top), MAP)
    figure.colorbar(scale, ax=panels, fraction=0.03, pad=0.02, label="channel")


def _stacked(axes: Axes, shares: np.ndarray, channel: int, title: str) -> None:
    """For every channel one bar of height 1, divided among the splits."""
    places = np.arange(shares.shape[1])
    for number in reversed(range(len(shares))):
        many_bars(axes, places, shares[: number + 1].sum(0), CLASS_COLOURS[number % len(CLASS_COLOURS)])
        middle = shares[:number].mean(1).sum() + shares[number].mean() / 2
        axes.annotate(f"split {number + 1}", (1.01, middle), xycoords=("axes fraction", "data"), fontsize=10,
                      va="center", color=INK)  # fmt: skip
    axes.axhline(1 / len(shares), color="white", linestyle="--", linewidth=1.2)
    axes.plot([channel], [1.04], "v", color=INK, markersize=7, clip_on=False)
    axes.set(xlabel="channel (▼ the one above)", ylabel="share", xlim=(-0.8, len(places) - 0.2), ylim=(0.0, 1.0))
    axes.set_title(title, fontsize=11, pad=14)
