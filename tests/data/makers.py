"""Small files in the layouts of the public data sets, made on the spot: no patient is in the repository."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

LPS = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 23], [0, 0, 1.0, 0], [0, 0, 0, 1]])  # BraTS' axes


def brain(shape: tuple[int, ...] = (20, 24, 16), seed: int = 0, scale: float = 100.0) -> np.ndarray:
    """A noisy ellipsoid on a background of exact zeros."""
    grid = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    inside = sum(axis**2 for axis in grid) < 0.8
    values = np.random.default_rng(seed).uniform(0.5, 1.5, shape) * scale
    return np.where(inside, values, 0).astype(np.float32)


def save(array: np.ndarray, path: Path, affine: np.ndarray = LPS) -> Path:
    """Writes an array as it is, file axes and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def tumour(shape: tuple[int, ...] = (20, 24, 16), labels: tuple[int, ...] = (1, 2, 4)) -> np.ndarray:
    """A block of each label near the middle, at a different size each."""
    mask = np.zeros(shape, dtype=np.uint8)
    for number, label in enumerate(labels):
        mask[8 + number, 10 : 13 + number, 7:10] = label
    return mask


def brats_case(folder: Path, *, style: str = "old", labels: tuple[int, ...] = (1, 2, 4), seed: int = 0) -> Path:
    """One case with four modalities and a segmentation."""
    endings = {"old": ("_t1", "_t1ce", "_t2", "_flair", "_seg"), "new": ("-t1n", "-t1c", "-t2w", "-t2f", "-seg")}
    *images, seg = endings[style]
    for number, ending in enumerate(images):
        save(brain(seed=seed + number), folder / f"{folder.name}{ending}.nii.gz")
    save(tumour(labels=labels), folder / f"{folder.name}{seg}.nii.gz")
    return folder


def lgg_case(
    root: Path, case: str, *, slices: int = 12, size: int = 32, seed: int = 0, copy: str | None = None
) -> Path:
    """One case of TIFF slices: a disc with a bright tumour on slices 5 to 8, on the picture's right."""
    folder = root / case
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    for number in range(1, slices + 1):
        image = generator.integers(40, 120, (size, size, 3)) * (row**2 + column**2 < 0.8)[..., None]
        mask = np.zeros((size, size), dtype=np.uint8)
        if 5 <= number <= 8:
            mask[size // 4 : size // 2, size // 2 + 2 : size // 2 + 8] = 255
            image[mask > 0, 1] = 220
        if copy:
            image[..., {"pre": 0, "post": 2}[copy]] = image[..., 1]
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{case}_{number}.tif", compression="tiff_adobe_deflate")
        Image.fromarray(mask).save(folder / f"{case}_{number}_mask.tif")
    return folder
