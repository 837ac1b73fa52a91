"""Kaggle's `lgg-mri-segmentation`: 110 patients of TCGA-LGG as TIFF slices (Buda et al. 2019).

Layout: `CASE/CASE_k.tif` (RGB: pre-contrast, FLAIR, post-contrast), `CASE/CASE_k_mask.tif`
(FLAIR abnormality), slices 1..n, and `data.csv`. An optional `cases.csv` beside it gives overall
survival (`OS`, `OS.time` in days), grade (`cdr_grade`) and IDH status by case or patient.

Orientation: slices run inferior→superior; a row runs anterior→posterior down and the patient's
right→left across, as radiologists look at it (all 40 tumours that `data.csv` calls left-sided lie
on the picture's right). Rows and columns are therefore both flipped. The TIFFs carry no voxel
size: the affine counts in voxels, `meta["voxel_size_mm"]` is None unless you give `spacing_mm`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import existing_folder
from medattn_lite.data.readers.cases import Case, PatientDataset, Sample
from medattn_lite.data.readers.csv_tables import column, natural, number, read_csv, text
from medattn_lite.data.readers.patient_names import named
from medattn_lite.data.transforms import positive_sizes
from medattn_lite.errors import UserError

CHANNELS = ("pre", "flair", "post")
TASKS = ("grade", "idh")


class LGGDataset(PatientDataset):
    """One sample per case: image (3, D, H, W) and binary mask.

    Args:
        root: the folder `kaggle_3m`.
        task: what `label` means: "grade" (0 = G2, 1 = G3) or "idh" (0 = wild type, 1 = mutant).
        spacing_mm: voxel size along D, H and W, if you know it; the files do not.
        copies: "keep", or "drop" for the cases in which a missing channel was filled with FLAIR
            (found when a sample is read; `drop` reads every case once).
    """

    expects = "CASE/CASE_1.tif, CASE/CASE_1_mask.tif, …"

    def __init__(
        self,
        root: str | Path,
        *,
        task: str = "grade",
        spacing_mm: float | Sequence[float] | None = None,
        copies: str = "keep",
    ) -> None:
        if task not in TASKS:
            raise UserError(f"unknown task {task!r} for lgg: choose one of {', '.join(TASKS)}")
        if copies not in ("keep", "drop"):
            raise UserError(f"unknown copies={copies!r}: choose 'keep' or 'drop'")
        folder = existing_folder(root, "the case folders of lgg-mri-segmentation (CASE/CASE_1.tif …)")
        cases = find_cases(folder, task=task)
        super().__init__("lgg", folder, CHANNELS, cases)
        self.spacing_mm = None if spacing_mm is None else positive_sizes(spacing_mm)
        if copies == "drop":
            self.cases = [case for case in self.cases if not copied_channels(_voxels(read_stack(case, masks=False)[0]))]

    def read_image(self, case: Case) -> tuple[np.ndarray, np.ndarray, None]:
        """(3, D, H, W) with values 0 to 255."""
        return _voxels(read_stack(case, masks=False)[0]), np.array(_affine(self.spacing_mm)), None

    def read_mask(self, case: Case, grid: Any = None) -> np.ndarray:
        """(D, H, W) of 0 and 1: the FLAIR abnormality."""
        return _voxels(read_stack(case, images=False)[1])

    def files(self) -> list[Path]:
        """Every slice and every mask of a case."""
        slices = [path for case in self.cases for path in slice_files(next(iter(case.images.values())))]
        return [*slices, *map(mask_file, slices)]

    def read(self, case: Case) -> Sample:
        """Reads one case into a sample; see `PatientDataset.read`."""
        sample = super().read(case)
        sample["meta"]["voxel_size_mm"] = self.spacing_mm
        sample["meta"]["channel_copies"] = copied_channels(sample["image"].numpy())
        return sample


def _voxels(part: np.ndarray | None) -> np.ndarray:
    """A part of `read_stack` that was asked for."""
    if part is None:
        raise UserError("the folder has no such slices: check it with medattn check-data lgg --root DIR")
    return part


def find_cases(root: Path, *, task: str = "grade") -> list[Case]:
    """Case folders below `root`, also when `root` is the folder above `kaggle_3m`."""
    root = home(root)
    facts = _Facts(root)
    cases = []
    for folder in _case_folders(root):
        subject, known = named([folder.name])
        case = Case(case=folder.name, subject=subject, images={},
                    meta={"mask_labels": "1 abnormal FLAIR", **({} if known else {"patient_known": False})})
        slices = slice_files(folder)
        masks = [mask_file(path) for path in slices]
        case = case.with_facts(
            images={name: folder for name in CHANNELS},
            mask=folder if any(path.exists() for path in masks) else None,
            meta={"slices": len(slices)},
        )
        cases.append(facts.add(case, task))
    return cases


def home(root: Path) -> Path:
    """The folder of the cases: `root`, or a `kaggle_3m` up to three folders below it, as archives unpack."""
    if not _case_folders(root):
        for pattern in ("kaggle_3m", "*/kaggle_3m", "*/*/kaggle_3m"):
            folder = next((path for path in sorted(root.glob(pattern)) if path.is_dir() and _case_folders(path)), None)
            if folder is not None:
                return folder
    return root


def patient(case: str) -> str:
    """`TCGA_CS_4942_19970222` → `TCGA_CS_4942`; a scan's date is not a part of a patient."""
    return named([case])[0]


