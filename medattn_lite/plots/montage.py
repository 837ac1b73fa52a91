"""Many slices at once: a montage through a volume, all contrasts of one slice, a grid of 2-D images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.overlays import Overlay, make_overlay
from medattn_lite.plots.panels import AXIAL, PLANES, default_window, draw_plane, take_slice, voxel_spacing
from medattn_lite.plots.style import as_array, figure_function, new_figure

WIDTH = 9.6
GAP = 0.06
KEY = 0.5  # inches for the overlay's key, only where there is one


@figure_function
def slice_montage(
    image: ArrayLike,
    *,
    plane: str = "axial",
    slices: int | Sequence[int] = 12,
    columns: int = 6,
    affine: ArrayLike | None = None,
    spacing: Sequence[float] | None = None,
    overlay: ArrayLike | None = None,
    labels: Mapping[int, str] | None = None,
    overlay_title: str | None = None,
    opacity: float = 0.5,
    window: tuple[float, float] | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws slices of one plane side by side.

    Args:
        image: (D, H, W).
        plane: "axial", "coronal" or "sagittal".
        slices: which ones, or how many, evenly spread over the part of the volume that is not empty.
        columns: pictures per row.
        affine, spacing, overlay, labels, overlay_title, opacity, window, alt: as in `three_planes`.
        title: what is shown, above the first picture and in the alt text.

    Raises:
        ValueError: for another plane, or an overlay of another shape.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> volume = np.random.default_rng(0).random((12, 16, 16))
        >>> len(plots.slice_montage(volume, slices=[2, 6, 10]).axes)
        3
    """
    volume = as_array(image)
    chosen = {candidate.name: candidate for candidate in PLANES}.get(plane)
    if chosen is None:
        raise ValueError(f"plane must be axial, coronal or sagittal, not {plane!r}")
    window = window or default_window(volume)
    extra = make_overlay(overlay, volume.shape, opacity=opacity, labels=labels, title=overlay_title)
    indices = _spread(volume, chosen.across, slices) if isinstance(slices, int) else list(slices)
    edges = voxel_spacing(affine, spacing)
    pictures = [
        (take_slice(volume, chosen, i), None if extra is None else take_slice(extra.values, chosen, i), str(i))
        for i in indices
    ]
    figure = _grid(
        pictures,
        columns=min(columns, len(indices)),
        spacing=(edges[chosen.rows], edges[chosen.columns]),
        windows=[window] * len(indices),
        orientation_labels=chosen.orientation_labels,
        overlay=extra,
        title=title,
    )
    words = f"{title or 'MRI volume'}: {len(indices)} {plane} slices, from {indices[0]} to {indices[-1]}"
    return set_alt(figure, alt or words + (f", with {extra.words()}." if extra is not None else "."))


