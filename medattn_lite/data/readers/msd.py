"""Medical Segmentation Decathlon, Task01_BrainTumour: 484 labelled scans, four channels in one 4-D file.

Layout: `dataset.json`, `imagesTr/BRATS_001.nii.gz` (X, Y, Z, 4: FLAIR, T1w, T1gd, T2w, in the order
that `dataset.json` gives), `labelsTr/BRATS_001.nii.gz`, and `imagesTs` without labels.

Samples have the channels and label values of BraTS: the files' 1 oedema, 2 non-enhancing and
3 enhancing become 2, 1 and 4. The scans are those of BraTS 2016 and 2017, under new names: grade,
survival and which scans share a patient are not told, so every scan counts as a patient. A split
of this set may therefore put two scans of one patient on both sides; say so beside your results.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import existing_folder
from medattn_lite.data.nifti_io.volumes import Grid, Volume, dimensions, load_volume
from medattn_lite.data.readers.brats import CHANNELS, LABELS
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.csv_tables import natural
from medattn_lite.data.readers.find_files import stem
from medattn_lite.errors import UserError

MASK_VALUES = {1: 2, 2: 1, 3: 4}
_NAMES = {"flair": "flair", "t1w": "t1", "t1": "t1", "t1gd": "t1ce", "t1ce": "t1ce", "t2w": "t2", "t2": "t2"}


class MSDDataset(PatientDataset):
    """One sample a scan: image (4, D, H, W) in the order t1, t1ce, t2, flair; mask for the labelled ones.

    Args:
        root: the folder `Task01_BrainTumour`, or the one above it.
        part: "train" (labelled), "test" (not labelled) or "all".
    """

    expects = "dataset.json, imagesTr and labelsTr"

    def __init__(self, root: str | Path, *, part: str = "train") -> None:
        if part not in ("train", "test", "all"):
            raise UserError(f"unknown part {part!r} of msd: choose 'train', 'test' or 'all'")
        folder = existing_folder(root, "Task01_BrainTumour (dataset.json, imagesTr, labelsTr)")
        self.order, cases = find_cases(folder)
        wanted = [case for case in cases if part == "all" or case.meta["part"] == part]
        super().__init__("msd", folder, CHANNELS, wanted, mask_values=MASK_VALUES)

    def read_image(self, case: Case) -> tuple[np.ndarray, np.ndarray, Grid]:
        """(4, D, H, W), its affine and the file's grid."""
        path = next(iter(case.images.values()))
        volume = load_volume(path, four_d=True)
        self._require_channels(path, len(volume.array))
        rows = [self.order.index(name) for name in CHANNELS]
        return volume.array[rows], volume.affine, volume.grid

    def read_channel(self, case: Case, name: str) -> Volume:
        """One channel, (D, H, W), without the others in memory."""
        path = next(iter(case.images.values()))
        sides = dimensions(path)
        self._require_channels(path, sides[3] if len(sides) == 4 else len(self.order))
        return load_volume(path, volume=self.order.index(name))

    def _require_channels(self, path: Path, count: int) -> None:
        if count != len(self.order):
            raise UserError(f"{path} has {count} channels but dataset.json names {len(self.order)}: "
                            "download Task01_BrainTumour again")


def find_cases(root: Path) -> tuple[list[str], list[Case]]:
    """The channel order of the files, and every scan that `dataset.json` names."""
    if not (root / "dataset.json").is_file() and (root / "Task01_BrainTumour").is_dir():
        root = root / "Task01_BrainTumour"
    contents = read_contents(root)
    if not (isinstance(contents.get("modality"), dict) and isinstance(contents.get("training", []), list)
            and isinstance(contents.get("test", []), list)):
        raise UserError(f"{root / 'dataset.json'} is not the description of a Decathlon task: "
                        "download Task01_BrainTumour again")
    order = [_NAMES.get(str(name).strip().lower(), str(name))
             for _, name in sorted(contents["modality"].items(), key=lambda item: natural(item[0]))]
    if sorted(order) != sorted(CHANNELS):
        raise UserError(f"{root / 'dataset.json'} names the channels {order or 'not at all'}: "
                        "this reader is for Task01_BrainTumour (FLAIR, T1w, T1gd, T2w)")
    cases = []
    for entry in contents.get("training", []):
        if not (isinstance(entry, dict) and entry.get("image") and entry.get("label")):
            raise UserError(f"{root / 'dataset.json'} names a training case without its image or label ({entry!r}): "
                            "download Task01_BrainTumour again")
        cases.append(_case(root / str(entry["image"]), root / str(entry["label"]), "train"))
    for entry in contents.get("test", []):
        cases.append(_case(root / str(entry.get("image") if isinstance(entry, dict) else entry), None, "test"))
    if not cases:
        raise UserError(f"{root / 'dataset.json'} names no scan: download Task01_BrainTumour again")
    return order, sorted(cases, key=lambda case: (case.meta["part"] == "test", natural(case.case)))


def read_contents(root: Path) -> dict[str, Any]:
    """The file `dataset.json`.

    Raises:
        UserError: it is missing or no JSON.
    """
    path = root / "dataset.json"
    if not path.is_file():
        raise UserError(f"no {path}: name the folder Task01_BrainTumour (get it with: medattn fetch msd)")
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path} ({error}): download Task01_BrainTumour again") from error
    if not isinstance(contents, dict):
        raise UserError(f"{path} is not the description of a Decathlon task: download Task01_BrainTumour again")
    return contents


def _case(image: Path, label: Path | None, part: str) -> Case:
    name = stem(image)
    exists = image.is_file()
    return Case(
        case=name,
        subject=name,
        images={channel: image for channel in CHANNELS} if exists else {},
        mask=label if label is not None and label.is_file() else None,
        meta={"part": part, "mask_labels": LABELS, "patient_known": False},
        missing=() if exists else CHANNELS,
    )
