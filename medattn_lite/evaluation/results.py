"""One page of results from the records of finished runs: each table beside the paper's.

A record is a run's `metrics.json`. Records are kept in a folder of their own (`figures/results`), so that the page can
be written again without the runs; they hold scores, never a patient's image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.evaluation.multiplicity import Family, mark
from medattn_lite.evaluation.results_section import section
from medattn_lite.evaluation.results_tables import tables_section
from medattn_lite.evaluation.results_text import changed_settings

INTRODUCTION = """# Results

Made by `{command}` from the records in `{folder}`; do not edit by hand.

How to read it. Every figure is on patients the network was not trained on (but for the rows called LEAKY, which show
what happens otherwise), all folds pooled unless the row says *mean over folds*, with a 95 % interval from a bootstrap
that draws patients; n is how many. Differences are paired: the same patients are drawn for both models. **If an
interval holds 0, these data do not tell the two apart.** Intervals and differences are about patients; where a network
was trained once per fold, another seed could move a figure by more. "Phantom" is synthetic: a result on it says that
the machinery works, not how well it does on people. The paper's figures come from other patients, and at `paper` scale
only are they from the same architecture and schedule: they stand here for orientation, not for comparison.

How many comparisons. {comparisons}
"""

COMPARISONS = """This page holds {count} differences with an interval. {clear} leave out 0 and are bold; if no two
models differed at all, about {expected:.0f} would. {surviving} survive Holm's correction for all {count} at a level of
{level:g} and bear a ‡. The records keep intervals and not their draws, so the p behind the correction is approximate:
the half of an interval that faces 0 is taken for 1.96 standard errors of a normal distribution."""


def keep(runs: Sequence[Path], folder: Path) -> list[Path]:
    """Copies the `metrics.json` of runs into the folder of records.

    Args:
        runs: folders of finished runs.
        folder: where records are kept.

    Returns:
        the records written.

    Raises:
        UserError: a run has no metrics, because it has not ended.
    """
    written = []
    for run in runs:
        metrics = run / "metrics.json"
        if not metrics.is_file():
            raise UserError(f"{run} has no metrics.json: let it end first (the same medattn train goes on)")
        folder.mkdir(parents=True, exist_ok=True)
        written.append(folder / f"{run.resolve().name}.json")
        record = json.loads(metrics.read_text(encoding="utf-8"))
        environment = run / "environment.json"
        if environment.is_file():
            record["environment"] = json.loads(environment.read_text(encoding="utf-8"))
        transfers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob("transfer-*.json"))]
        if transfers:
            record["transfers"] = transfers
        written[-1].write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return written


def page(folder: Path, *, command: str) -> str:
    """The page as Markdown.

    Args:
        folder: of records.
        command: that makes the page, to be named on it.

    Raises:
        UserError: no record is there, or one cannot be read.
    """
    records, family = read_records(folder)
    tables = [record for record in records if "tables" in record]
    records = [record for record in records if "tables" not in record]
    order = {name: place for place, name in enumerate(dict.fromkeys(record["recipe"] for record in records))}
    records.sort(key=lambda record: (order[record["recipe"]], record["data"] == "phantom", record["scale"],
                                     bool(changed_settings(record))))  # fmt: skip
    parts = [INTRODUCTION.format(command=command, folder=folder.as_posix(), comparisons=count_text(family))]
    told: set[str] = set()
    for record in records:
        guesses = "\n".join(record.get("guesses", ()))
        parts.append(section(record, with_guesses=guesses not in told))
        told.add(guesses)
    parts += [tables_section(record) for record in tables]
    return "\n".join(parts)


def read_records(folder: Path) -> tuple[list[dict[str, Any]], Family]:
    """All records in the order of their file names, with every difference marked that survives the correction.

    Raises:
        UserError: no record is there, or one cannot be read.
    """
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise UserError(f"no record in {folder}: name finished runs (medattn results runs/…)")
    records = [_read(path) for path in files]
    return records, mark(records)


def count_text(family: Family) -> str:
    """How many differences there are, leave out 0, and survive."""
    if not family.count:
        return "This page holds no difference with an interval."
    return COMPARISONS.format(**vars(family), expected=0.05 * family.count)


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if "tables" not in record:
            record["recipe"], record["data"], record["scale"]
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"{path} is no record of a run ({type(error).__name__} {error}): delete it") from None
    return record
