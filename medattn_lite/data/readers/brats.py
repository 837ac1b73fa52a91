"""BraTS in every layout since 2017: four skull-stripped modalities and tumour labels, 240×240×155 at 1 mm.

| years | folder and file | enhancing |
|---|---|---|
| 2017–2020 | `[HGG\\|LGG/]CASE/CASE_{t1,t1ce,t2,flair,seg}.nii.gz` | 4 |
| 2021 | `CASE/CASE_{t1,t1ce,t2,flair,seg}.nii.gz` | 4 |
| 2023 on | `CASE/CASE-{t1n,t1c,t2w,t2f,seg}.nii.gz` | 3 |

Samples use the older values whatever the file says: 1 necrotic and non-enhancing core, 2 oedema,
4 enhancing, and 5 resection cavity (written 4 in the post-treatment cases of 2024). Where a mask of
the older years holds a 3, all of them are looked at: if any holds both 3 and 4, they follow BraTS 2015,
where 3 is non-enhancing core (it becomes 1, in a low grade without a 4 too); if none holds a 4, 3 is
enhancing tumour; if some hold 3 and others 4, but none both, a `label_map` is asked for.
Paediatric cases (`BraTS-PED`) changed their labels from year to year: name them with `label_map`.

Grade comes from the HGG or LGG folder, or from `name_mapping*.csv`. Survival in days comes from
`survival_data.csv`, `survival_info.csv` or `survival_evaluation.csv`; "ALIVE (361 days later)" is
follow-up of 361 days without an event.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.data.files import existing_folder
from medattn_lite.data.nifti_io.volumes import Grid, load_volume
from medattn_lite.data.readers.brats_labels import OlderLabels, is_older, label_values
from medattn_lite.data.readers.cases import Case, PatientDataset, mask_of
from medattn_lite.data.readers.csv_tables import column, natural, number, read_csv, text
from medattn_lite.data.readers.find_files import nifti_files
from medattn_lite.data.readers.patient_names import named
from medattn_lite.data.readers.read_voxels import map_labels, require_same_grid

CHANNELS = ("t1", "t1ce", "t2", "flair")
LABELS = {1: "necrotic and non-enhancing core", 2: "oedema", 4: "enhancing tumour", 5: "resection cavity"}
_ENDINGS = {
    "t1": "t1", "t1n": "t1",
    "t1ce": "t1ce", "t1c": "t1ce", "t1gd": "t1ce",
    "t2": "t2", "t2w": "t2",
    "flair": "flair", "t2f": "flair",
    "t1w": "t1", "t1post": "t1ce", "t1wce": "t1ce", "t2flair": "flair",
    "seg": "seg", "segm": "seg", "segmentation": "seg", "mask": "seg",
}  # fmt: skip
_ENDING = re.compile(r"[._-]([A-Za-z0-9]+)\.nii(\.gz)?$", re.IGNORECASE)
_BRAIN = re.compile(r"brain|parenchyma|skull|head", re.IGNORECASE)


class BraTSDataset(PatientDataset):
    """One sample a scan: image (4, D, H, W) in the order t1, t1ce, t2, flair; mask if there is one.

    Args:
        root: the folder with the cases, at any depth.
        label_map: file label → sample label, instead of the years' conventions above.
    """

    expects = "CASE/CASE_t1.nii.gz, …_t1ce, …_t2, …_flair, …_seg (2023 on: -t1n, -t1c, -t2w, -t2f)"

    def __init__(self, root: str | Path, *, label_map: Mapping[int, int] | None = None) -> None:
        folder = existing_folder(root, "BraTS cases (CASE/CASE_t1.nii.gz …)")
        super().__init__("brats", folder, CHANNELS, find_cases(folder), mask_values=label_map)
        # of the whole folder, also where a subset of it is read
        self.older = OlderLabels([case.mask for case in (*self.cases, *self.incomplete)
                                  if case.mask is not None and is_older(case.case)])

    def read_mask(self, case: Case, grid: Grid | None) -> np.ndarray:
        """(D, H, W) with 0, 1, 2, 4 and, after treatment, 5."""
        path = mask_of(case)
        volume = load_volume(path)
        if grid is not None:
            require_same_grid(grid, volume.grid, case.images["t1"], path)
        return map_labels(volume.array, self.label_values(case, volume.array), path)

    def label_values(self, case: Case, array: np.ndarray) -> Mapping[int, int]:
        """File label → sample label, by the naming of the case and, for the older years, by what occurs in all of them.

        Args:
            case: with a mask.
            array: the voxels of its mask.

        Raises:
            UserError: the labels are not known, or the masks of the folder contradict each other.
        """
        return self.mask_values or label_values(case.case, bool((array == 3).any()), mask_of(case), self.older)


def find_cases(root: Path) -> list[Case]:
    """Every folder below `root` that holds a file of one of the four modalities."""
    facts = _Facts(root)
    folders = sorted(_folders(root).items(), key=lambda item: natural(str(item[0])))
    names = Counter(folder.name for folder, _ in folders)
    return [facts.add(_case(root, folder, files, unique=names[folder.name] == 1)) for folder, files in folders]


def patient(case: str) -> str:
    """The patient of a case name: without the time point that some years append.

    `BraTS-GLI-00001-000` → `BraTS-GLI-00001`; `Brats18_TCIA01_131_1` → `Brats18_TCIA01_131`;
    in `BraTS20_Training_001` and `BraTS2021_00000` the number is the patient. Other names: see `patients.named`.
    """
    return named([case])[0]


def _folders(root: Path) -> dict[Path, dict[str, list[Path]]]:
    """Folder → role (channel or "seg") → files."""
    files: dict[Path, dict[str, list[Path]]] = {}
    for path in nifti_files(root):
        ending = _ENDING.search(path.name)
        role = _ENDINGS.get(ending.group(1).lower()) if ending else None
        if role == "seg" and _BRAIN.search(path.name.removeprefix(path.parent.name)):
            continue
        if role:
            files.setdefault(path.parent, {}).setdefault(role, []).append(path)
    return {folder: roles for folder, roles in files.items() if set(roles) - {"seg"}}


def _case(root: Path, folder: Path, roles: dict[str, list[Path]], *, unique: bool) -> Case:
    # a folder above the one that the user named may be called anything
    inside = folder.relative_to(root).parts
    grades = [part.upper() for part in (root.resolve().name, *inside) if part.upper() in ("HGG", "LGG")]
    meta: dict[str, Any] = {"grade": grades[-1] if grades else None, "mask_labels": LABELS}
    several = {role: [path.name for path in paths] for role, paths in roles.items() if len(paths) > 1}
    if several:
        meta["several_files"] = several
    subject, known = named([part for part in inside if part.upper() not in ("HGG", "LGG")] or [folder.resolve().name])
    if not known:
        meta["patient_known"] = False
    return Case(
        case=folder.name if unique else "/".join(inside),
        subject=subject,
        images={role: paths[0] for role, paths in roles.items() if role != "seg"},
        mask=roles["seg"][0] if "seg" in roles else None,
        label={"LGG": 0, "HGG": 1}.get(meta["grade"]),
        meta=meta,
        missing=tuple(name for name in CHANNELS if name not in roles),
    )


def parse_survival(value: Any) -> tuple[float, bool] | None:
    """Days and whether death was seen: "289" → (289, True); "ALIVE (361 days later)" → (361, False)."""
    word = text(value)
    if word is None:
        return None
    if "alive" in word.lower():
        seen = re.search(r"\d+(?:\.\d+)?", word)
        return (float(seen.group()), False) if seen else None
    days = number(word)
    return (days, True) if days is not None else None


class _Facts:
    """Grade from name_mapping*.csv; age, survival and resection from survival*.csv; by case name."""

    def __init__(self, root: Path) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        # the tables lie beside the cases; a user who names HGG alone has them one folder above
        above = [root.parent] if root.name.upper() in ("HGG", "LGG") else []
        for read, pattern in ((self._grades, "name_mapping*.csv"), (self._survival, "survival*.csv")):
            for path in [*sorted(root.rglob(pattern)), *(path for place in above for path in place.glob(pattern))]:
                if path.is_file():  # a pipe would never end
                    read(path)

    def _grades(self, path: Path) -> None:
        frame = read_csv(path)
        grade = column(frame, ["Grade"])
        names = [name for name in frame.columns if "subject" in name.lower() or name.lower().endswith("id")]
        for _, row in frame.iterrows():
            for name in names:
                value = text(row[grade]) if grade and text(row[name]) else None
                if value:
                    self.rows.setdefault(row[name].strip(), {})["grade"] = value.upper()

    def _survival(self, path: Path) -> None:
        frame = read_csv(path)
        key = next((name for name in frame.columns if "brats" in name.lower()), frame.columns[0])
        age = column(frame, ["Age"])
        days = column(frame, ["Survival_days", "Survival", "Survival (days)", "OS"])
        extent = column(frame, ["Extent_of_Resection", "ResectionStatus", "Resection_Status", "EOR"])
        for _, row in frame.iterrows():
            facts = self.rows.setdefault(row[key].strip(), {})
            facts["age"] = number(row[age]) if age else None
            facts["resection"] = text(row[extent]) if extent else None
            facts["survival"] = parse_survival(row[days]) if days else None

    def add(self, case: Case) -> Case:
        facts = self.rows.get(case.case.rpartition("/")[2], {})
        meta = {key: facts[key] for key in ("age", "resection") if facts.get(key) is not None}
        grade = case.meta["grade"] or facts.get("grade")
        time, event = facts.get("survival") or (None, None)
        return case.with_facts(label={"LGG": 0, "HGG": 1}.get(grade or ""), time=time, event=event,
                               meta={"grade": grade, **meta})
