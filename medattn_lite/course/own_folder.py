"""A folder such as a user brings: a table, a folder for each patient, NIfTI files, and what goes wrong with them.

The patients are phantoms. Some faults are what `check-data` finds, one is what only looking finds.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np

from medattn_lite.errors import UserError

CHANNELS = ("t1", "t1ce", "t2", "flair")
FAULTS = {
    "p03": "the header of the mask says left for right and front for back: image and mask lie apart",
    "p05": "the mask itself was mirrored left to right, and its header kept: image and mask lie on one grid",
    "p06": "slices twice as thick as everybody else's",
    "p08": "the table names a FLAIR that is not there",
    "p10": "the pictures of p02 again, as another patient",
}


def make_own_folder(
    root: str | Path, *, n: int = 14, shape: tuple[int, int, int] = (52, 64, 54), spacing_mm: float = 3.0,
    seed: int = 0, faults: bool = True,
) -> Path:  # fmt: skip
    """Writes `root/cases.csv` and `root/pNN/{t1,t1ce,t2,flair,mask}.nii.gz` of synthetic gliomas.

    Args:
        root: a folder that does not exist yet, or is empty.
        n: patients; at least 11, so that all faults have their patient. Half of them have a high grade.
        shape: of the files, (D, H, W).
        spacing_mm: of the files.
        seed: of the patients.
        faults: plant what `FAULTS` lists.

    Returns:
        The folder.

    Raises:
        UserError: the folder holds something already, or n is too small.
    """
    from medattn_lite.data import PhantomCohort
    from medattn_lite.data.nifti_io.volumes import save_volume

    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise UserError(f"{root} is there already: name a new folder, nothing is overwritten")
    if n < 11:
        raise UserError(f"n={n}: at least 11 patients are needed")
    cohort = PhantomCohort(n, task="grade", shape=shape, spacing_mm=spacing_mm, seed=seed)
    for number in range(n):
        sample, folder = cohort[number], root / f"p{number:02}"
        folder.mkdir(parents=True)
        image = np.rint(sample["image"].numpy()).astype(np.int16)  # (C, D, H, W)
        mask, affine = sample["mask"][0].numpy(), np.array(sample["affine"], dtype=float)
        if faults and folder.name == "p06":
            image, mask, affine = _thick(image, mask, affine)
        for name, channel in zip(CHANNELS, image, strict=True):
            save_volume(channel, folder / f"{name}.nii.gz", affine=affine)
        if faults and folder.name == "p05":
            mask = mask[:, :, ::-1]
        if faults and folder.name == "p03":
            affine = np.diag([-1.0, -1, 1, 1]) @ affine  # LPS written where RAS is read
        save_volume(mask, folder / "mask.nii.gz", affine=affine)
    if faults:
        (root / "p08" / "flair.nii.gz").unlink()
        for name in (*CHANNELS, "mask"):
            shutil.copy(root / "p02" / f"{name}.nii.gz", root / "p10" / f"{name}.nii.gz")
    _write_table(root / "cases.csv", cohort.labels)
    return root


def _thick(image: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two slices averaged into one; the affine's first column grows, and the first slice's middle moves up."""
    even = image.shape[1] // 2 * 2
    pairs = image[:, :even].reshape(len(image), -1, 2, *image.shape[2:]).mean(2).round().astype(np.int16)
    thick = affine.copy()
    thick[:3, 0] *= 2
    thick[:3, 3] += 0.5 * affine[:3, 0]
    return pairs, mask[:even:2], thick


def _write_table(path: Path, labels: list[int]) -> None:
    header = ["subject", *(f"image_{name}" for name in CHANNELS), "mask", "label"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for number, label in enumerate(labels):
            case = f"p{number:02}"
            writer.writerow([case, *(f"{case}/{name}.nii.gz" for name in (*CHANNELS, "mask")), label])
