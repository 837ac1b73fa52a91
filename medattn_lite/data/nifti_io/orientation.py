"""The grid of a file and the package's axes: `D` inferior→superior, `H` posterior→anterior, `W` left→right.

Axes are permuted and flipped to the closest anatomical ones; nothing is interpolated.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.nifti_io.headers import unit_of
from medattn_lite.errors import UserError

ORIENTATION = ("S", "A", "R")  # where the indices of D, H and W grow to
SUFFIXES = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Grid:
    """The grid of a file: what is needed to write an array of the package back onto it.

    Attributes:
        shape: shape in the file, in the file's own axis order.
        affine: 4×4, the file's voxel indices to RAS+ in the header's unit, as the file has it.
        to_file: nibabel orientation transform (3, 2), from (D, H, W) to the file's axes.
        dtype: data type in the file, byte order included.
        slope: scale factor of the stored values; 1 when the file has none.
        inter: offset of the stored values; 0 when the file has none.
        exact: loaded with `dtype=None`, to be written back byte for byte.
        header: nibabel header, for files of another data type on the same grid.
        preamble: the bytes before the voxels, kept as they were; empty for other formats than `.nii`.
        stored: the stored values in the file's axis order, where scaling rounds them beyond recovery.
        unit_mm: millimetres per unit of length of the header.
    """

    shape: tuple[int, ...]
    affine: np.ndarray
    to_file: np.ndarray
    dtype: np.dtype
    slope: float = 1.0
    inter: float = 0.0
    exact: bool = False
    header: Any = field(default=None, repr=False)
    preamble: bytes = field(default=b"", repr=False)
    stored: np.ndarray | None = field(default=None, repr=False)
    unit_mm: float = 1.0

    @property
    def affine_mm(self) -> np.ndarray:
        """4×4, the file's voxel indices to RAS+ millimetres."""
        return np.diag([self.unit_mm] * 3 + [1.0]) @ self.affine if self.unit_mm != 1.0 else self.affine

    @property
    def axes(self) -> str:
        """Where the file's own axes run to, such as "LPS"."""
        from nibabel.orientations import aff2axcodes

        return "".join(map(str, aff2axcodes(self.affine)))

    def turned(self) -> tuple[tuple[int, ...], np.ndarray]:
        """Shape (D, H, W) and affine in millimetres once the axes are the package's, as a volume has them."""
        from nibabel.orientations import inv_ornt_aff, io_orientation, ornt_transform

        to_package = ornt_transform(io_orientation(self.affine), package_axes())
        sides = [0, 0, 0]
        for axis, (target, _) in enumerate(to_package):
            sides[int(target)] = self.shape[axis]
        return tuple(sides), self.affine_mm @ inv_ornt_aff(to_package, self.shape[:3])

    @property
    def scaled(self) -> bool:
        """Whether stored values become intensities by a slope and an offset."""
        return (self.slope, self.inter) != (1.0, 0.0)


@dataclass(frozen=True)
class Volume:
    """A volume in the package's orientation.

    Attributes:
        array: (D, H, W), or (C, D, H, W) when a 4-D file was asked for.
        affine: 4×4 float64, indices (d, h, w, 1) to RAS+ millimetres.
        grid: the file's own grid, for `save_volume`.
    """

    array: np.ndarray
    affine: np.ndarray
    grid: Grid

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along D, H and W."""
        return voxel_sizes(self.affine)


def voxel_sizes(affine: np.ndarray) -> tuple[float, float, float]:
    """Measures the millimetres between neighbours along each axis of an affine."""
    depth, height, width = np.linalg.norm(affine[:3, :3], axis=0)
    return float(depth), float(height), float(width)


def file_grid(path: Path, image: Any, stored: np.ndarray, scaling: tuple[float, float], *, exact: bool) -> Grid:
    """The grid of an opened image; with `exact` also what is needed to write the file again byte for byte.

    Raises:
        UserError: its affine has no inverse.
    """
    import nibabel as nib

    preamble = b""
    if exact and path.name.lower().endswith(SUFFIXES) and isinstance(image, nib.Nifti1Image):
        opener = gzip.open if path.name.lower().endswith(".gz") else open
        with opener(path, "rb") as stream:
            proxy: Any = image.dataobj  # as it was loaded
            preamble = stream.read(int(proxy.offset))
    affine = np.asarray(image.affine, dtype=np.float64)
    to_package = to_package_axes(affine, path)
    to_file = np.zeros_like(to_package)
    for axis, (target, flip) in enumerate(to_package):
        to_file[int(target)] = axis, flip
    lossy = preamble and scaling != (1.0, 0.0) and (stored.dtype.kind == "f" or stored.dtype.itemsize == 8)
    return Grid(stored.shape, affine, to_file, stored.dtype, *scaling, exact, image.header.copy(), preamble,
                stored if lossy else None, unit_of(image))


def scaling_of(image: Any) -> tuple[float, float]:
    """Slope and offset by which the stored values become intensities; (1, 0) where the file has none."""
    slope, inter = getattr(image.dataobj, "slope", 1.0), getattr(image.dataobj, "inter", 0.0)
    return float(1.0 if slope is None else slope), float(0.0 if inter is None else inter)


def wanted_dimensions(path: Path, shape: tuple[int, ...], *, four_d: bool) -> tuple[int, ...]:
    """The shape (X, Y, Z), or (X, Y, Z, C) if `four_d`, without further axes of length 1.

    Raises:
        UserError: the file has fewer or more dimensions, or no voxels.
    """
    expected = 4 if four_d else 3
    if min(shape, default=0) < 1:
        raise UserError(f"{path} holds no voxels (shape {shape}): copy or download it again")
    kept = shape[:expected] + tuple(size for size in shape[expected:] if size != 1)
    if len(kept) == expected:
        return kept
    if not four_d and len(kept) == 4:
        raise UserError(
            f"{path} is 4-D (shape {shape}) where one 3-D volume is expected: save each volume as its own file, "
            "or read it as dataset 'msd' if it is from the Medical Segmentation Decathlon"
        )
    raise UserError(f"{path} has shape {shape} where {expected} dimensions are expected: name a {expected}-D volume")


def package_axes() -> np.ndarray:
    """The package's axes as a nibabel orientation (3, 2)."""
    from nibabel.orientations import axcodes2ornt

    return axcodes2ornt(ORIENTATION)


def to_package_axes(affine: np.ndarray, path: Path) -> np.ndarray:
    """nibabel orientation transform (3, 2) from the axes of an affine to (D, H, W).

    Raises:
        UserError: the affine has no inverse.
    """
    from nibabel.orientations import io_orientation, ornt_transform

    sides = np.linalg.norm(affine[:3, :3], axis=0)  # in metres a voxel's volume is 1e-9: what counts is the shape
    usable = np.isfinite(affine).all() and sides.min() > 0 and abs(np.linalg.det(affine[:3, :3] / sides)) > 1e-6
    axes = io_orientation(affine) if usable else np.full((3, 2), np.nan)
    if np.isnan(axes).any():
        raise UserError(f"{path} has an affine without an inverse, so left and right are unknown: repair its header")
    return ornt_transform(axes, package_axes())


def turned(array: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """The array with its first three axes permuted and flipped."""
    from nibabel.orientations import apply_orientation

    return apply_orientation(array, transform)
