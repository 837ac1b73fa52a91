"""`open_ms_data`, cross-sectional: 30 patients with multiple sclerosis from Ljubljana (Lesjak et al. 2017).

| layout | folder | images |
|---|---|---|
| "MNI" | `MNI/patientNN/*_regtoMNI.nii.gz` | registered to MNI, skull-stripped, 1 mm |
| "coregistered" | `coregistered/patientNN/{FLAIR,T1W,T1WKS,T2W,consensus_gt,brainmask}.nii.gz` | on the FLAIR grid |
| "raw" | `raw/patientNN/{FLAIR,T1W,T1WKS,T2W,consensus_gt}.nii.gz` | each on its own grid |

File names may start with `patientNN_`. The mask is the raters' consensus: 1 lesion. In the raw
layout T1 and T2 are resampled to the FLAIR grid by their affines; they are not registered, so a
patient who moved between sequences shows it. Where a source file does not exist for a patient
(several mirrors carry masks alone), the patient is listed in `incomplete`, and `lesion_masks`
still reads the mask. Age, sex, MS type and EDSS come from `patient_info.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import existing_folder
from medattn_lite.data.nifti_io.volumes import Grid, Volume, load_volume
from medattn_lite.data.readers.cases import Case, PatientDataset, mask_of
from medattn_lite.data.readers.csv_tables import column, natural, number, read_csv, text
from medattn_lite.data.readers.find_files import nifti_files
from medattn_lite.data.readers.read_voxels import map_labels, read_channels, read_labels
from medattn_lite.errors import UserError

LAYOUTS = ("MNI", "coregistered", "coregistered_resampled", "raw")
CHANNELS = ("t1", "t2", "flair")
_STEMS = {
    "flair": "flair", "t1": "t1", "t1w": "t1", "t2": "t2", "t2w": "t2",
    "t1post": "t1ce", "t1wks": "t1ce", "t1ks": "t1ce",
    "gold": "mask", "consensus": "mask", "brainmask": "brain",
}  # fmt: skip


class OpenMSDataset(PatientDataset):
    """One sample per patient: image (3, D, H, W) in the order t1, t2, flair, and the lesion mask.

    Args:
        root: the folder `open_ms_data`, `cross_sectional`, or one layout's folder.
        layout: "MNI", "coregistered", "coregistered_resampled" or "raw"; None takes the first that
            is there.
        contrast: add the contrast-enhanced T1 as a fourth channel, "t1ce", first after "t1".
    """

    expects = "MNI/patient01/…, coregistered/patient01/… or raw/patient01/…"

    def __init__(self, root: str | Path, *, layout: str | None = None, contrast: bool = False) -> None:
        folder = existing_folder(root, "open_ms_data (cross_sectional/MNI/patient01 …)")
        self.layout, place = find_layout(folder, layout)
        channels = ("t1", "t1ce", "t2", "flair") if contrast else CHANNELS
        self.everyone = find_cases(place, channels)
        super().__init__("open-ms", folder, channels, self.everyone, mask_values={1: 1})
        self.place = place  # the other layouts are the same patients again
        self.set_aside = [case.meta["brain_mask"] for case in self.everyone if case.meta["brain_mask"] is not None]

    def read_image(self, case: Case) -> tuple[np.ndarray, np.ndarray, Grid]:
        """(C, D, H, W) on the FLAIR grid."""
        paths = [case.images[name] for name in self.channels]
        if self.layout != "raw":
            array, affine, grid = read_channels(paths)
        else:
            flair = load_volume(case.images["flair"])
            array = np.stack([flair.array if path == case.images["flair"] else onto(load_volume(path), flair)
                              for path in paths])
            affine, grid = flair.affine, flair.grid
        brain = case.meta.get("brain_mask")
        if brain is not None and brain.is_file() and self.layout != "raw":
            array = array * (read_labels(brain, None, grid=grid) > 0)
        return array, affine, grid

    def read_mask(self, case: Case, grid: Grid | None) -> np.ndarray:
        """(D, H, W) of 0 and 1."""
        path = mask_of(case)
        volume = load_volume(path)
        if self.layout == "raw" and case.images.get("flair") is not None:
            flair = load_volume(case.images["flair"])
            return map_labels(onto(volume, flair, order=0), self.mask_values, path)
        return read_labels(path, self.mask_values, grid=grid, image=case.images.get("flair"))

    def lesion_masks(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Patient, (D, H, W) mask and affine of everyone with a mask, images or not."""
        for case in self.everyone:
            if case.mask is not None:
                path = mask_of(case)
                volume = load_volume(path)
                yield case.subject, map_labels(volume.array, self.mask_values, path), volume.affine


