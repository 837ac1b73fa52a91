"""A CSV that names NIfTI files: one row a scan, with its mask, label, patient and follow-up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from medattn_lite.data.readers import clinical_columns
from medattn_lite.data.readers.cases import Case
from medattn_lite.data.readers.csv_tables import column, number, read_csv, text
from medattn_lite.data.readers.find_files import stem
from medattn_lite.data.readers.patient_names import named
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

MASK = ("mask", "seg", "segmentation", "mask_path", "mask_file", "label_file", "labelmap")
IMAGE = ("image", "images", "image_path", "image_file", "file", "filename", "path")


def find_csv(root: Path, csv: str | Path | None) -> Path | None:
    """The table that names the files, or None."""
    if csv is not None:
        places = [Path(csv).expanduser(), root / csv]
        table = next((path for path in places if path.is_file()), None)
        if table is None:
            raise UserError(f"no table {csv}: check the path")
        return table
    files = [path for path in sorted(root.iterdir())
             if path.name.lower().endswith(".csv") and not path.name.startswith(".")]
    tables = [path for path in files if path.is_file()]  # a pipe would never end
    lost = [path for path in files if not path.exists() or not (path.is_file() or path.is_dir())]
    if lost:
        raise UserError(f"{lost[0]} is a link without its target or a pipe: put the table itself there")
    cases = [path for path in tables if path.name.lower() == "cases.csv"]
    if len(cases) == 1:
        return cases[0]
    if len(tables) > 1:
        raise UserError(f"{root} holds {len(tables)} CSV files: say which one with csv={tables[0].name!r}, "
                        "or call it cases.csv")
    return tables[0] if tables else None


def read_table(path: Path, channel: Callable[[str], str]) -> tuple[list[Case], list[str]]:
    """The cases of a table, and what is to be said about it.

    Args:
        path: the CSV; the paths in it are relative to it.
        channel: the channel that the name of an image column tells.

    Raises:
        UserError: it has no column of images, or a cell is wrong.
    """
    frame = read_csv(path)
    images = {channel(name): name for name in frame.columns if re.match(r"image[ _-].+", name.strip().lower())
              and name != column(frame, ["image_path", "image_file"])}
    single = column(frame, IMAGE)
    if not images and single is None:
        raise UserError(f"{path} needs a column 'image', or 'image_t1', 'image_flair', …; "
                        f"it has {', '.join(frame.columns) or 'none'}")
    mask, label = column(frame, MASK), column(frame, ["label"])
    files = [*images.values(), *([single] if not images else []), mask, label]
    who = clinical_columns.find_columns(frame, used=files)
    named_files = [_cells(row, images, single) for _, row in frame.iterrows()]
    shared = Counter(Path(_posix(next(iter(cells.values())))).name for cells in named_files if cells)
    subjects = _subjects(frame, who)
    cases = []
    for line, (cells, (_, row)) in enumerate(zip(named_files, frame.iterrows(), strict=True), start=2):
        paths = {name: found_file(path.parent, cell) for name, cell in cells.items()}
        if not paths:
            raise UserError(f"{path}, line {line}: no image is named; fill in the cell or delete the line")
        # a file's name alone is not a name where every patient has a folder of his own: p1/t1.nii.gz, p2/t1.nii.gz
        first = Path(_posix(next(iter(cells.values()))))
        name = stem(first) if shared[first.name] < 2 else str(first.with_name(stem(first)))
        absent = {channel: file for channel, file in paths.items() if not file.is_file()}
        own_mask = text(row[mask]) if mask else None
        subject = subjects[line - 2]
        cases.append(Case(
            case=name,
            subject=subject or named(Path(name).parts)[0],
            images={channel: file for channel, file in paths.items() if channel not in absent},
            mask=found_file(path.parent, own_mask) if own_mask else None,
            label=_whole(text(row[label]) if label else None, path, line, "label"),
            time=clinical_columns.follow_up(text(row[who.time]) if who.time else None, who, path, line),
            event=clinical_columns.event(text(row[who.event]) if who.event else None, who, path, line),
            meta={"patient_known": subject is not None, **({"not_found": absent} if absent else {}),
                  **_rest(frame, row, [*files, *who.columns])},
        ))
    return cases, _remarks(path, frame, cases, who, files)


def found_file(folder: Path, cell: str) -> Path:
    """The file that a cell names; a path with backslashes, from a table made under Windows, is understood too."""
    path = folder / cell
    if "\\" in cell and not path.exists() and not PureWindowsPath(cell).drive:
        return folder / _posix(cell)
    return path


def _posix(cell: str) -> str:
    return cell.replace("\\", "/")


def _subjects(frame: pd.DataFrame, who: clinical_columns.Found) -> list[str | None]:
    """The patient of each row; `P01` and `p01` are one, in the spelling that comes first."""
    if who.subject is None:
        return [None] * len(frame)
    written: dict[str, str] = {}
    subjects: list[str | None] = []
    for cell in frame[who.subject]:
        name = text(cell)
        subjects.append(None if name is None else written.setdefault(name.casefold(), name))
        if name is not None and written[name.casefold()] != name:
            who.notes.append(f"{written[name.casefold()]!r} and {name!r} count as one patient")
    return subjects


def _remarks(path: Path, frame: pd.DataFrame, cases: Sequence[Case], who: clinical_columns.Found,
             files: Sequence[str | None]) -> list[str]:
    lines = [f"{path.name}: {line}" for line in dict.fromkeys(who.notes)]
    rest = [name for name in frame.columns if name not in {*files, *who.columns}]
    if rest:
        lines.append(f"{path.name}: no part of a sample but of its meta: {', '.join(rest)}")
    subjects = sorted({case.subject for case in cases})
    lines += [f"{path.name}: {line}" for line in clinical_columns.similar_names(subjects)]
    outcomes: dict[str, set[tuple]] = {}
    for case in cases:
        if case.time is not None:
            outcomes.setdefault(case.subject, set()).add((case.time, case.event))
    several = [subject for subject, values in outcomes.items() if len(values) > 1]
    if several:
        shown = " and ".join(f"{time:g}" for time, _ in sorted(outcomes[several[0]], key=str))
        lines.append(f"{path.name}: {len(several)} patients have several follow-ups ({several[0]}: {shown} days): one "
                     "a scan is right if each counts from its scan")
    return lines


def _cells(row: pd.Series, images: Mapping[str, str], single: str | None) -> dict[str, str]:
    """Channel → what the row names for it, without the empty cells."""
    if images:
        return {name: cell for name, column in images.items() if (cell := text(row[column]))}
    files = [part.strip() for part in row[single].split(";") if part.strip()]
    return {"image" if len(files) == 1 else f"channel{place}": file for place, file in enumerate(files)}


def _rest(frame: pd.DataFrame, row: pd.Series, used: Sequence[str | None]) -> dict[str, Any]:
    return {name: number(row[name]) if number(row[name]) is not None else text(row[name])
            for name in frame.columns if name not in used}


def _whole(cell: str | None, path: Path, line: int, what: str) -> int | None:
    if cell is None:
        return None
    value = number(cell)
    if value is None or value != int(value) or value < 0:
        raise UserError(f"{path}, line {line}: {what} {cell!r} is not a class number; write 0, 1, 2, …")
    return int(value)
