"""One page of results from the records of finished runs: each table beside the paper's.

A record is a run's `metrics.json`. Records are kept in a folder of their own (`figures/results`), so that the page can
be written again without the runs; they hold scores, never a patient's image.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.errors import UserError
from medattn_lite.escaping import inline_all, printable
from medattn_lite.evaluation.multiplicity import Family, mark
from medattn_lite.evaluation.results_section import section
from medattn_lite.evaluation.results_tables import tables_section
from medattn_lite.evaluation.results_text import changed_settings

INTRODUCTION = """# Results

Made by `{command}` from the records in `{folder}`; do not edit by hand.

How to read it. Every value is on patients the network was not trained on (but for the rows called LEAKY, which show
what happens otherwise), all folds pooled unless the row says *mean over folds*, with a 95 % interval by patient (in
older runs a bootstrap that draws patients; in newer ones the method that its record names, such as DeLong's for an AUC
and Wilson's for a share; none where a class has too few patients for one that would hold); n is how many. Differences
are paired: both models are scored on the same patients. **If an
interval holds 0, these data do not tell the two apart.** Intervals and differences are about patients; where a network
was trained once per fold, another seed could move a value by more. "Phantom" is synthetic: a result on it says that
the machinery works, not how well it does on people. The paper's values come from other patients, and at `paper` scale
only are they from the same architecture and schedule: they stand here for orientation, not for comparison.

How many comparisons. {comparisons}
"""

COMPARISONS = """This page holds {count} differences with an interval. {clear} leave out 0 and are bold; if no two
models differed at all, about {expected:.0f} would. {surviving} survive Holm's correction for all {count} at a level of
{level:g} and bear a ‡. The records keep intervals and not their draws, so the p behind the correction is approximate:
the half of an interval that faces 0 is taken for 1.96 standard errors of a normal distribution."""


def keep(records: Mapping[Path, dict[str, Any]]) -> list[Path]:
    """Writes records into their files; returns these."""
    for path, record in records.items():
        write_json(path, record)
    return list(records)


def page(folder: Path, *, command: str, new: Mapping[Path, dict[str, Any]] | None = None) -> str:
    """The page as Markdown.

    Args:
        folder: of records.
        command: that makes the page, to be named on it.
        new: records that are not written yet, or replace those that are.

    Raises:
        UserError: no record is there, or one cannot be read.
    """
    records, family = read_records(folder, new)
    tables = [record for record in records if "tables" in record]
    records = [record for record in records if "tables" not in record]
    order = {name: place for place, name in enumerate(dict.fromkeys(record["recipe"] for record in records))}
    records.sort(key=lambda record: (order[record["recipe"]], record["data"] == "phantom", record["scale"],
                                     bool(changed_settings(record))))  # fmt: skip
    parts = [INTRODUCTION.format(command=command, folder=printable(folder.as_posix()), comparisons=count_text(family))]
    guesses_shown: set[str] = set()
    for record in records:
        guesses = "\n".join(record.get("guesses", ()))
        parts.append(section(record, with_guesses=guesses not in guesses_shown))
        guesses_shown.add(guesses)
    parts += [tables_section(record) for record in tables]
    return "\n".join(parts)


def read_records(
    folder: Path, new: Mapping[Path, dict[str, Any]] | None = None
) -> tuple[list[dict[str, Any]], Family]:
    """All records in the order of their file names, with every difference marked that survives the correction.

    Args:
        folder: of records.
        new: records that are not written yet, or replace those that are.

    Raises:
        UserError: no record is there, or one cannot be read.
    """
    by_path = {path: copy.deepcopy(record) for path, record in (new or {}).items()}
    files = sorted({*by_path, *(folder.glob("*.json") if folder.is_dir() else ())})
    if not files:
        raise UserError(f"no record in {folder}: name finished runs (medattn results runs/…)")
    records = [by_path[path] if path in by_path else _read(path) for path in files]
    records = [inline_all(record) for record in records]
    return records, mark(records)


def count_text(family: Family) -> str:
    """How many differences there are, leave out 0, and survive."""
    if not family.count:
        return "This page holds no difference with an interval."
    return COMPARISONS.format(**vars(family), expected=0.05 * family.count)


def require_record(path: Path, record: dict[str, Any], *, remedy: str) -> None:
    """Raises a UserError if a record cannot be put on the page: a part is missing, or of another kind."""
    try:
        if "tables" in record:
            tables_section(record)
            return
        for name in ("recipe", "data", "scale"):
            if not isinstance(record[name], str):
                raise TypeError(f"{name} is not a word")
        section(copy.deepcopy(record))
        mark([copy.deepcopy(record)])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(f"{path} is not a record of a run ({type(error).__name__} {error}): {remedy}") from None


def _read(path: Path) -> dict[str, Any]:
    remedy = "delete it, and name its run again (medattn results runs/…)"
    record = read_object(path, remedy=remedy)
    require_record(path, record, remedy=remedy)
    return record
