"""What the volume viewer shows: contrasts of one volume, and maps, masks or other contrasts over them, on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.plots.panels import DIRECTIONS, PLANES, default_window
from medattn_lite.plots.style import as_array, mask_names

COLOUR_MAPS = ("cividis", "viridis", "inferno", "magma", "plasma", "hot", "turbo", "gray")  # niivue's and matplotlib's
Kind = Literal["contrast", "map", "mask"]


@dataclass(frozen=True, eq=False)
class Layer:
    """One volume on the grid of all the others.

    Attributes:
        name: what it is called.
        values: (D, H, W); uint8 for a mask, float32 otherwise.
        kind: a contrast has a window, a map is 0 where it says nothing, a mask has labels.
        limits: lowest and highest value drawn; of a map and a mask the lowest is negative only where values are.
    """

    name: str
    values: np.ndarray
    kind: Kind
    limits: tuple[float, float]

    @property
    def is_empty(self) -> bool:
        return not self.values.any()

    @property
    def signed(self) -> bool:
        return self.limits[0] < 0

    def at(self, index: tuple[int, ...]) -> str:
        """Its value at a voxel, in words."""
        value = self.values[index]
        if self.kind == "mask":
            return mask_names(np.unique(self.values)).get(int(value), "nothing")
        return f"{float(value):.3g}"


@dataclass(frozen=True, eq=False)
class Layers:
    """A volume and what lies on it.

    Attributes:
        contrasts: the volumes to look at, one at a time.
        chosen: which of them first.
        overlays: what lies on it, the first one at the bottom; those that are empty are left out.
        empty: names of the overlays that have nothing to show.
        affine: 4×4, indices (D, H, W) to mm.
        title: what is shown.
    """

    contrasts: tuple[Layer, ...]
    chosen: int
    overlays: tuple[Layer, ...]
    empty: tuple[str, ...]
    affine: np.ndarray
    title: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.contrasts[0].values.shape

    @property
    def start(self) -> tuple[int, int, int]:
        """Where to begin: at the highest value of the first map, in the middle of a mask, or of the volume."""
        for layer in self.overlays:
            if layer.kind == "mask":
                start = [int(np.median(indices)) for indices in np.nonzero(layer.values)]
            else:
                start = [int(i) for i in np.unravel_index(int(np.abs(layer.values).argmax()), layer.values.shape)]
            return start[0], start[1], start[2]
        return self.shape[0] // 2, self.shape[1] // 2, self.shape[2] // 2

    def words(self) -> str:
        """What is shown, in a sentence or two."""
        names = [layer.name for layer in self.contrasts]
        text = f"{self.title or 'Volume'}, {names[self.chosen]}, {'×'.join(map(str, self.shape))} voxels."
        if self.overlays:
            text += f" Over it: {', '.join(layer.name for layer in self.overlays)}."
        if self.empty:
            text += f" Nothing to draw in {', '.join(self.empty)}: 0 everywhere."
        return text

    def place(self, index: tuple[int, int, int], chosen: Layer) -> str:
        """A voxel in words: its planes, its millimetres, and the value of what is shown there."""
        planes = ", ".join(f"{plane.name} {index[plane.across]}" for plane in PLANES)
        x, y, z = self.affine[:3] @ np.array([*index, 1.0])
        values = "; ".join(f"{layer.name}: {layer.at(index)}" for layer in (chosen, *self.overlays))
        return f"{planes} (x {x:+.0f}, y {y:+.0f}, z {z:+.0f} mm). At the cross, {values}."


def ends(axis: int) -> str:
    """The two ends of an axis as letters, such as "I→S"."""
    low, high = (word[0].upper() for word in DIRECTIONS[axis])
    return f"{low}→{high}"


def read_layers(
    source: Any, overlay: Any, *, channel: str | int, affine: Any, threshold: float | None, title: str
) -> Layers:
    """Reads what `view_volume` was given; see there.

    Raises:
        UserError: as there.
    """
    array, names, grid = _source(source, affine)
    if not np.isfinite(array).all():
        raise UserError("the volume holds NaN or infinite values: mend it first (medattn check-data says where)")
    chosen = _channel(channel, names, len(array))
    contrasts = tuple(Layer(name, volume, "contrast", default_window(volume))
                      for name, volume in zip(names, array, strict=True))  # fmt: skip
    overlays = [_overlay(name, value, source, contrasts, grid, threshold)
                for name, value in _named(overlay).items()]  # fmt: skip
    shown = tuple(layer for layer in overlays if not layer.is_empty)
    if overlays and not shown:
        raise UserError("nothing of the overlay would be drawn: it is 0 everywhere, or below the threshold")
    if not title and isinstance(source, Mapping):
        title = " ".join(str(source[key]) for key in ("source", "subject") if source.get(key))
    return Layers(contrasts, chosen, shown, tuple(layer.name for layer in overlays if layer.is_empty), grid, title)


def _source(source: Any, affine: Any) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(C, D, H, W), a name for each channel, and the affine."""
    names: list[str] = []
    if isinstance(source, (str, Path)):
        from medattn_lite.data import load_volume

        loaded = load_volume(source)
        array, affine, names = loaded.array, loaded.affine, [_stem(source)]
    elif isinstance(source, Mapping):
        array, affine = as_array(source["image"]), source.get("affine") if affine is None else affine
        names = [str(name) for name in source.get("channels") or []]
    else:
        array = as_array(_values(source))
        names = [_explained(source)] if hasattr(source, "method") else []
    if array.ndim not in (3, 4):
        raise UserError(f"the viewer shows volumes (D, H, W); this image has shape {array.shape}")
    array = np.asarray(array if array.ndim == 4 else array[None], dtype=np.float32)
    if len(names) != len(array):
        names = [f"channel {number}" for number in range(len(array))] if len(array) > 1 else ["volume"]
    grid = np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]] if affine is None else as_array(affine)
    return array, names, np.asarray(grid, dtype=np.float64)


