"""What every reader does with voxels: one grid for all channels, whole numbers for labels, nothing constant or NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from medattn_lite.data.volumes import Grid, load_volume
from medattn_lite.errors import UserError


def read_channels(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray, Grid]:
    """Reads one file a channel and stacks them.

    Raises:
        UserError: a file has another shape or another affine than the first.
    """
    volumes = [load_volume(path) for path in paths]
    first = volumes[0]
    for path, volume in zip(paths, volumes, strict=True):
        require_same_grid(first.grid, volume.grid, paths[0], path)
    return np.stack([volume.array for volume in volumes]), first.affine, first.grid


def require_same_grid(first: Grid, second: Grid, first_path: Path, second_path: Path) -> None:
    """Raises a UserError that names both files if they do not lie on the same voxels."""
    if first.shape[:3] != second.shape[:3]:
        raise UserError(
            f"{second_path} has shape {second.shape[:3]} but {first_path} has {first.shape[:3]}: "
            "register and resample them to one grid first"
        )
    if not np.allclose(first.affine, second.affine, atol=1e-2):
        raise UserError(
            f"{second_path} has another affine than {first_path}: they do not lie on each other; "
            "register and resample them to one grid first"
        )


def read_labels(
    path: Path, values: Mapping[int, int] | None, *, grid: Grid | None = None, image: Path | None = None
) -> np.ndarray:
    """Reads a mask and maps its labels.

    Args:
        path: mask file.
        values: file label → sample label; 0 stays 0. None keeps whole numbers from 0 to 255.
        grid: grid that the mask must share, if given.
        image: file that the grid is of, for the message.

    Raises:
        UserError: other shape or affine, values that are not whole numbers, or unknown labels.
    """
    volume = load_volume(path)
    if grid is not None:
        require_same_grid(grid, volume.grid, image or Path("its image"), path)
    return map_labels(volume.array, values, path)


def map_labels(array: np.ndarray, values: Mapping[int, int] | None, path: Path) -> np.ndarray:
    """Whole numbers of a mask, mapped file label → sample label (see `read_labels`)."""
    if not np.isfinite(array).all():
        raise UserError(f"{path} holds NaN or infinite values where labels are expected: export the mask again")
    whole = np.rint(array)
    if np.abs(array - whole).max(initial=0) > 1e-3 or whole.min(initial=0) < 0 or whole.max(initial=0) > 255:
        raise UserError(f"{path} is no mask: labels are whole numbers from 0 to 255; name the segmentation file")
    labels = whole.astype(np.uint8)
    if values is None:
        return labels
    table = np.zeros(256, dtype=np.uint8)
    known = np.zeros(256, dtype=bool)
    known[0] = True
    for stored, label in values.items():
        table[stored], known[stored] = label, True
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    unknown = [int(label) for label in present if not known[label]]
    if unknown:
        expected = sorted({0, *values})
        raise UserError(
            f"{path} has unknown labels {unknown}; expected {expected}: "
            "correct the file, or say what they mean with label_map={file label: sample label}"
        )
    return table[labels]


def check_voxels(array: np.ndarray, paths: Sequence[Path], channels: Sequence[str]) -> None:
    """Raises a UserError for NaN, infinite or constant channels of (C, D, H, W)."""
    for number, channel in enumerate(array):
        name = channels[number] if number < len(channels) else str(number)
        path = paths[min(number, len(paths) - 1)] if paths else "the image"
        low, high = channel.min(), channel.max()  # NaN and infinity reach both ends
        if not (np.isfinite(low) and np.isfinite(high)):
            raise UserError(f"{path} (channel {name}) holds NaN or infinite values: repair or leave out this case")
        if low == high:
            raise UserError(f"{path} (channel {name}) is constant ({low:g} everywhere): repair or leave out this case")
