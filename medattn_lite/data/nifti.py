"""Your own NIfTI files: a CSV that names them, or a folder for every case.

With a CSV (`cases.csv`, or the only one in the folder): one row a scan. `image` names the file; for
several channels use one column each, `image_t1`, `image_flair`, …, or separate the files by `;`.
Optional columns: `mask`, `label`, `time` (days), `event` (1 = died, 0 = alive), `subject` (patient);
every other column goes to `meta`. Paths are relative to the CSV.

Without one: every sub-folder with NIfTI files is a case, and a file whose name says mask, seg, label,
lesion, roi, gt or OT is its mask; a brain mask is set aside. Files directly in the folder are one case
each, and the mask `NAME_mask.nii.gz` belongs to the image `NAME.nii.gz`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medattn_lite.data.cases import Case, PatientDataset
from medattn_lite.data.files import existing_folder
from medattn_lite.data.tables import column, natural, number, read_csv, text
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_MASK = re.compile(r"(^|[^a-z])(mask|seg\w*|labels?|lesions?|roi|gt|truth|consensus|ot\w*class|ot)([^a-z]|$)")
_BRAIN = re.compile(r"brain.*(mask|seg)|mask.?brain")
_CHANNELS = ((r"flair|t2f", "flair"), (r"t1ce|t1c|t1gd|t1post|t1wks", "t1ce"), (r"t1", "t1"), (r"t2", "t2"),
             (r"adc", "adc"), (r"dwi", "dwi"), (r"swi", "swi"))
_OWN = ("mask", "label", "time", "event", "subject")


class NiftiDataset(PatientDataset):
    """One sample a case: image (C, D, H, W), and what the CSV says besides.

    Args:
        root: the folder.
        csv: the table, if it is not the only CSV in the folder.
        channels: which channels to read, in order; None takes those that most cases have.
        label_map: file label → sample label of the masks; None keeps whole numbers from 0 to 255.
    """

    expects = "NIfTI files, one folder a case, or with a CSV that names them"

    def __init__(
        self,
        root: str | Path,
        *,
        csv: str | Path | None = None,
        channels: Sequence[str] | None = None,
        label_map: Mapping[int, int] | None = None,
    ) -> None:
        folder = existing_folder(root, "NIfTI files, one folder a case, or with a CSV that names them")
        names, cases = find_cases(folder, csv=csv, channels=channels)
        super().__init__("nifti", folder, names, cases, mask_values=label_map)


def find_cases(
    root: Path, *, csv: str | Path | None = None, channels: Sequence[str] | None = None
) -> tuple[tuple[str, ...], list[Case]]:
    """The channels, and one case a row of the CSV or a folder.

    Raises:
        UserError: there is no NIfTI file, the CSV lacks a column, or a cell is wrong.
    """
    table = find_csv(root, csv)
    cases = _from_table(table) if table else _from_folders(root)
    if table and not cases:
        raise UserError(f"{table} names no image: give it a row for every case under its header")
    if not cases:
        raise UserError(f"no NIfTI file (.nii, .nii.gz) in {root}: name the folder that holds the images")
    if isinstance(channels, str):
        channels = [channels]
    if channels is None:
        # channels of a few cases only would make all others incomplete
        counts: dict[str, int] = {}
        for case in cases:
            for name in (*case.images, *case.meta.get("not_found", {})):
                counts[name] = counts.get(name, 0) + 1
        channels = [name for name, count in counts.items() if 2 * count >= len(cases)] or list(counts)
    missing = [name for name in channels
               if not any(name in case.images or name in case.meta.get("not_found", {}) for case in cases)]
    if missing:
        raise UserError(f"no case in {root} has a channel {missing[0]!r}: there are "
                        f"{', '.join(sorted({name for case in cases for name in case.images}))}")
    return tuple(channels), [case.with_facts(missing=tuple(name for name in channels if name not in case.images))
                             for case in cases]


def find_csv(root: Path, csv: str | Path | None) -> Path | None:
    """The table that names the files, or None."""
    if csv is not None:
        places = [Path(csv).expanduser(), root / csv]
        found = next((path for path in places if path.is_file()), None)
        if found is None:
            raise UserError(f"no table {csv}: check the path")
        return found
    tables = sorted(root.glob("*.csv"))
    if (root / "cases.csv").is_file():
        return root / "cases.csv"
    if len(tables) > 1:
        raise UserError(f"{root} holds {len(tables)} CSV files: say which one with csv={tables[0].name!r}, "
                        "or call it cases.csv")
    return tables[0] if tables else None


def _from_table(path: Path) -> list[Case]:
    frame = read_csv(path)
    columns = {name: column(frame, [name]) for name in _OWN}
    images = {_channel(name): name for name in frame.columns if re.match(r"image[ _-].+", name.strip().lower())}
    single = column(frame, ["image", "images"])
    if not images and single is None:
        raise UserError(f"{path} needs a column 'image', or 'image_t1', 'image_flair', …; "
                        f"it has {', '.join(frame.columns) or 'none'}")
    named = [_cells(row, images, single) for _, row in frame.iterrows()]
    shared = Counter(Path(next(iter(cells.values()))).name for cells in named if cells)
    cases = []
    for line, (cells, (_, row)) in enumerate(zip(named, frame.iterrows(), strict=True), start=2):
        paths = {name: path.parent / cell for name, cell in cells.items()}
        if not paths:
            raise UserError(f"{path}, line {line}: no image is named; fill in the cell or delete the line")
        facts = {name: text(row[own]) if own else None for name, own in columns.items()}
        # a file's name alone is no name where every patient has a folder of his own: p1/t1.nii.gz, p2/t1.nii.gz
        first = next(iter(paths))
        name = _stem(paths[first]) if shared[paths[first].name] < 2 else str(Path(cells[first]).with_name(
            _stem(paths[first])))
        absent = {channel: file for channel, file in paths.items() if not file.is_file()}
        cases.append(Case(
            case=name,
            subject=facts["subject"] or name,
            images={channel: file for channel, file in paths.items() if channel not in absent},
            mask=path.parent / facts["mask"] if facts["mask"] else None,
            label=_whole(facts["label"], path, line, "label"),
            time=_positive(facts["time"], path, line),
            event=_event(facts["event"], path, line),
            meta={"patient_known": facts["subject"] is not None, **({"not_found": absent} if absent else {}),
                  **_rest(frame, row, columns, [*images.values(), single])},
        ))
    return cases


def _cells(row: pd.Series, images: Mapping[str, str], single: str | None) -> dict[str, str]:
    """Channel → what the row names for it, without the empty cells."""
    if images:
        return {name: cell for name, own in images.items() if (cell := text(row[own]))}
    files = [part.strip() for part in row[single].split(";") if part.strip()]
    return {"image" if len(files) == 1 else f"channel{place}": file for place, file in enumerate(files)}


def _from_folders(root: Path) -> list[Case]:
    groups: dict[Path, list[Path]] = {}
    for path in sorted(root.rglob("*.nii*"), key=lambda file: natural(str(file))):
        if path.is_file() and not path.name.startswith(".") and path.name.endswith((".nii", ".nii.gz")):
            groups.setdefault(path.parent, []).append(path)
    cases = []
    for folder, files in groups.items():
        if folder == root:  # a flat folder: every file is a case
            cases += _flat(files)
            continue
        masks = [path for path in files if _is_mask(path)]
        images = [path for path in files if path not in masks and not _BRAIN.search(path.name.lower())]
        case = str(folder.relative_to(root))
        cases.append(Case(case=case, subject=case, images=_named(images, folder.name), mask=masks[0] if masks else None,
                          meta=_meta(masks)))
    return cases


def _flat(files: Sequence[Path]) -> list[Case]:
    images = [path for path in files if not _is_mask(path) and not _BRAIN.search(path.name.lower())]
    owners: dict[Path, list[Path]] = {path: [] for path in images}
    for mask in filter(_is_mask, files):
        fitting = [path for path in images if re.match(re.escape(_stem(path)) + r"[ ._-]", _stem(mask))]
        if fitting:
            owners[max(fitting, key=lambda path: len(_stem(path)))].append(mask)
    return [Case(case=_stem(path), subject=_stem(path), images={"image": path}, mask=masks[0] if masks else None,
                 meta=_meta(masks)) for path, masks in owners.items()]


def _meta(masks: Sequence[Path]) -> dict:
    several = {"several_files": {"the mask": [path.name for path in masks]}} if len(masks) > 1 else {}
    return {"patient_known": False, **several}


def _named(files: Sequence[Path], folder: str) -> dict[str, Path]:
    """Files by channel: the contrast that a name tells, or the name without the case's part."""
    guesses = [_channel(_stem(path).replace(folder, "")) for path in files]
    if len(files) == 1 and guesses[0] == _plain(_stem(files[0])):
        guesses = ["image"]
    if len(set(guesses)) < len(guesses):
        guesses = [_plain(_stem(path).replace(folder, "")) for path in files]
    return dict(sorted(zip(guesses, files, strict=True)))


