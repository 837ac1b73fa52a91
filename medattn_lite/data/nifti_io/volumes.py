"""NIfTI volumes in the package's one orientation: `D` inferior→superior, `H` posterior→anterior, `W` left→right.

Axes are permuted and flipped to the closest anatomical ones, once, on loading; nothing is
interpolated, so an oblique scan stays oblique and its affine says so. `save_volume` undoes the
same permutation and flips, so that a map lies on its image in any viewer. With `dtype=None` the
way there and back gives the same bytes: header, scaling, byte order and voxels.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import new_file
from medattn_lite.data.nifti_io.headers import open_image, read_voxels, remarks, what_it_is
from medattn_lite.data.nifti_io.orientation import (
    SUFFIXES,
    Grid,
    Volume,
    file_grid,
    package_axes,
    scaling_of,
    to_package_axes,
    turned,
    voxel_sizes,
    wanted_dimensions,
)
from medattn_lite.errors import UserError

__all__ = ["Grid", "Volume", "load_volume", "save_volume", "voxel_sizes"]


def load_volume(
    path: str | Path, *, dtype: Any = np.float32, four_d: bool = False, volume: int | None = None
) -> Volume:
    """Reads a volume and turns it into the package's orientation.

    Args:
        path: a file that nibabel reads (`.nii`, `.nii.gz`, `.mgz`, …), or `.nrrd`, `.nhdr`, `.mha`, `.mhd`.
        dtype: data type of the array; None keeps the file's own (float64 where the file scales its
            values), which `save_volume` writes back byte for byte.
        four_d: expect (X, Y, Z, C) in the file and return (C, D, H, W).
        volume: expect (X, Y, Z, C) and read this one of its volumes only, as (D, H, W); the grid is the file's.

    Returns:
        The volume with its affine and its file grid.

    Raises:
        UserError: the file is missing, damaged, cut short, in colour, or has other dimensions.
    """
    import nibabel as nib

    path = regular_file(path)
    try:
        image = open_image(path)
        if volume is not None:
            four_sides = wanted_dimensions(path, tuple(image.shape), four_d=True)
            if not 0 <= volume < four_sides[3]:
                raise UserError(f"{path} has no volume {volume}: it has {four_sides[3]}")
        stored = read_voxels(path, image, volume=volume)
        slope, inter = scaling_of(image)
    except UserError:
        raise
    except Exception as error:  # nibabel's formats fail in ways of their own: KeyError, ExpatError, …
        raise unreadable(path, error) from error
    if stored.dtype.kind not in "iuf":
        raise UserError(f"{path} holds colours or complex numbers ({stored.dtype}) where one number per voxel is "
                        "expected: name the grey image, or convert it")
    grid = file_grid(path, image, stored, (slope, inter), exact=dtype is None)
    array = stored.reshape(wanted_dimensions(path, stored.shape, four_d=four_d))
    to_package = to_package_axes(grid.affine, path)
    array = turned(array, to_package)
    if grid.scaled:
        array = _scaled(array, slope, inter, dtype)
    if four_d:
        array = np.moveaxis(array, 3, 0)
    wanted = array.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
    affine = grid.affine_mm @ nib.orientations.inv_ornt_aff(to_package, stored.shape[:3])
    return Volume(np.ascontiguousarray(array, dtype=wanted), affine, grid)


def header_remarks(path: str | Path) -> tuple[list[str], list[str]]:
    """What a file's header leaves uncertain: problems and remarks about its size, unit, left and right.

    Only the header is read. What cannot be opened has none: `load_volume` says why.
    """
    try:
        return remarks(open_image(regular_file(path)))
    except Exception:  # noqa: BLE001 - see above
        return [], []


def dimensions(path: str | Path) -> tuple[int, ...]:
    """The sides of a file longer than 1, from its header alone; none where it cannot be opened."""
    try:
        return tuple(int(side) for side in open_image(regular_file(path)).shape if side > 1)
    except Exception:  # noqa: BLE001 - load_volume says in words what is wrong with it
        return ()


def regular_file(path: str | Path) -> Path:
    """The path, if a file that can be read to its end lies there.

    Raises:
        UserError: nothing is there, a folder, a link without its target, or a pipe, which would never end.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a NIfTI file in it")
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link and its target is not there: get the file (git annex get), or copy it")
    if not path.exists():
        raise UserError(f"no file {path}: check the path")
    if not path.is_file():
        raise UserError(f"{path} is a pipe or a device: name a file")
    return path


def unreadable(path: Path, error: BaseException) -> UserError:
    """The one line about a file that cannot be read: what it is if its first bytes tell, else that it is damaged."""
    known = what_it_is(path)
    if known:
        return UserError(f"cannot read {path}: {known}")
    return UserError(f"cannot read {path}: it is damaged, cut short or no NIfTI file ({_first_line(error)}); "
                     "copy or download it again")


