"""What `medattn results` may replace: its own page and its own records, and nothing else of the user's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError

HEADING = "# Results\n"
SAME = ("recipe", "data", "scale", "seed", "folds")  # what makes two records those of one run


def require_replaceable(runs: Sequence[Path], keep: Path, out: Path) -> list[str]:
    """Looks at everything that a command would write before the first file is written.

    Args:
        runs: folders of finished runs.
        keep: folder of records, in which a run's is `NAME.json`.
        out: the page.

    Returns:
        What is to be said: which records replace an older one.

    Raises:
        UserError: two runs have one name, a record is of another run, or a file is not one that this command wrote.
    """
    from medattn_lite.training.run import Run

    if out.is_dir():
        raise UserError(f"--out {out} is a folder: name a file, such as {out / 'results.md'}")
    if keep.exists() and not keep.is_dir():
        raise UserError(f"--keep {keep} is a file: name a folder for the records")
    for option, place in (("--out", out.parent), ("--keep", keep)):
        above = next((parent for parent in (place, *place.parents) if parent.exists()), place)
        if not above.is_dir():
            raise UserError(f"{option}: {above} is not a folder: choose another place")
    if out.exists() and not out.is_file():
        raise UserError(f"--out {out} is a pipe or a device: name a file")
    if out.exists() and not _is_page(out):
        raise UserError(f"{out} is not a page that medattn results wrote: choose another --out, nothing was replaced")
    places: dict[str, Path] = {}
    lines = []
    for run in runs:
        name = f"{run.resolve().name}.json"
        other = places.setdefault(name.casefold(), run)
        if other is not run:
            raise UserError(f"{other} and {run} would have the record {keep / name}: rename one of the folders, or "
                            "keep them apart with --keep")
        record = keep / name
        if not record.exists() and not record.is_symlink():
            continue
        old, new = _read(record), _read(Run(run).metrics_file)
        if old is None or any(old.get(key) != (new or old).get(key) for key in SAME):
            raise UserError(f"{record} is not a record of {run}: rename the folder, or choose another --keep; nothing "
                            "was replaced")
        if new is not None and {**old, **new} != old:
            lines.append(f"{record}: replaces the older record of a run of this name")
    return lines


def gather(runs: Sequence[Path], keep: Path) -> dict[Path, dict[str, Any]]:
    """The records of finished runs, as they would lie in the folder of records; nothing is written.

    Args:
        runs: folders of finished runs.
        keep: folder of records.

    Returns:
        file → record.

    Raises:
        UserError: a run has not ended, or one of its files is damaged.
    """
    from medattn_lite.evaluation.results import require_record
    from medattn_lite.training.run import Run

    records = {}
    for run in map(Run, runs):
        record = run.results()
        require_record(run.metrics_file, record, remedy="run the same medattn train again, which writes it anew")
        records[keep / f"{run.folder.resolve().name}.json"] = record
    return records


def _is_page(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as stream:
            start = stream.read(200)
    except (OSError, ValueError):
        return False
    return not start or start.startswith(HEADING) and "medattn results" in start


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "recipe" in record else None
