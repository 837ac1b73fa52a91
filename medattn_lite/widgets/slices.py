"""The slice explorer: three linked planes of one sample, any contrast, any overlay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from medattn_lite.errors import UserError
from medattn_lite.plots.panels import DIRECTIONS, PLANES, default_window
from medattn_lite.plots.planes import three_planes
from medattn_lite.plots.style import as_array, mask_names
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer, fit_range

NONE = "none"
WIDE = 20  # a window as wide as this is read in whole numbers


@dataclass(frozen=True)
class SliceState:
    """What the controls of a slice explorer say."""

    channel: str
    overlay: str
    axial: int
    coronal: int
    sagittal: int
    opacity: float
    window: tuple[float, float]

    @property
    def position(self) -> tuple[int, int, int]:
        """Indices of the voxel at the cross, in the order of `PLANES`."""
        return self.axial, self.coronal, self.sagittal


class SliceExplorer(Explorer[SliceState]):
    """See `slice_explorer`."""

    State = SliceState

    def __init__(
        self, volumes: dict[str, np.ndarray], overlays: dict[str, np.ndarray], *, affine: np.ndarray | None, title: str
    ) -> None:
        self._volumes, self._overlays = volumes, overlays
        self._affine, self._title = affine, title
        self._windows = {name: default_window(volume) for name, volume in volumes.items()}
        first = next(iter(volumes))
        shape = volumes[first].shape
        style = {"style": LABEL, "layout": CONTROL}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "channel": ipywidgets.Dropdown(options=list(volumes), value=first, description="channel", **style),
            "overlay": ipywidgets.Dropdown(
                options=[*overlays, NONE], value=next(iter(overlays), NONE), description="overlay", **style
            ),
        }
        for plane, start in zip(PLANES, self._middle(shape), strict=True):
            low, high = (word[0].upper() for word in DIRECTIONS[plane.across])
            controls[plane.name] = ipywidgets.IntSlider(
                value=start, min=0, max=shape[plane.across] - 1, description=f"{plane.name} {low}→{high}", **style
            )
        controls["opacity"] = ipywidgets.FloatSlider(
            value=0.5, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%", **style
        )
        controls["window"] = ipywidgets.FloatRangeSlider(description="window", readout_format=".2f", **style)
        self.controls = controls
        self.adjust("channel")
        self.adjust("overlay")
        super().__init__(controls)

    def adjust(self, name: str) -> None:
        """Each contrast has intensities of its own; without an overlay there is no opacity to set."""
        if name == "channel":
            channel = self.controls["channel"].value
            volume, (low, high) = self._volumes[channel], self._windows[channel]
            span = high - low
            slider = self.controls["window"]
            slider.step = float(f"{span / 50:.1g}")
            slider.readout_format = ".0f" if span >= WIDE else ".2f"  # the readout has room for seven characters
            ends = min(float(volume.min()), low), max(float(volume.max()), high)
            fit_range(slider, max(ends[0], low - span), min(ends[1], high + span), (low, high))
        if name == "overlay":
            self.controls["opacity"].disabled = self.controls["overlay"].value == NONE

    def view(self, state: SliceState) -> tuple[Figure, str]:
        volume = self._volumes[state.channel]
        overlay = None if state.overlay == NONE else self._overlays[state.overlay]
        position = state.position
        figure = three_planes(
            volume,
            position=position,
            affine=self._affine,
            overlay=overlay,
            overlay_title=state.overlay,
            opacity=state.opacity,
            window=state.window,
            title=f"{self._title} {state.channel}".strip(),
        )
        return figure, self._words(state, position, float(volume[position]), overlay)

    def _words(
        self, state: SliceState, position: tuple[int, ...], intensity: float, overlay: np.ndarray | None
    ) -> str:
        places = ", ".join(f"{plane.name} {position[plane.across]}" for plane in PLANES)
        text = f"{state.channel}, {places}"
        if self._affine is not None:
            x, y, z = self._affine[:3] @ np.array([*position, 1.0])
            text += f" (x {x:+.0f}, y {y:+.0f}, z {z:+.0f} mm)"
        low, high = state.window
        digits = 0 if high - low >= WIDE else 2
        text += f". Intensity at the cross {intensity:.{digits}f}; window {low:.{digits}f} to {high:.{digits}f}. "
        if overlay is None:
            return text + "No overlay."
        value = overlay[position]
        reading = f"{value:.3g}"
        if overlay.dtype.kind in "bu":
            reading = mask_names(np.unique(overlay)).get(int(value), "nothing")
        return text + f"Overlay {state.overlay} at {state.opacity:.0%} opacity; at the cross: {reading}."

    def _middle(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Where to begin: in the middle of the first mask, or of the volume."""
        for values in self._overlays.values():
            if values.dtype.kind in "bu" and values.any():
                return tuple(int(np.median(indices)) for indices in np.nonzero(values))
        return tuple(length // 2 for length in shape)


def slice_explorer(
    sample: Mapping[str, Any], overlays: Mapping[str, object] | None = None, *, title: str | None = None
) -> SliceExplorer:
    """Shows three linked planes of a sample, with sliders for the planes, the overlay's opacity and the window.

    Args:
        sample: a 3-D sample: `image` (C, D, H, W), and if it has them `channels`, `affine`, `mask`, `signal`.
        overlays: more overlays by name, each (D, H, W) or (1, D, H, W): whole or boolean numbers are masks,
            others are maps. They come first in the list, before the sample's own mask and signal.
        title: what is shown; the sample's source and subject by default.

    Returns:
        An `Explorer`. Its controls: channel, overlay, axial, coronal, sagittal, opacity, window.

    Raises:
        UserError: for a 2-D sample, or an overlay that does not have the image's shape.
    """
    image = as_array(sample["image"])
    if image.ndim != 4:
        raise UserError(f"the slice explorer shows volumes (C, D, H, W); this image has shape {image.shape}")
    names = [str(name) for name in sample.get("channels") or [f"channel {i}" for i in range(len(image))]]
    layers: dict[str, object] = dict(overlays or {})
    for name in ("mask", "signal"):
        if sample.get(name) is not None:
            layers.setdefault(name, sample[name])
    named = {name: _one_volume(name, values, image.shape[1:]) for name, values in layers.items()}
    affine = None if sample.get("affine") is None else as_array(sample["affine"])
    if title is None:
        title = " ".join(str(sample[key]) for key in ("source", "subject") if sample.get(key))
    return SliceExplorer(dict(zip(names, image, strict=True)), named, affine=affine, title=title)


def _one_volume(name: str, values: object, shape: tuple[int, ...]) -> np.ndarray:
    array = as_array(values)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.shape != tuple(shape):
        raise UserError(f"overlay {name!r} has shape {array.shape}, the image {tuple(shape)}: resample it to the image")
    return array.astype(np.uint8) if array.dtype.kind in "bi" else array