def _channel(channel: str | int, names: list[str], count: int) -> int:
    if isinstance(channel, str):
        if channel not in names:
            raise UserError(f"there is no channel {channel!r}: use one of {', '.join(names)}")
        return names.index(channel)
    if not -count <= channel < count:
        raise UserError(f"there is no channel {channel}: the image has {count}")
    return channel % count


def _named(overlay: Any) -> dict[str, Any]:
    """Overlays by name; one alone is called what it is."""
    if overlay is None:
        return {}
    if isinstance(overlay, Mapping):
        return {str(name): value for name, value in overlay.items()}
    if isinstance(overlay, (str, Path)):
        return {_stem(overlay): overlay}
    return {_explained(overlay) if hasattr(overlay, "method") else "map": overlay}


def _values(value: Any) -> Any:
    """The array of an explanation; a tensor has a method `values`, which is something else."""
    return value.values if hasattr(value, "method") else value


def _explained(explanation: Any) -> str:
    """What an explanation is called."""
    return f"{explanation.method}{f' of {explanation.target}' if getattr(explanation, 'target', '') else ''}"


def _stem(path: str | Path) -> str:
    return Path(path).name.removesuffix(".gz").removesuffix(".nii")


def _overlay(
    name: str, value: Any, source: Any, contrasts: tuple[Layer, ...], grid: np.ndarray, threshold: float | None
) -> Layer:
    shape = contrasts[0].values.shape
    contrast = next((layer for layer in contrasts if isinstance(value, str) and layer.name == value), None)
    if contrast is not None:
        return Layer(
            f"{contrast.name}, over it", contrast.values, "map", (min(0.0, contrast.limits[0]), contrast.limits[1])
        )
    if isinstance(value, str) and value in ("mask", "signal") and isinstance(source, Mapping):
        if source.get(value) is None:
            raise UserError(f"this sample has no {value}")
        values = as_array(source[value])
    elif isinstance(value, (str, Path)):
        read, _, lies = _source(value, None)
        values = read[0]
        if values.shape != shape or not np.allclose(lies, grid, atol=1e-3):
            raise UserError(f"{value} lies on another grid than the volume: resample it to it")
    else:
        values = as_array(_values(value))
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    if values.shape != shape:
        raise UserError(f"the overlay has shape {values.shape}, the volume {shape}: bring them to one grid")
    if values.dtype.kind in "bui" and values.min() >= 0 and values.max() < 256:
        return Layer(name, values.astype(np.uint8), "mask", (0.0, float(values.max())))
    values = np.asarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise UserError("the overlay holds NaN or infinite values: explain again, and look at the note")
    limit = threshold if threshold is not None else (0.0 if values.min() >= 0 else None)
    values = values if limit is None else np.where(np.abs(values) > limit, values, 0).astype(np.float32)
    largest = float(np.abs(values).max())
    return Layer(name, values, "map", (-largest if values.min() < 0 else 0.0, largest))