def find_layout(root: Path, layout: str | None) -> tuple[str, Path]:
    """The layout's name and the folder that holds its patients."""
    if layout is not None and layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r} of open-ms: choose one of {', '.join(LAYOUTS)}")
    places = [root, root / "cross_sectional", root / "open_ms_data" / "cross_sectional"]
    for name in [layout] if layout else LAYOUTS:
        for place in places:
            if (place / name).is_dir():
                return name, place / name
    if _patient_folders(root):
        if layout and root.name in LAYOUTS and root.name != layout:
            raise UserError(f"{root} is the layout {root.name}, not {layout}: name its folder, or leave layout out")
        return layout or (root.name if root.name in LAYOUTS else "MNI"), root
    raise UserError(f"no {layout or 'MNI, coregistered or raw'} folder of open_ms_data in {root}: "
                    "get it with: medattn fetch open-ms")


def find_cases(place: Path, channels: tuple[str, ...] = CHANNELS) -> list[Case]:
    """One case for every folder `patientNN`."""
    people = _people(place)
    cases = []
    for folder in _patient_folders(place):
        roles: dict[str, Path] = {}
        for path in nifti_files(folder):
            stem = re.sub(r"^patient\d+_", "", path.name, flags=re.IGNORECASE)
            role = _STEMS.get(re.split(r"[_.]", stem)[0].lower())
            if role:
                roles.setdefault(role, path)
        digits = re.search(r"\d+", folder.name)
        cases.append(Case(
            case=folder.name,
            subject=folder.name,
            images={name: roles[name] for name in ("t1", "t1ce", "t2", "flair") if name in roles},
            mask=roles.get("mask"),
            meta={"mask_labels": {1: "lesion"}, "brain_mask": roles.get("brain"),
                  **people.get(int(digits.group()) if digits else -1, {})},
            missing=tuple(name for name in channels if name not in roles),
        ))
    return cases


def _patient_folders(place: Path) -> list[Path]:
    folders = (path for path in place.iterdir() if path.is_dir() and path.name.lower().startswith("patient"))
    return sorted(folders, key=lambda path: natural(path.name))


def onto(volume: Volume, target: Volume, *, order: int = 1) -> np.ndarray:
    """Resamples a volume to the grid of another by their affines; outside it is the volume's minimum.

    Args:
        volume: what is moved.
        target: whose (D, H, W) grid is taken.
        order: 1 linear, 0 nearest voxel for labels.
    """
    from scipy.ndimage import affine_transform

    if volume.array.shape == target.array.shape and np.allclose(volume.affine, target.affine, atol=1e-3):
        return volume.array
    matrix = np.linalg.inv(volume.affine) @ target.affine
    return affine_transform(volume.array, matrix[:3, :3], matrix[:3, 3], output_shape=target.array.shape,
                            order=order, mode="constant", cval=float(volume.array.min()))


def _people(place: Path) -> dict[int, dict[str, Any]]:
    """Age, sex, MS type and EDSS by patient number."""
    for folder in (place.parent, place):
        path = folder / "patient_info.csv"
        if path.is_file():
            frame = read_csv(path)
            key = column(frame, ["patient_id", "patient"])
            if key is None:
                return {}
            names = {"age": column(frame, ["age"]), "edss": column(frame, ["edss"])}
            words = {"sex": column(frame, ["sex"]), "ms_type": column(frame, ["ms_type"])}
            people = {}
            for _, row in frame.iterrows():
                patient = number(row[key])
                if patient is not None:
                    people[int(patient)] = {
                        **{name: number(row[cell]) for name, cell in names.items() if cell},
                        **{name: text(row[cell]) for name, cell in words.items() if cell},
                    }
            return people
    return {}
