"""The teacher's pack: one zip with solutions, slides, syllabuses, rubric, assignments and the computer room's set-up.

    medattn course --out runs/course
    medattn study teacher runs/course/report.json runs/teacher.zip

A notebook's run is that of the report, on the machine that wrote it. What it takes to read stands in its title and
follows from its words and lines of code, by the figures below (a test holds the two together).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.course.assignments import CONFIG, assignments
from medattn_lite.course.earlier_run import read_report
from medattn_lite.course.generate import NOTEBOOKS, read_source, source_paths
from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.escaping import without_tags

WORDS_A_MINUTE = 150  # of technical text, with its formulas and figures
SECONDS_A_CODE_LINE = 6
_MINUTES = re.compile(r"\*\*(\d+) minutes to read, (\d+) (?:to do|for) the exercises")
_FIELD = re.compile(r"\{(\w+):(\d\d)\}")


@dataclass(frozen=True)
class Times:
    """What a notebook takes.

    Attributes:
        read: minutes, as its title says.
        work: minutes for the exercises, as its title says.
        exercises: how many it has.
        seconds: its run at the report's scale.
        title: its heading.
    """

    read: int
    work: int
    exercises: int
    seconds: float
    title: str


def times(report: Mapping[str, Any], folder: Path = NOTEBOOKS) -> dict[str, Times]:
    """Number of a notebook, such as "02" → what it takes.

    Raises:
        UserError: the report lacks a notebook, or a notebook does not say its minutes.
    """
    runs = {run["name"]: run for run in report["notebooks"]}
    times_of = {}
    for path in source_paths(folder):
        if path.stem not in runs:
            raise UserError(f"the report has no run of {path.stem}: run medattn course to its end, without --only")
        notebook = read_source(path)
        minutes = _MINUTES.search(notebook.cells[0].source)
        if minutes is None:
            raise UserError(f"{path.name} does not say its minutes in its first cell: '**25 minutes to read, 25 for …'")
        run = runs[path.stem]
        exercises = sum("exercise" in cell.metadata.get("tags", []) for cell in notebook.cells)
        times_of[path.stem[:2]] = Times(int(minutes[1]), int(minutes[2]), exercises, run["seconds"], run["title"])
    return times_of


def reading_minutes(notebook: Any) -> int:
    """Minutes to read a notebook, exercises and hidden hints left out, in steps of 5."""
    words = lines = 0
    for cell in notebook.cells:
        if "exercise" in cell.metadata.get("tags", []):
            continue
        text = re.sub(r"<details.*?</details>", "", cell.source, flags=re.DOTALL)
        if cell.cell_type == "markdown":
            words += len(text.split())
        else:
            lines += sum(bool(line.strip()) for line in text.split("\n"))
    return max(5, 5 * round((words / WORDS_A_MINUTE + lines * SECONDS_A_CODE_LINE / 60) / 5))


def teacher_pack(report: Path, out: Path, folder: Path = NOTEBOOKS) -> Path:
    """Writes the zip; the same contents give the same bytes.

    Args:
        report: `report.json` of a whole course.
        out: the zip; one of before is replaced.
        folder: the notebooks, with `teacher/` in it.

    Returns:
        the zip.

    Raises:
        UserError: no report, or one of a course that failed or is not whole.
    """
    import nbformat

    facts = read_report(report, f"run medattn course --out {report.parent} first")
    failed = [notebook["name"] for notebook in facts["notebooks"] if not notebook["ok"]]
    if failed:
        raise UserError(f"{report} says that {', '.join(failed)} failed: mend that and run medattn course again")
    took = times(facts, folder)
    contents: dict[str, bytes] = {}
    for path in sorted((folder / "teacher").glob("*.md")):
        page = path.read_text(encoding="utf-8").replace("](../../", "](")  # they stand at the top of the pack
        contents[path.name] = _filled(page, took, facts).encode()
    root = folder.parent
    for pattern in ("notebooks/*.ipynb", "notebooks/*.md", "notebooks/solutions/*.ipynb", "notebooks/slides/*.html",
                    "figures/*"):  # fmt: skip
        files = (path for path in sorted(root.glob(pattern)) if path.is_file())
        contents |= {str(path.relative_to(root)): path.read_bytes() for path in files}
    contents |= _decks(report.parent, [notebook["name"] for notebook in facts["notebooks"]])
    for name, notebook in assignments(folder).items():
        contents[f"assignments/source/{name}/{name}.ipynb"] = nbformat.writes(notebook, version=4).encode()
    contents["assignments/nbgrader_config.py"] = CONFIG.encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    new = out.with_name(f".{out.name}.new")
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in contents.items():
            pack.writestr(zipfile.ZipInfo(f"medattn_lite-teacher/{name}"), data, zipfile.ZIP_DEFLATED)
    os.replace(new, out)
    return out


def _decks(run: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Slides with the run's pictures in place of those without, where all executed notebooks lie beside the report."""
    from medattn_lite.course.slides_pictures import write_decks

    if not all((run / f"{name}.ipynb").is_file() for name in names):
        return {}
    with tempfile.TemporaryDirectory() as place:
        decks = write_decks(run, Path(place))
        return {f"notebooks/slides/{deck.name}": deck.read_bytes() for deck in decks if deck.stem in names}


def _filled(text: str, took: Mapping[str, Times], report: Mapping[str, Any]) -> str:
    """A page with `{read:02}`, `{work:02}`, `{seconds:02}`, `{both:02}` and `{table}` filled in."""

    def value(match: re.Match) -> str:
        entry = took.get(match.group(2))
        if entry is None:
            raise UserError(f"a page of the teacher's pack names notebook {match.group(2)}, which is not there")
        both = entry.read + entry.work
        return str(
            {"read": entry.read, "work": entry.work, "both": both, "seconds": round(entry.seconds)}[match.group(1)]
        )

    rows = ["| no. | notebook | to read, min | exercises | for them, min | to run, s |", "|---|---|---|---|---|---|"]
    for number, entry in took.items():
        title = without_tags(entry.title.split("· ")[-1]).replace("|", "\\|")
        rows.append(f"| {number} | {title} | {entry.read} | {entry.exercises} | {entry.work} | {entry.seconds:.0f} |")
    total = sum(entry.seconds for entry in took.values())
    rows.append(f"| | all | {sum(t.read for t in took.values())} | {sum(t.exercises for t in took.values())} "
                f"| {sum(t.work for t in took.values())} | {total:.0f} |")  # fmt: skip
    filled = _FIELD.sub(value, text)
    return filled.replace("{table}", "\n".join(rows)).replace("{environment}", report["environment"])


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study teacher", description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="report.json of medattn course")
    parser.add_argument("out", type=Path, help="the zip")
    options = parser.parse_args(arguments)
    print(teacher_pack(options.report, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
