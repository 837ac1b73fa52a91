"""What lies on an MRI plane: a label mask in class colours, or a map whose opacity follows its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import listed
from medattn_lite.plots.style import MAP, as_array, mask_colour, mask_names


@dataclass(frozen=True)
class Overlay:
    """A mask or a map over the whole image, coloured the same in every plane.

    Attributes:
        values: the volume or the slice, same shape as the image.
        names: label value → name; empty for a map.
        limits: lowest and highest value of the colour scale of a map.
        opacity: the highest opacity, 0 to 1.
        title: what the overlay is called in the key.
    """

    values: np.ndarray
    opacity: float
    title: str
    limits: tuple[float, float] = (0.0, 1.0)
    names: dict[int, str] = field(default_factory=dict)

    @property
    def is_mask(self) -> bool:
        return self.values.dtype.kind in "bui"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see: no label, or a map that is zero everywhere."""
        return not np.any(self.values) if self.is_mask else not np.any(np.nan_to_num(self.values))

    def colours(self, plane: np.ndarray) -> np.ndarray:
        """RGBA of one plane of `values`, shape (rows, columns, 4)."""
        if self.is_mask:
            return self._mask_colours(plane)
        low, high = self.limits
        rgba = mpl.colormaps[MAP](Normalize(low, high, clip=True)(np.nan_to_num(plane, nan=low)))
        values = np.nan_to_num(plane, nan=max(low, 0.0))
        strength = (values - low) / (high - low) if low >= 0 else np.abs(values) / max(-low, high)
        rgba[..., 3] = self.opacity * np.clip(strength, 0.0, 1.0)  # a weak value hides nothing
        return rgba

    def _mask_colours(self, plane: np.ndarray) -> np.ndarray:
        rgba = np.zeros((*plane.shape, 4))
        for value in self.names:
            inside = plane == value
            rgba[inside, :3] = to_rgb(mask_colour(value))
            rgba[inside, 3] = self.opacity
        return rgba

    def add_key(self, axes: Axes) -> None:
        """Fill an empty axes with the legend of a mask or the colour bar of a map."""
        if self.is_empty:
            axes.set_axis_off()
            axes.text(0.0, 0.5, f"{self.title}: nothing to show (zero everywhere)", va="center", fontsize=10)
        elif self.is_mask:
            axes.set_axis_off()
            patches = [Patch(color=mask_colour(value), label=name) for value, name in self.unique_names().items()]
            axes.legend(handles=patches, loc="center left", ncols=len(patches), borderaxespad=0.0, handlelength=1.2)
        else:
            bar = axes.figure.colorbar(
                ScalarMappable(Normalize(*self.limits), MAP), cax=axes, orientation="horizontal"
            )
            bar.outline.set_visible(False)
            axes.set_title(f"{self.title} (faint = small)", fontsize=10, pad=3)
            axes.locator_params(nbins=5)

    def unique_names(self) -> dict[int, str]:
        """Labels without repeats of a name (BraTS wrote 4, then 3, for enhancing tumour)."""
        present = np.unique(self.values)
        first = {name: value for value, name in reversed(self.names.items()) if value in present}
        return {value: name for name, value in reversed(first.items())}

    def words(self) -> str:
        """The overlay in a phrase, for alt text."""
        if self.is_empty:
            return f"overlay {self.title}, which is zero everywhere"
        if self.is_mask:
            return f"overlay {self.title} with {listed(list(self.unique_names().values()))}"
        return f"overlay {self.title} from {self.limits[0]:.2g} to {self.limits[1]:.2g}"


def make_overlay(
    values: ArrayLike | None,
    shape: tuple[int, ...],
    *,
    opacity: float = 0.5,
    labels: Mapping[int, str] | None = None,
    title: str | None = None,
    limits: tuple[float, float] | None = None,
) -> Overlay | None:
    """Prepare an overlay for an image of the given shape; integers and booleans are masks, the rest maps.

    Args:
        values: array of `shape`, or with one leading axis of length 1, or None.
        shape: shape of the image without channels.
        opacity: highest opacity, 0 to 1.
        labels: label value → name of a mask.
        title: what to call it; "mask" or "map" otherwise.
        limits: colour limits of a map; by default zero (or its smallest value, if negative) to its largest.

    Raises:
        ValueError: if the shapes differ.
    """
    if values is None:
        return None
    array = as_array(values)
    if array.ndim == len(shape) + 1 and array.shape[0] == 1:
        array = array[0]
    if array.shape != tuple(shape):
        raise ValueError(f"overlay has shape {array.shape}, the image {tuple(shape)}: resample the overlay first")
    if labels is not None and array.dtype.kind == "f":
        array = array.astype(np.int64)
    if array.dtype.kind in "bui":
        array = array.astype(np.uint8) if array.dtype.kind == "b" else array
        names = dict(labels) if labels is not None else mask_names(np.unique(array))
        return Overlay(array, opacity, title or "mask", names=names)
    if limits is None:
        finite = array[np.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        limits = (min(low, 0.0), max(high, 0.0))
        limits = (0.0, 1.0) if limits == (0.0, 0.0) else limits
    if not limits[1] > limits[0]:
        limits = (limits[0], limits[0] + 1e-6)  # a flat map: one colour, fully faint
    return Overlay(array.astype(np.float32, copy=False), opacity, title or "map", limits=limits)
