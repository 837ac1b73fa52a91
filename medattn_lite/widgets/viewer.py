"""A viewer of volumes in three linked planes, with a map or mask over them: a page of its own, without a kernel.

nilearn makes the page (brainsprite inside, nothing from another host). It shows in a notebook, in the book, and as a
file in any browser: click in a plane to move the crosshair in all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.plots.panels import default_window
from medattn_lite.plots.style import MAP, as_array

if TYPE_CHECKING:
    from nilearn.plotting.html_stat_map import StatMapView


def view_volume(
    source: Any,
    overlay: Any = None,
    *,
    channel: str | int = 0,
    affine: Any = None,
    threshold: float | None = None,
    opacity: float = 0.6,
    colour_map: str = MAP,
    title: str = "",
) -> StatMapView:
    """Shows three linked planes of a volume, with a map over it.

    Args:
        source: a sample with `image` (C, D, H, W); a NIfTI file; or an array (D, H, W) or (C, D, H, W).
        overlay: the same kinds, on the same grid; a sample's `mask` if it is "mask". None shows the volume alone.
        channel: name or number of the channel, where there are several.
        affine: 4×4 of an array, from indices (D, H, W) to mm; a sample and a file bring their own.
        threshold: values of the overlay up to it are not drawn; 0 for masks and maps without negative values, None for
            all of them.
        opacity: of the overlay, 0 to 1.
        colour_map: of the overlay; a name of matplotlib's.
        title: over the planes.

    Returns:
        nilearn's view: the last line of a cell shows it; `save_as_html(path)` writes the page.

    Raises:
        UserError: a 2-D image, an overlay of another shape, an opacity outside 0 … 1, or no such channel or file.
    """
    from nilearn.plotting import view_img

    if not 0 <= opacity <= 1:
        raise UserError(f"opacity is {opacity}: give a number from 0 to 1")
    volume, grid = _volume(source, channel, affine)
    if not np.isfinite(volume).all():
        raise UserError("the volume holds NaN or infinite values: mend it first (medattn check-data says where)")
    box, cropped = _without_margin(volume, grid)
    background = _nifti(volume[box], cropped)
    low, high = default_window(volume)
    if overlay is None:
        return view_img(background, bg_img=None, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), colorbar=False,
                        symmetric_cmap=False, threshold=None, title=title, draw_cross=True)  # fmt: skip
    drawn = _overlay(source, overlay, volume.shape, grid)
    limit = threshold if threshold is not None else (0.0 if drawn.min() >= 0 else None)
    visible = drawn if limit is None else np.where(np.abs(drawn) > limit, drawn, 0)
    if not visible[box].any():
        raise UserError("nothing of the overlay would be drawn: it is 0 everywhere, or below the threshold")
    return view_img(
        _nifti(visible[box], cropped), bg_img=background, cmap=colour_map, opacity=opacity,
        symmetric_cmap=bool(drawn.min() < 0), vmin=None if drawn.min() < 0 else 0.0, vmax=float(np.abs(drawn).max()),
        threshold=1e-12, title=title,
        resampling_interpolation="nearest", black_bg=True, dim=0,
    )  # fmt: skip


def _without_margin(volume: np.ndarray, grid: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray]:
    """The part that is not the background's value all around, with two voxels of it, and that part's affine."""
    inside = np.argwhere(volume != volume.flat[0])
    if not len(inside):
        return tuple(slice(0, side) for side in volume.shape), grid
    low = np.maximum(inside.min(0) - 2, 0)
    high = np.minimum(inside.max(0) + 3, volume.shape)
    moved = grid.copy()
    moved[:3, 3] = grid[:3, :3] @ low + grid[:3, 3]
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)), moved


def _volume(source: Any, channel: str | int, affine: Any) -> tuple[np.ndarray, np.ndarray]:
    """(D, H, W) and its affine."""
    names: list[str] = []
    if isinstance(source, (str, Path)):
        from medattn_lite.data.nifti_io.volumes import load_volume

        loaded = load_volume(source)
        array, affine = loaded.array, loaded.affine
    elif isinstance(source, Mapping):
        array, affine = as_array(source["image"]), source.get("affine") if affine is None else affine
        names = [str(name) for name in source.get("channels") or []]
    else:
        array = as_array(source)
    if array.ndim == 4:
        array = array[_channel(channel, names, len(array))]
    if array.ndim != 3:
        raise UserError(f"the viewer shows volumes (D, H, W); this image has shape {array.shape}")
    grid = np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]] if affine is None else as_array(affine)
    return np.asarray(array, dtype=np.float32), np.asarray(grid, dtype=np.float64)


def _channel(channel: str | int, names: list[str], count: int) -> int:
    if isinstance(channel, str):
        if channel not in names:
            raise UserError(f"there is no channel {channel!r}: use one of {', '.join(names) or range(count)}")
        return names.index(channel)
    if not -count <= channel < count:
        raise UserError(f"there is no channel {channel}: the image has {count}")
    return channel


def _overlay(source: Any, overlay: Any, shape: tuple[int, ...], grid: np.ndarray) -> np.ndarray:
    if isinstance(overlay, str) and overlay in ("mask", "signal") and isinstance(source, Mapping):
        if source.get(overlay) is None:
            raise UserError(f"this sample has no {overlay}")
        values = as_array(source[overlay])
    elif isinstance(overlay, (str, Path)):
        values, own = _volume(overlay, 0, None)
        if values.shape != shape or not np.allclose(own, grid, atol=1e-3):
            raise UserError(f"{overlay} lies on another grid than the volume: resample it to it")
    else:
        values = as_array(overlay)
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    if values.shape != shape:
        raise UserError(f"the overlay has shape {values.shape}, the volume {shape}: bring them to one grid")
    values = np.asarray(values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise UserError("the overlay holds NaN or infinite values: explain again, and look at the note")
    return values


def _nifti(values: np.ndarray, grid: np.ndarray) -> Any:
    import nibabel as nib

    return nib.Nifti1Image(np.ascontiguousarray(values, dtype=np.float32), grid)
