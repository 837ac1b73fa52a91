"""A page with three linked planes of a volume and a map over them, to read without a kernel and without a network.

nilearn makes it (brainsprite inside, nothing from another host): click in a plane to move the crosshair in all three.
"""

from __future__ import annotations

import math
import re
import warnings
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data import new_file
from medattn_lite.widgets.volume_layers import Layers

LARGEST = 4_000_000  # bytes of a page
_ICON = re.compile(r'<link[^>]*\brel="[^"]*icon"[^>]*>')  # which nilearn asks another host for
FINEST = 128  # voxels per side: a larger volume is shown at every second voxel, or third, …


def volume_page(layers: Layers, *, opacity: float, colour_map: str) -> str:
    """The page of a volume with its first overlay.

    Args:
        layers: what is shown.
        opacity: of the overlay, 0 to 1.
        colour_map: of the overlay; a name of matplotlib's.

    Returns:
        HTML of at most `LARGEST` characters; coarser where the volume is too large for that.
    """
    step = max(1, math.ceil(max(layers.shape) / FINEST))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nilearn tells of thresholds and of binary images, which we mean
        while len(page := _page(layers, step, opacity, colour_map).html) > LARGEST and step < max(layers.shape):
            step += 1
    return _ICON.sub('<link rel="icon" href="data:,">', page)


def save_page(layers: Layers, path: Path, *, opacity: float, colour_map: str, overwrite: bool = False) -> int:
    """Writes the page; returns how many bytes it has.

    Raises:
        UserError: the file is there already, or its folder is missing.
    """
    page = volume_page(layers, opacity=opacity, colour_map=colour_map)
    words = f'<p style="font: 15px sans-serif">{escape(layers.words())} Click in a plane to move the cross.</p>'
    title = f"<title>{escape(layers.words()[:80])}</title>"
    page = re.sub(r"<title>.*?</title>", lambda _: title, page, count=1, flags=re.DOTALL)
    written = page.replace("<body>", f"<body>{words}", 1).encode()
    with new_file(path, overwrite=overwrite) as part:
        part.write_bytes(written)
    return len(written)


def _page(layers: Layers, step: int, opacity: float, colour_map: str) -> Any:
    from nilearn.plotting import view_img

    contrast = layers.contrasts[layers.chosen]
    seen, grid = _middles(contrast.values, step), layers.affine @ np.diag([step, step, step, 1.0])
    grid[:3, 3] = (layers.affine @ [step // 2, step // 2, step // 2, 1.0])[:3]
    box, cropped = _without_margin(seen, grid)
    background = _nifti(seen[box], cropped)
    low, high = contrast.limits
    if not layers.overlays:
        return view_img(background, bg_img=None, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), colorbar=False,
                        symmetric_cmap=False, threshold=None, title="", draw_cross=True,
                        resampling_interpolation="nearest")  # fmt: skip
    overlay = layers.overlays[0]
    values = _strongest(overlay.values, step)
    if not values[box].any():  # it lies beside the head
        box, cropped = (slice(None),) * 3, grid
        background = _nifti(seen, grid)
    return view_img(
        _nifti(values[box], cropped), bg_img=background, cmap=colour_map, opacity=opacity,
        symmetric_cmap=overlay.signed, vmin=None if overlay.signed else 0.0, vmax=float(max(map(abs, overlay.limits))),
        threshold=1e-12, title="", resampling_interpolation="nearest", black_bg=True, dim=0,
    )  # fmt: skip


def _middles(values: np.ndarray, step: int) -> np.ndarray:
    """The middle voxel of each block of step³ voxels."""
    padded = np.pad(values, [(0, -side % step) for side in values.shape], mode="edge")
    return padded[(slice(step // 2, None, step),) * 3]


def _strongest(values: np.ndarray, step: int) -> np.ndarray:
    """The value farthest from 0 of each block of step³ voxels, so that thinning drops no small lesion."""
    if step == 1:
        return values
    padded = np.pad(values.astype(np.float32), [(0, -side % step) for side in values.shape])
    sides = [part for side in padded.shape for part in (side // step, step)]
    blocks = padded.reshape(sides)
    high, low = blocks.max(axis=(1, 3, 5)), blocks.min(axis=(1, 3, 5))
    return np.where(high >= -low, high, low)


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


def _nifti(values: np.ndarray, grid: np.ndarray) -> Any:
    import nibabel as nib

    return nib.Nifti1Image(np.ascontiguousarray(values, dtype=np.float32), grid)
