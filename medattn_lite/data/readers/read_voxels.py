"""What every reader does with voxels: one grid for all channels, whole numbers for labels, nothing constant or NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medattn_lite.data.nifti_io.volumes import Grid, Volume, load_volume, voxel_sizes
from medattn_lite.errors import UserError


def read_channels(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray, Grid]:
    """Reads one file per channel and stacks them.

    Raises:
        UserError: a file has another shape or another affine than the first.
    """
    first = load_volume(paths[0])
    array = np.empty((len(paths), *first.array.shape), np.float32)  # filled one by one: never two copies of an image
    array[0] = first.array
    affine, grid = first.affine, first.grid
    del first
    for place, path in enumerate(paths[1:], start=1):
        volume = load_volume(path)
        require_same_grid(grid, volume.grid, paths[0], path)
        array[place] = volume.array
    return array, affine, grid


def require_same_grid(first: Grid, second: Grid, first_path: Path, second_path: Path) -> None:
    """Raises a UserError that names both files if their voxels are not at the same places.

    Axes may be stored in another order or direction: both are compared after they are turned to the package's.
    """
    (shape, affine), (other_shape, other_affine) = first.turned(), second.turned()
    if shape != other_shape:
        raise UserError(
            f"{second_path} has shape {second.shape[:3]} but {first_path} has {first.shape[:3]}: "
            "register and resample them to one grid first"
        )
    # a hundredth of a millimetre, or of a voxel where that is smaller
    if not np.allclose(affine, other_affine, atol=1e-2 * min(1.0, *voxel_sizes(affine))):
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
    volume = load_labels(path)
    if grid is not None:
        require_same_grid(grid, volume.grid, image or Path("its image"), path)
    return map_labels(volume.array, values, path)


def load_labels(path: Path) -> Volume:
    """A mask as it is stored: whole numbers stay in the file's own type, so that a large one takes little memory."""
    volume = load_volume(path, dtype=None)
    if volume.array.dtype.kind == "f":
        return replace(volume, array=volume.array.astype(np.float32))
    return volume


def map_labels(array: np.ndarray, values: Mapping[int, int] | None, path: Path) -> np.ndarray:
    """Whole numbers of a mask, mapped file label → sample label (see `read_labels`)."""
    if array.dtype.kind in "iu":
        _require_range(array, path)
        return _mapped(array.astype(np.uint8, copy=False), values, path)
    if not np.isfinite(array).all():
        raise UserError(f"{path} holds NaN or infinite values where labels are expected: export the mask again")
    whole = np.rint(array)
    if np.abs(array - whole).max(initial=0) > 1e-3:
        raise UserError(f"{path} is not a mask of labels: it has values between whole numbers "
                        f"({_odd_value(array):.3g}); resample masks to the nearest voxel, "
                        "set a threshold where they are probabilities, or name the segmentation file")
    _require_range(whole, path)
    return _mapped(whole.astype(np.uint8), values, path)


def _require_range(whole: np.ndarray, path: Path) -> None:
    if whole.min(initial=0) < 0 or whole.max(initial=0) > 255:
        raise UserError(f"{path} is not a mask of labels: they are whole numbers from 0 to 255 and it has "
                        f"{int(whole.min())} to {int(whole.max())}; number them anew, or name the segmentation file")


def _mapped(labels: np.ndarray, values: Mapping[int, int] | None, path: Path) -> np.ndarray:
    if values is None:
        return labels
    table = np.zeros(256, dtype=np.uint8)
    known = np.zeros(256, dtype=bool)
    known[0] = True
    for stored, label in values.items():
        table[stored], known[stored] = label, True
    present = np.flatnonzero(label_counts(labels))
    unknown = [int(label) for label in present if not known[label]]
    if unknown:
        expected = sorted({0, *values})
        raise UserError(
            f"{path} has unknown labels {unknown}; expected {expected}: "
            "correct the file, or say what they mean with label_map={file label: sample label}"
        )
    return table[labels]


def label_counts(labels: np.ndarray) -> np.ndarray:
    """How many voxels of (D, H, W) uint8 have each label, (256,); in slices, since `bincount` takes 64 bits each."""
    counts = np.zeros(256, dtype=np.int64)
    for part in labels:
        counts += np.bincount(part.ravel(), minlength=256)
    return counts


def _odd_value(array: np.ndarray) -> float:
    return float(array.flat[int(np.abs(array - np.rint(array)).argmax())])


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