def save_volume(
    array: np.ndarray,
    path: str | Path,
    *,
    grid: Grid | None = None,
    affine: np.ndarray | None = None,
    dtype: Any = None,
    overwrite: bool = False,
) -> Path:
    """Writes an array of the package as NIfTI, on the grid of the file it came from.

    Args:
        array: (D, H, W), or (C, D, H, W) for a 4-D file; a torch tensor on the CPU will do.
        path: ends in `.nii` or `.nii.gz`. It appears whole or not at all.
        grid: grid of the file that the array lies on.
        affine: instead of a grid, 4×4 from (d, h, w, 1) to RAS+ millimetres (phantoms, crops).
        dtype: data type in the file. None means the array's own, and the file's own bytes again
            where the array came from `load_volume(path, dtype=None)`.
        overwrite: replace an existing file.

    Returns:
        The path written.

    Raises:
        UserError: the path exists or does not end in `.nii(.gz)`, the array does not fit the grid, or its
            values do not fit the data type.
    """
    import nibabel as nib

    path = Path(path).expanduser()
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"cannot write {path}: the name must end in .nii or .nii.gz")
    array = np.asarray(array)
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype == np.float16:  # NIfTI has no half precision
        array = array.astype(np.float32)
    if array.ndim not in (3, 4):
        raise UserError(f"cannot write {path}: expected (D, H, W) or (C, D, H, W), not shape {array.shape}")
    voxels = np.moveaxis(array, 0, 3) if array.ndim == 4 else array
    if grid is None:
        if affine is None:
            raise UserError(f"cannot write {path}: pass the grid of the file, or an affine")
        to_ras = nib.orientations.ornt_transform(package_axes(), nib.orientations.axcodes2ornt("RAS"))
        file_affine = np.asarray(affine) @ nib.orientations.inv_ornt_aff(to_ras, voxels.shape[:3])
        content = _encode(turned(voxels, to_ras), file_affine, None, _storable(path, voxels, dtype))
    else:
        voxels = turned(voxels, grid.to_file)
        if voxels.shape[:3] != grid.shape[:3]:
            raise UserError(f"cannot write {path}: the array has shape {array.shape} but its grid has {grid.shape}")
        kept = _bytes_as_stored(voxels, grid) if grid.exact and dtype is None else None
        if kept is not None:
            content = kept
        else:
            content = _encode(voxels, grid.affine, grid.header, _storable(path, voxels, dtype))
    with new_file(path, overwrite=overwrite) as part:
        part.write_bytes(gzip.compress(content, compresslevel=6, mtime=0) if path.name.endswith(".gz") else content)
    return path


def _bytes_as_stored(voxels: np.ndarray, grid: Grid) -> bytes | None:
    """The original file's bytes with these voxels, if they can be stored there without loss."""
    native = np.dtype(np.float64) if grid.scaled else grid.dtype.newbyteorder("=")
    if not grid.preamble or voxels.dtype != native or voxels.size != np.prod(grid.shape):
        return None
    stored = voxels
    if grid.scaled:
        stored = (voxels - grid.inter) / grid.slope
        stored = np.rint(stored) if grid.dtype.kind in "iu" else stored
        stored = stored.astype(grid.dtype)
        if grid.stored is not None:  # several floats scale to one value: keep the file's own where it fits
            in_header = grid.stored.reshape(voxels.shape)
            value = in_header.astype(np.float64) * grid.slope + grid.inter
            stored = np.where((value == voxels) | np.isnan(value) & np.isnan(voxels), in_header, stored)
        if not np.array_equal(stored.astype(np.float64) * grid.slope + grid.inter, voxels, equal_nan=True):
            return None
    return grid.preamble + stored.astype(grid.dtype).tobytes(order="F")


def _scaled(array: np.ndarray, slope: float, inter: float, dtype: Any) -> np.ndarray:
    """Intensities of stored values: in double precision, slice by slice where the caller wants single."""
    if dtype is None or np.dtype(dtype) != np.float32:
        return array.astype(np.float64) * slope + inter
    scaled = np.empty(array.shape, np.float32)
    for place, part in enumerate(array):
        scaled[place] = part.astype(np.float64) * slope + inter
    return scaled


def _storable(path: Path, voxels: np.ndarray, dtype: Any) -> np.dtype:
    """The data type to write; refuses one that would wrap values around or turn NaN into a number."""
    kind = voxels.dtype.newbyteorder("=") if dtype is None else np.dtype(dtype)
    if kind in (np.int64, np.uint64):  # few viewers read 64-bit integers
        kind = np.dtype(np.int32)
    if kind.kind in "iu" and voxels.size:
        limits, low, high = np.iinfo(kind), np.rint(voxels.min()), np.rint(voxels.max())
        if not (limits.min <= low and high <= limits.max):  # NaN fits nowhere
            raise UserError(f"cannot write {path}: values from {low:g} to {high:g} do not fit {kind}; "
                            "write them as float32")
    return kind


def _encode(voxels: np.ndarray, affine: np.ndarray, header: Any, dtype: np.dtype) -> bytes:
    import nibabel as nib

    voxels = (np.rint(voxels) if dtype.kind in "iu" and voxels.dtype.kind == "f" else voxels).astype(dtype, copy=False)
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    kept = header.copy() if isinstance(header, nib.Nifti1Header) else None
    image = kind(voxels, affine, kept)
    image.set_data_dtype(voxels.dtype)
    image.header.set_slope_inter(1, 0)
    image.header["cal_min"] = image.header["cal_max"] = 0  # the window of the original image does not suit a map
    if kept is None:
        image.set_sform(affine, code="scanner")
        image.header.set_xyzt_units("mm")
    return image.to_bytes()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120]
