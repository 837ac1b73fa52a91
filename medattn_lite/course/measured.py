"""What the notebooks measured at `laptop` scale, kept, so that a text which quotes a run can be held to it.

    medattn course --scale laptop --out runs/course-laptop
    medattn study course-figures runs/course-laptop        writes figures/course_laptop.json and .md

A report of some notebooks (`--only 03`) renews those and keeps the others.
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
from medattn_lite.course.metrics import metric_text
from medattn_lite.errors import UserError, ends_in_one_line

FIGURES = NOTEBOOKS.parent / "figures"
SCALE = "laptop"
HEAD = f"""# What the notebooks measured at `{SCALE}` scale

Made by `medattn study course-figures` from the reports of `medattn course --scale {SCALE}`; do not edit by
hand. One run each, on phantoms (synthetic heads); 95 % intervals by patient, which do not cover the luck of training.
"""


def add_report(report: Path, record: Path) -> dict[str, Any]:
    """Puts a report's notebooks into the record, each in place of its run of before.

    Raises:
        UserError: no report, one of another scale or of patients, or one in which a notebook failed.
    """
    path = report if report.suffix == ".json" else report / "report.json"
    facts = read_report(path, f"run medattn course --scale {SCALE} --out {path.parent} first",
                        whole=("parameters",), notebook=("metrics",))
    if (facts["parameters"]["SCALE"], facts["parameters"].get("DATA")) != (SCALE, "phantom"):
        raise UserError(f"{path} is of another scale or of patients: run medattn course --scale {SCALE} on phantoms")
    failed = [notebook["name"] for notebook in facts["notebooks"] if not notebook["ok"]]
    if failed:
        raise UserError(f"{path} says that {', '.join(failed)} failed: run medattn course --only {failed[0][:2]} again")
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    for notebook in facts["notebooks"]:
        known[notebook["name"]] = {"environment": facts["environment"], "metrics": notebook["metrics"]}
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return known


def page_of(record: Mapping[str, Any]) -> str:
    """The record as Markdown, a section a notebook."""
    parts = [HEAD]
    for name in sorted(record):
        lines = "\n".join(f"- {metric_text(metric)}" for metric in record[name]["metrics"])
        parts.append(f"## {name}\n\n{record[name]['environment']}\n\n{lines}\n")
    return "\n".join(parts)


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study course-figures", description=__doc__.splitlines()[0])
    parser.add_argument("reports", nargs="+", type=Path, help="folders that medattn course wrote")
    parser.add_argument("--out", type=Path, default=FIGURES, metavar="DIR")
    options = parser.parse_args(arguments)
    for report in options.reports:
        record = add_report(report, options.out / f"course_{SCALE}.json")
    (options.out / f"course_{SCALE}.md").write_text(page_of(record), encoding="utf-8")
    print(options.out / f"course_{SCALE}.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
