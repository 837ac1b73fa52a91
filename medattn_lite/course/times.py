"""What the notebooks take, measured: one table from the reports of whole courses, one column a scale.

    medattn course --out runs/course
    medattn course --scale laptop --out runs/course-laptop
    medattn study course-times runs/course runs/course-laptop        writes figures/course_times.md

A report that is not given keeps its column. Seconds are wall time, from before the kernel starts to after its end.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.course.earlier_run import read_report
from medattn_lite.course.generate import NOTEBOOKS
from medattn_lite.course.scales import SCALES
from medattn_lite.errors import UserError, ends_in_one_line

FIGURES = NOTEBOOKS.parent / "figures"
HEAD = """# What a notebook takes to run

Made by `medattn study course-times` from the reports of `medattn course`; do not edit by hand. Wall time with
the kernel's start, and the largest memory of the kernel, on the machine named under the table.
"""


def add_report(report: Path, record: Path, *, note: str = "") -> dict[str, Any]:
    """Puts a course's report into the record, in place of that of the same scale.

    Args:
        report: folder of the course, or its report.json.
        record: file of all scales.
        note: what else a reader must know, such as other work on the machine.

    Raises:
        UserError: no report, or one that lacks a notebook or has one that failed.
    """
    path = report if report.suffix == ".json" else report / "report.json"
    facts = read_report(path, f"run medattn course --out {path.parent} first",
                        whole=("parameters", "seconds"), notebook=("seconds", "peak_memory_mb"))
    if facts.get("only") or len(facts["notebooks"]) < facts.get("planned", 0):
        raise UserError(f"{path} is not of the whole course: run medattn course to its end, without --only")
    failed = [run["name"] for run in facts["notebooks"] if not run["ok"]]
    if failed:
        raise UserError(f"{path} says that {', '.join(failed)} failed: their time says nothing")
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    scale = facts["parameters"]["SCALE"]
    of_scale = known.setdefault(scale, {"notebooks": {}})
    of_scale["environment"] = facts["environment"] + (f" · {note}" if note else "")
    of_scale["whole_run_seconds"] = facts["seconds"]
    for run in facts["notebooks"]:
        of_scale["notebooks"][run["name"]] = {"seconds": run["seconds"], "memory_mb": run["peak_memory_mb"]}
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return known


def page_of(record: Mapping[str, Any]) -> str:
    """The table as Markdown; a notebook that was not run at a scale has a dash there."""
    scales = [scale for scale in SCALES if scale in record]
    names = sorted({name for scale in scales for name in record[scale]["notebooks"]})
    lines = ["| notebook | " + " | ".join(f"`{scale}`, s | MB" for scale in scales) + " |",
             "| --- |" + " --- | --- |" * len(scales)]  # fmt: skip
    for name in names:
        notebooks = [record[scale]["notebooks"].get(name) for scale in scales]
        cells = [
            f"{notebook['seconds']:.0f} | {notebook['memory_mb']:.0f}" if notebook else "— | —"
            for notebook in notebooks
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    sums = [sum(notebook["seconds"] for notebook in record[scale]["notebooks"].values()) for scale in scales]
    lines.append("| sum | " + " | ".join(f"{total:.0f} | " for total in sums) + " |")
    where = []
    for scale in scales:
        wall = f"{record[scale]['whole_run_seconds']:.0f} s from the first notebook's start to the last one's end"
        where.append(f"- `{scale}`, {wall}: {record[scale]['environment']}")
    return "\n".join([HEAD, *lines, "", *where]) + "\n"


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study course-times", description=__doc__.splitlines()[0])
    parser.add_argument("reports", nargs="+", type=Path, help="folders that medattn course wrote")
    parser.add_argument("--note", default="", metavar="WORDS", help="what else ran on the machine, if anything did")
    parser.add_argument("--out", type=Path, default=FIGURES, metavar="DIR")
    options = parser.parse_args(arguments)
    for report in options.reports:
        record = add_report(report, options.out / "course_times.json", note=options.note)
    (options.out / "course_times.md").write_text(page_of(record), encoding="utf-8")
    print(options.out / "course_times.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