def contrast_of(path: Path) -> str | None:
    """The contrast that a file's name tells, such as "flair"; None if it tells none."""
    name = _stem(path).lower()
    return next((known for pattern, known in _CHANNELS if re.search(rf"(^|[^a-z0-9])({pattern})", name)), None)


def _channel(name: str) -> str:
    word = re.sub(r"^image[ _-]", "", name.strip().lower())
    return next((known for pattern, known in _CHANNELS if re.search(pattern, word)), _plain(word))


def _plain(name: str) -> str:
    return name.strip("_- .").lower() or "image"


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".nii")


def _is_mask(path: Path) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", _stem(path)).lower()
    return not _BRAIN.search(words) and (bool(_MASK.search(words)) or words.startswith("otmulti"))


def _rest(frame: pd.DataFrame, row: pd.Series, columns: Mapping[str, str | None], used: Sequence[str | None]) -> dict:
    own = {*columns.values(), *used}
    return {name: number(row[name]) if number(row[name]) is not None else text(row[name])
            for name in frame.columns if name not in own}


def _whole(cell: str | None, path: Path, line: int, what: str) -> int | None:
    if cell is None:
        return None
    value = number(cell)
    if value is None or value != int(value) or value < 0:
        raise UserError(f"{path}, line {line}: {what} {cell!r} is no class number; write 0, 1, 2, …")
    return int(value)


def _positive(cell: str | None, path: Path, line: int) -> float | None:
    if cell is None:
        return None
    value = number(cell)
    if value is None or value < 0:
        raise UserError(f"{path}, line {line}: time {cell!r} is no number of days; write days of follow-up")
    return value


def _event(cell: str | None, path: Path, line: int) -> bool | None:
    if cell is None:
        return None
    words = {"1": True, "1.0": True, "true": True, "yes": True, "dead": True,
             "0": False, "0.0": False, "false": False, "no": False, "alive": False}
    if cell.lower() not in words:
        raise UserError(f"{path}, line {line}: event {cell!r} is neither 1 (died) nor 0 (alive)")
    return words[cell.lower()]
