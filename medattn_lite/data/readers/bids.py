"""BIDS: sub-01/ses-2/anat/sub-01_ses-2_FLAIR.nii.gz, masks from derivatives, facts from participants.tsv.

    open_dataset("bids", root)                                  images, and masks where derivatives have them
    open_dataset("bids", root, label="group")                   a class from a column of participants.tsv
    open_dataset("bids", root, derivatives="lesions")           masks of this pipeline alone

One case per subject and session, one subject per `sub-…`: sessions of a person never fall into two parts of a split.
Channels come from the suffix: T1w is t1 (t1ce with `ce-`), T2w t2, FLAIR flair, others by their own name in lower
case. Of several runs of a contrast the first is read, and the check of the folder names the others. In participants.tsv
the columns of `clinical_columns.py` become time and event, and every other column goes to `meta`.

Format: The Brain Imaging Data Structure 1.9, bids-specification.readthedocs.io (`anat`, `derivatives`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.data.files import existing_folder
from medattn_lite.data.readers import clinical_columns
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.csv_tables import column, natural, number, read_csv, text
from medattn_lite.data.readers.find_files import holds, nifti_files, stem
from medattn_lite.data.readers.nifti_folders import Listing, choose_channels
from medattn_lite.errors import UserError

_ENTITY = re.compile(r"([a-zA-Z]+)-([a-zA-Z0-9]+)")
_SUFFIXES = {"t1w": "t1", "t2w": "t2", "flair": "flair", "t2star": "t2star", "pdw": "pd"}
_MASKS = ("mask", "dseg", "probseg", "roi", "lesion")
_BRAIN = ("brain", "head", "wm", "gm", "csf")  # labels of masks that are not lesions
EXPECTS = "sub-…/[ses-…/]anat/*_T1w.nii.gz, *_FLAIR.nii.gz, …"


class BIDSDataset(PatientDataset):
    """One sample per subject and session.

    Args:
        root: the folder with the sub-… folders.
        channels: which contrasts to read, in order; None takes those that at least half of the sessions have.
        label: column of participants.tsv that becomes the class; its values in natural order are 0, 1, …
        derivatives: name of the pipeline whose masks are read; None takes the only one that has any.
        label_map: file label → sample label of the masks; None keeps whole numbers from 0 to 255.

    Raises:
        UserError: no BIDS folder, an unknown column or pipeline, several pipelines with masks, or an empty class.
    """

    expects = EXPECTS

    def __init__(
        self,
        root: str | Path,
        *,
        channels: Sequence[str] | None = None,
        label: str | None = None,
        derivatives: str | None = None,
        label_map: Mapping[int, int] | None = None,
    ) -> None:
        folder = existing_folder(root, EXPECTS)
        listing = Listing(cases=_find_cases(folder))
        if not listing.cases:
            raise UserError(f"no BIDS image in {folder}, which holds {holds(folder)}: expected {EXPECTS}")
        listing = choose_channels(listing, channels, folder)
        listing.cases, masks = _with_masks(listing.cases, folder, derivatives)
        listing.remarks += masks
        self.classes: tuple[str, ...] = ()
        listing.cases, self.classes, facts = _with_people(listing.cases, folder, label)
        super().__init__("bids", folder, listing.channels, listing.cases, mask_values=label_map)
        self.remarks = [*listing.remarks, *facts]


def entities(path: Path) -> tuple[dict[str, str], str]:
    """Entities and suffix of a BIDS name: sub-01_ce-gd_T1w.nii.gz is ({"sub": "01", "ce": "gd"}, "T1w")."""
    *parts, suffix = stem(path).split("_")
    pairs = {match[1]: match[2] for part in parts if (match := _ENTITY.fullmatch(part))}
    return pairs, suffix


def _find_cases(root: Path) -> list[Case]:
    sessions: dict[tuple[str, str], dict[str, list[Path]]] = {}
    for path in nifti_files(root):
        inside = path.relative_to(root).parts
        if not inside[0].startswith("sub-") or "anat" not in inside[:-1]:
            continue
        known, suffix = entities(path)
        if known.get("sub") != inside[0].removeprefix("sub-") or suffix.lower() in _MASKS:
            continue
        name = _SUFFIXES.get(suffix.lower(), suffix.lower())
        name = "t1ce" if name == "t1" and "ce" in known else name
        sessions.setdefault((known["sub"], known.get("ses", "")), {}).setdefault(name, []).append(path)
    cases = []
    for (subject, session), images in sorted(sessions.items(), key=lambda item: natural("/".join(item[0]))):
        ordered = {name: sorted(paths, key=lambda path: natural(path.name)) for name, paths in sorted(images.items())}
        several = {name: [path.name for path in paths] for name, paths in ordered.items() if len(paths) > 1}
        meta = {"patient_known": True, **({"session": session} if session else {}),
                **({"several_files": several} if several else {})}  # fmt: skip
        cases.append(Case(case=f"sub-{subject}" + (f"_ses-{session}" if session else ""), subject=f"sub-{subject}",
                          images={name: paths[0] for name, paths in ordered.items()}, meta=meta))
    return cases


def _with_masks(cases: list[Case], root: Path, pipeline: str | None) -> tuple[list[Case], list[str]]:
    """Cases with the masks of one pipeline, and what is to be said about it."""
    masks: dict[str, dict[str, list[Path]]] = {}
    place = root / "derivatives"
    for path in nifti_files(place) if place.is_dir() else []:
        known, suffix = entities(path)
        label = known.get("label", known.get("desc", "")).lower()
        if suffix.lower() not in _MASKS or "sub" not in known or label.startswith(_BRAIN):
            continue
        inside = path.relative_to(place).parts
        name = inside[0] if not inside[0].startswith("sub-") else ""
        scan = f"sub-{known['sub']}" + (f"_ses-{known['ses']}" if "ses" in known else "")
        masks.setdefault(name, {}).setdefault(scan, []).append(path)
    if pipeline is not None and pipeline not in masks:
        raise UserError(f"derivatives={pipeline!r} has no masks: there are {', '.join(sorted(masks)) or 'none'}")
    if pipeline is None and len(masks) > 1:
        raise UserError(f"several pipelines have masks ({', '.join(sorted(masks))}): choose one with derivatives=NAME")
    if not masks:
        return cases, ["no masks in derivatives"]
    name = pipeline if pipeline is not None else next(iter(masks))
    result = []
    for case in cases:
        paths = sorted(masks[name].get(case.case, []), key=lambda path: natural(path.name))
        several = {**case.meta.get("several_files", {}), "the mask": [path.name for path in paths]}
        meta = {"several_files": several} if len(paths) > 1 else {}
        result.append(case.with_facts(mask=paths[0] if paths else None, meta=meta))
    count = sum(case.mask is not None for case in result)
    return result, [f"masks of {name or 'derivatives'}: {count} of {len(cases)}"]


def _with_people(
    cases: list[Case], root: Path, label: str | None
) -> tuple[list[Case], tuple[str, ...], list[str]]:
    """Cases with what participants.tsv knows, the classes, and what is to be said about the table."""
    path = root / "participants.tsv"
    if not path.is_file():
        if label is not None:
            raise UserError(f"label={label!r} needs {path}, and it is not there")
        return cases, (), ["no participants.tsv: no labels, ages or follow-up"]
    frame = read_csv(path)
    key = column(frame, ["participant_id"])
    if key is None:
        raise UserError(f"{path} has no column participant_id; it has {', '.join(frame.columns)}")
    wanted = None if label is None else column(frame, [label])
    if label is not None and wanted is None:
        raise UserError(f"{path} has no column {label!r}; it has {', '.join(frame.columns)}")
    who = clinical_columns.find_columns(frame, used=[wanted])
    rows = {_plain(row[key]): (line, row) for line, (_, row) in enumerate(frame.iterrows(), start=2)}
    values = sorted({value for _, row in rows.values() if wanted and (value := text(row[wanted]))}, key=natural)
    if label is not None and len(values) < 2:
        raise UserError(f"column {wanted} of {path} says {', '.join(values) or 'nothing'}: classes need two values")
    result = []
    for case in cases:
        line, row = rows.get(_plain(case.subject), (0, None))
        result.append(case if row is None else _with_facts(case, row, frame, who, path, line, wanted, values, key))
    strangers = sorted({case.subject for case in cases} - {f"sub-{name}" for name in rows}, key=natural)
    lines = [f"participants.tsv: {line}" for line in dict.fromkeys(who.notes)]
    lines += [f"participants.tsv lacks {', '.join(strangers[:5])}" + (" and more" if len(strangers) > 5 else "")] \
        if strangers else []
    return result, tuple(values), lines


def _with_facts(
    case: Case, row: Any, frame: Any, who: clinical_columns.Found, path: Path, line: int, wanted: str | None,
    values: Sequence[str], key: str,
) -> Case:  # fmt: skip
    value = text(row[wanted]) if wanted else None
    rest = {name: number(row[name]) if number(row[name]) is not None else text(row[name]) for name in frame.columns
            if name not in {key, *who.columns}}  # fmt: skip
    return case.with_facts(
        label=values.index(value) if value is not None else None,
        time=clinical_columns.follow_up(text(row[who.time]) if who.time else None, who, path, line),
        event=clinical_columns.event(text(row[who.event]) if who.event else None, who, path, line),
        meta=rest,
    )


def _plain(name: Any) -> str:
    return str(name).strip().removeprefix("sub-")