def slice_files(folder: Path) -> list[Path]:
    """The image slices of a case, in natural order."""
    pattern = re.compile(re.escape(folder.name) + r"_(\d+)\.tiff?$", flags=re.IGNORECASE)
    return sorted((path for path in folder.iterdir() if pattern.match(path.name)), key=lambda path: natural(path.name))


def slice_number(path: Path) -> int:
    """The k of `CASE_k.tif`."""
    return int(path.stem.rsplit("_", 1)[1])


def mask_file(image: Path) -> Path:
    """`CASE_k.tif` → `CASE_k_mask.tif`."""
    return image.with_name(f"{image.stem}_mask{image.suffix}")


def read_tiff(path: Path) -> np.ndarray:
    """Pixels of one TIFF, (H, W) or (H, W, 3).

    Raises:
        UserError: it is missing, damaged or cut short.
    """
    from PIL import Image

    if path.exists() and not path.is_file():
        raise UserError(f"{path} is not a file: copy or download the case again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pillow warns about a cut file before it fails: once is enough
            with Image.open(path, formats=["TIFF"]) as picture:
                return np.asarray(picture)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: copy or download the case again") from error
    except Exception as error:  # pillow fails in many ways, and refuses pictures that unpack to gigabytes
        raise UserError(f"cannot read {path}: it is damaged or cut short; copy or download it again") from error


def read_stack(case: Case, *, images: bool = True, masks: bool = True) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Reads the slices of a case in the package's orientation.

    Returns:
        Image (3, D, H, W) uint8 and mask (D, H, W) uint8; None for what was not asked for.

    Raises:
        UserError: a slice cannot be read or has another size.
    """
    folder = next(iter(case.images.values()))
    files = slice_files(folder)
    image = mask = None
    if images:
        image = np.moveaxis(_stack(files, channels=True), -1, 0)
    if masks:
        # 0 and 255 in the files, with a few in-between values in recompressed copies
        mask = (_stack([mask_file(path) for path in files], channels=False) > 127).astype(np.uint8)
    return image, mask


def copied_channels(image: np.ndarray) -> tuple[str, ...]:
    """Names of the channels of (3, D, H, W) that are FLAIR again: in the source, that sequence was missing."""
    return tuple(name for name, channel in zip(CHANNELS, image, strict=True)
                 if name != "flair" and np.array_equal(channel, image[CHANNELS.index("flair")]))


def _stack(files: Sequence[Path], *, channels: bool) -> np.ndarray:
    slices = [read_tiff(path) for path in files]
    for path, pixels in zip(files, slices, strict=True):
        if pixels.ndim != (3 if channels else 2) or (channels and pixels.shape[2] != len(CHANNELS)):
            raise UserError(f"{path} has shape {pixels.shape}: expected {'RGB' if channels else 'one grey channel'}")
        if pixels.shape != slices[0].shape:
            raise UserError(f"{path} has shape {pixels.shape} but {files[0].name} has {slices[0].shape}: "
                            "all slices of a case need one size; copy or download it again")
    return np.stack(slices)[:, ::-1, ::-1]


def _affine(spacing_mm: Sequence[float] | None) -> np.ndarray:
    depth, height, width = spacing_mm or (1.0, 1.0, 1.0)
    return np.array([[0, 0, width, 0], [0, height, 0, 0], [depth, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)


def _case_folders(root: Path) -> list[Path]:
    folders = (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted((folder for folder in folders if slice_files(folder)), key=lambda path: natural(path.name))


class _Facts:
    """What data.csv and cases.csv say about a case."""

    def __init__(self, root: Path) -> None:
        self.tables = []
        for name in ("cases.csv", "data.csv"):  # the first that knows an answer wins
            if (root / name).is_file():
                frame = read_csv(root / name)
                keys = [key for key in (column(frame, ["case"]), column(frame, ["Patient"])) if key]
                rows = {str(row[key]).replace("-", "_"): row for key in keys for _, row in frame.iterrows()}
                self.tables.append((frame, rows))

    def cell(self, case: Case, *names: str) -> str | None:
        for frame, rows in self.tables:
            row = rows.get(case.case, rows.get(case.subject.replace("-", "_")))
            for name in filter(None, (column(frame, [alias]) for alias in names)):
                if row is not None and text(row[name]) is not None:
                    return text(row[name])
        return None

    def add(self, case: Case, task: str) -> Case:
        grade = {"G2": "G2", "G3": "G3"}.get(self.cell(case, "cdr_grade") or "")
        # data.csv writes 1 for G2 and 2 for G3
        grade = grade or {1.0: "G2", 2.0: "G3"}.get(number(self.cell(case, "neoplasm_histologic_grade")) or 0.0)
        idh = self.cell(case, "IDH status", "IDH")
        labels = {"grade": {"G2": 0, "G3": 1}.get(grade or ""), "idh": {"WT": 0, "Mutant": 1}.get(idh or "")}
        event, time = number(self.cell(case, "OS")), number(self.cell(case, "OS.time"))
        known = event is not None and time is not None
        meta = {
            "grade": grade,
            "idh": idh,
            "who_2021": self.cell(case, "WHO_CNS5_diagnosis"),
            "age": number(self.cell(case, "age_at_initial_pathologic", "age_at_initial_pathologic_diagnosis")),
        }
        return case.with_facts(label=labels[task], time=time if known else None,
                               event=bool(event) if known else None, meta=meta)
