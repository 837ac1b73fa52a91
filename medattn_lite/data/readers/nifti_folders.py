"""Your own NIfTI files (NRRD and MetaImage too, see `other_formats`): a CSV names them, or a folder for every case.

With a CSV (`cases.csv`, or the only one in the folder): one row a scan. `image` names the file; for
several channels use one column each, `image_t1`, `image_flair`, …, or separate the files by `;`.
Optional columns: `mask`, `label`, `time` (days), `event` (1 = died, 0 = alive), `subject` (patient), also by
the names of `clinical_columns.py` (`OS.time` and `OS`, `survival_months`, `vital_status`, …); every other
column goes to `meta`, and the check of the folder says which was taken for what. Paths are relative to the CSV.

Without one: every sub-folder with NIfTI files is a case, and a file whose name says mask, seg, label,
lesion, roi, gt or OT is its mask; a brain mask is set aside. Files directly in the folder are one case
each, and the mask `NAME_mask.nii.gz` belongs to the image `NAME.nii.gz`. Folders of visits (`sub-01/ses-2`,
`P01/week-033`) are scans of one patient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medattn_lite.data.files import existing_folder
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.find_files import holds, stem, volume_files
from medattn_lite.data.readers.nifti_tables import find_csv, read_table
from medattn_lite.data.readers.patient_names import named
from medattn_lite.errors import UserError

_MASK = re.compile(r"(^|[^a-z])(mask|seg\w*|labels?|lesions?|roi|gt|truth|consensus|ot\w*class|ot)([^a-z]|$)")
_BRAIN = re.compile(r"brain.*(mask|seg)|mask.?brain")
_CHANNELS = ((r"flair|t2f", "flair"), (r"t1ce|t1c|t1gd|t1post|t1wks", "t1ce"), (r"t1", "t1"), (r"t2", "t2"),
             (r"adc", "adc"), (r"dwi", "dwi"), (r"swi", "swi"))


class NiftiDataset(PatientDataset):
    """One sample per case: image (C, D, H, W), and what the CSV says besides.

    Args:
        root: the folder.
        csv: the table, if it is not the only CSV in the folder.
        channels: which channels to read, in order; None takes those that most cases have.
        label_map: file label → sample label of the masks; None keeps whole numbers from 0 to 255.
    """

    expects = "NIfTI files, one folder per case, or with a CSV that names them"

    def __init__(
        self,
        root: str | Path,
        *,
        csv: str | Path | None = None,
        channels: Sequence[str] | None = None,
        label_map: Mapping[int, int] | None = None,
    ) -> None:
        folder = existing_folder(root, "NIfTI files, one folder per case, or with a CSV that names them")
        listing = find_cases(folder, csv=csv, channels=channels)
        super().__init__("nifti", folder, listing.channels, listing.cases, mask_values=label_map)
        self.remarks, self.set_aside, self.by_table = listing.remarks, listing.set_aside, listing.by_table


@dataclass
class Listing:
    """What lies in a folder: channels, cases, remarks about them, files set aside, and whether a table names them."""

    channels: tuple[str, ...] = ()
    cases: list[Case] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    set_aside: list[Path] = field(default_factory=list)
    by_table: bool = False


def find_cases(root: Path, *, csv: str | Path | None = None, channels: Sequence[str] | None = None) -> Listing:
    """The channels, and one case a row of the CSV or a folder.

    Raises:
        UserError: there is no NIfTI file, the CSV lacks a column, or a cell is wrong.
    """
    table = find_csv(root, csv)
    listing = Listing(by_table=table is not None)
    if table:
        listing.cases, listing.remarks = read_table(table, _channel)
    else:
        listing.cases, listing.set_aside = _from_folders(root)
    cases = listing.cases
    if table and not cases:
        raise UserError(f"{table} names no image: give it a row for every case under its header")
    if not cases:
        raise UserError(f"no NIfTI file (.nii, .nii.gz) in {root}, which holds {holds(root)}: name the folder that "
                        "holds the images, or convert them (DICOM: medattn import)")
    return choose_channels(listing, channels, root)


def choose_channels(listing: Listing, channels: Sequence[str] | None, root: Path) -> Listing:
    """The listing with its channels chosen, and what each case lacks of them.

    Args:
        listing: cases with all their files.
        channels: what is asked for, in order; None takes what at least half of the cases have.
        root: the folder, for messages.

    Raises:
        UserError: no case has a channel that is asked for.
    """
    cases = listing.cases
    if isinstance(channels, str):
        channels = [channels]
    if channels is None:
        # channels of a few cases only would make all others incomplete
        counts: dict[str, int] = {}
        for case in cases:
            for name in (*case.images, *case.meta.get("not_found", {})):
                counts[name] = counts.get(name, 0) + 1
        channels = [name for name, count in counts.items() if 2 * count >= len(cases)] or list(counts)
        few = [f"{name} ({counts[name]} of {len(cases)})" for name in counts if name not in channels]
        if few:
            listing.remarks.append(f"not read, since fewer than half of the cases have them: {', '.join(few)}; ask for "
                                   "them with channels=…")
    missing = [name for name in channels
               if not any(name in case.images or name in case.meta.get("not_found", {}) for case in cases)]
    if missing:
        raise UserError(f"no case in {root} has a channel {missing[0]!r}: there are "
                        f"{', '.join(sorted({name for case in cases for name in case.images}))}")
    listing.channels = tuple(channels)
    listing.cases = [case.with_facts(missing=tuple(name for name in channels if name not in case.images))
                     for case in cases]
    return listing


def _from_folders(root: Path) -> tuple[list[Case], list[Path]]:
    """One case a folder, and the brain masks that no case reads."""
    groups: dict[Path, list[Path]] = {}
    for path in volume_files(root):
        groups.setdefault(path.parent, []).append(path)
    cases, aside = [], []
    for folder, files in groups.items():
        brains = [path for path in files if _BRAIN.search(path.name.lower())]
        aside += brains
        if folder == root:  # a flat folder: every file is a case
            cases += _flat(files)
            continue
        masks = [path for path in files if _is_mask(path)]
        images = [path for path in files if path not in masks and path not in brains]
        parts = folder.relative_to(root).parts
        subject, known = named(parts)
        cases.append(Case(case="/".join(parts), subject=subject, images=_named(images, folder.name),
                          mask=masks[0] if masks else None, meta=_meta(masks, known=known)))
    return _one_name(cases), aside


def _one_name(cases: list[Case]) -> list[Case]:
    """A case of one file, `t1.nii.gz`, beside cases of several: its channel is t1 there, and not "image" here."""
    several = {name for case in cases if len(case.images) > 1 for name in case.images}
    split_cases = []
    for case in cases:
        name = _channel(stem(case.images["image"])) if list(case.images) == ["image"] else None
        split_cases.append(case.with_facts(images={name: case.images["image"]}) if name in several else case)
    return split_cases


def _flat(files: Sequence[Path]) -> list[Case]:
    images = [path for path in files if not _is_mask(path) and not _BRAIN.search(path.name.lower())]
    owners: dict[Path, list[Path]] = {path: [] for path in images}
    for mask in filter(_is_mask, files):
        fitting = [path for path in images if re.match(re.escape(stem(path)) + r"[ ._-]", stem(mask))]
        if fitting:
            owners[max(fitting, key=lambda path: len(stem(path)))].append(mask)
    cases = []
    for path, masks in owners.items():
        subject, known = named([stem(path)])
        cases.append(Case(case=stem(path), subject=subject, images={"image": path}, mask=masks[0] if masks else None,
                          meta=_meta(masks, known=known)))
    return cases


def _meta(masks: Sequence[Path], *, known: bool) -> dict:
    several = {"several_files": {"the mask": [path.name for path in masks]}} if len(masks) > 1 else {}
    return {"patient_known": known, **several}


def _named(files: Sequence[Path], folder: str) -> dict[str, Path]:
    """Files by channel: the contrast that a name tells, or the name without the case's part."""
    guesses = [_channel(stem(path).replace(folder, "")) for path in files]
    if len(files) == 1 and guesses[0] == _plain(stem(files[0])):
        guesses = ["image"]
    if len(set(guesses)) < len(guesses):
        guesses = [_plain(stem(path).replace(folder, "")) for path in files]
    return dict(sorted(zip(guesses, files, strict=True)))


def contrast_of(path: Path) -> str | None:
    """The contrast that a file's name tells, such as "flair"; None if it tells none."""
    name = stem(path).lower()
    return next((known for pattern, known in _CHANNELS if re.search(rf"(^|[^a-z0-9])({pattern})", name)), None)


def _channel(name: str) -> str:
    word = re.sub(r"^image[ _-]", "", name.strip().lower())
    return next((known for pattern, known in _CHANNELS if re.search(pattern, word)), _plain(word))


def _plain(name: str) -> str:
    return name.strip("_- .").lower() or "image"


def _is_mask(path: Path) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem(path)).lower()
    return not _BRAIN.search(words) and (bool(_MASK.search(words)) or words.startswith("otmulti"))