@figure_function
def contrasts_row(
    image: ArrayLike,
    *,
    names: Sequence[str],
    position: int | None = None,
    affine: ArrayLike | None = None,
    spacing: Sequence[float] | None = None,
    overlay: ArrayLike | None = None,
    labels: Mapping[int, str] | None = None,
    overlay_title: str | None = None,
    opacity: float = 0.5,
    title: str | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws the same slice in every contrast, each with a window of its own.

    Args:
        image: (C, D, H, W), or (C, H, W) for one slice.
        names: one per channel.
        position: axial index d; by default the slice where a mask is largest, else the middle one.
        affine, spacing, overlay, labels, overlay_title, opacity, alt: as in `three_planes`.
        title: who or what is shown; goes into the alt text and above the row.

    Raises:
        ValueError: if the names and the channels differ in number.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> scans = np.random.default_rng(0).random((2, 8, 16, 16))
        >>> len(plots.contrasts_row(scans, names=["t1", "t2"]).axes)
        2
    """
    volumes = as_array(image)
    if len(names) != volumes.shape[0]:
        raise ValueError(f"{len(names)} names for {volumes.shape[0]} channels: give one name per channel")
    edges = voxel_spacing(affine, spacing)
    if volumes.ndim == 3:
        overlay = None if overlay is None else as_array(overlay).reshape(1, *volumes.shape[1:])
        volumes, position = volumes[:, None], 0
    extra = make_overlay(overlay, volumes.shape[1:], opacity=opacity, labels=labels, title=overlay_title)
    if position is None:
        position = volumes.shape[1] // 2
        if extra is not None and extra.is_mask and not extra.is_empty:
            position = int(np.argmax((extra.values > 0).sum(axis=(1, 2))))
    layer = None if extra is None else extra.values[position]
    figure = _grid(
        [(volume[position], layer, name) for volume, name in zip(volumes, names, strict=True)],
        columns=len(names),
        spacing=(edges[1], edges[2]),
        windows=[default_window(volume) for volume in volumes],
        orientation_labels=AXIAL.orientation_labels,
        overlay=extra,
        title=title,
    )
    words = f"{title or 'One subject'}, axial slice {position}, in {len(names)} contrasts: {listed(list(names))}"
    return set_alt(figure, alt or words + (f", with {extra.words()}." if extra is not None else "."))


@figure_function
def image_grid(
    images: ArrayLike,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 6,
    overlays: ArrayLike | None = None,
    labels: Mapping[int, str] | None = None,
    overlay_title: str | None = None,
    opacity: float = 0.5,
    orientation_labels: bool = False,
    window: tuple[float, float] | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> Figure:
    """Draws 2-D images side by side, each with a caption: examples of a data set, or what a model said of them.

    Args:
        images: (N, H, W) or (N, 1, H, W).
        titles: a short caption an image.
        columns: pictures per row.
        overlays: (N, H, W) or (N, 1, H, W), masks or maps.
        labels, overlay_title, opacity, alt: as in `three_planes`.
        orientation_labels: write L/R and A/P on axial slices.
        window: intensities drawn black and white in every picture; by default each has its own.
        title: what is shown, above the first row and in the alt text.

    Raises:
        ValueError: if the captions and the images differ in number.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> figure = plots.image_grid(np.random.default_rng(0).random((2, 8, 8)), titles=["healthy", "tumour"])
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['healthy', 'tumour']
    """
    stack = as_array(images)
    stack = stack[:, 0] if stack.ndim == 4 else stack
    titles = [""] * len(stack) if titles is None else [str(caption) for caption in titles]
    if len(titles) != len(stack):
        raise ValueError(f"{len(titles)} captions for {len(stack)} images: give one per image")
    masks = None if overlays is None else as_array(overlays).reshape(stack.shape)
    extra = make_overlay(masks, stack.shape, opacity=opacity, labels=labels, title=overlay_title)
    layers = [None] * len(stack) if extra is None else list(extra.values)
    figure = _grid(
        list(zip(stack, layers, titles, strict=True)),
        columns=min(columns, len(stack)),
        spacing=(1.0, 1.0),
        windows=[window or default_window(picture) for picture in stack],
        orientation_labels=AXIAL.orientation_labels if orientation_labels else None,
        overlay=extra,
        title=title,
    )
    captions = [caption.replace("\n", ", ") for caption in titles if caption]
    words = f"{title or 'Images'}: {len(stack)} slices"
    words += f", captioned {listed(captions, limit=12)}" if captions else ""
    return set_alt(figure, alt or words + (f", with {extra.words()}." if extra is not None else "."))


def _spread(volume: np.ndarray, axis: int, count: int) -> list[int]:
    """`count` indices evenly over the slices that hold something."""
    others = tuple(other for other in range(3) if other != axis)
    filled = np.flatnonzero(volume.max(axis=others) > volume.min(axis=others))
    first, last = (int(filled[0]), int(filled[-1])) if filled.size else (0, volume.shape[axis] - 1)
    margin = (last - first) // (2 * count)  # the outermost slices show little
    return sorted({int(round(index)) for index in np.linspace(first + margin, last - margin, count)})


def _grid(
    pictures: list[tuple[np.ndarray, np.ndarray | None, str]],
    *,
    columns: int,
    spacing: tuple[float, float],
    windows: list[tuple[float, float]],
    orientation_labels: tuple[str, str, str, str] | None,
    overlay: Overlay | None,
    title: str | None,
) -> Figure:
    """Equal pictures in rows, each under its caption; placed by hand, which is exact and quick."""
    rows = math.ceil(len(pictures) / columns)
    shape = pictures[0][0].shape
    wide = min((WIDTH - GAP * (columns - 1)) / columns, 3.2)
    tall = wide * (shape[0] * spacing[0]) / (shape[1] * spacing[1])
    lines = max(caption.count("\n") + 1 if caption else 0 for _, _, caption in pictures)
    head = 0.08 + 0.2 * lines
    top = 0.34 if title else 0.0
    bottom = KEY if overlay is not None else 0.02
    width = columns * wide + GAP * (columns - 1)
    height = top + rows * (tall + head) + bottom
    figure = new_figure(width, height, layout=None)
    if title:
        figure.text(0.0, 1 - 0.08 / height, title, ha="left", va="top", fontsize=12)
    for number, (picture, layer, caption) in enumerate(pictures):
        row, column = divmod(number, columns)
        left, low = column * (wide + GAP), height - top - (row + 1) * (tall + head)
        axes = figure.add_axes((left / width, low / height, wide / width, tall / height))
        draw_plane(
            axes,
            picture,
            spacing=spacing,
            window=windows[number],
            overlay=None if overlay is None or layer is None else (overlay, layer),
            orientation_labels=orientation_labels if number == 0 else None,
        )
        axes.set_title(caption, fontsize=10, pad=3, loc="left")
    if overlay is not None:
        mask = overlay.is_mask or overlay.is_empty
        place = (0.01, 0.12 / height, 0.98, 0.26 / height) if mask else (0.02, 0.24 / height, 0.3, 0.1 / height)
        overlay.add_key(figure.add_axes(place))
    return figure
