"""The report of a run of the course: `report.json` for programs, `report.html` for people.

The page is one file: its pictures are in it, with their descriptions, and it asks for nothing from outside.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from medattn_lite.course.environment import environment_line
from medattn_lite.course.metrics import metric_text
from medattn_lite.course.runner import NotebookRun
from medattn_lite.escaping import printable

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def write_report(
    runs: Sequence[NotebookRun],
    *,
    out: Path,
    notebooks: Path,
    parameters: Mapping[str, Any],
    started: float,
    planned: int,
    only: Sequence[str] = (),
    jobs: int = 1,
) -> tuple[Path, Path]:
    """Write both reports.

    Args:
        runs: what came of each notebook.
        out: where the executed copies lie and the reports go.
        notebooks: where the notebooks came from; their titles are read there.
        parameters: what each notebook was given.
        started: when the run began, in seconds since 1970.
        planned: how many notebooks were to be run; more than there are runs if somebody stopped them.
        only: the numbers or names that were asked for; empty for the whole course.
        jobs: how many notebooks ran at a time.

    Returns:
        The paths of `report.json` and `report.html`.
    """
    out.mkdir(parents=True, exist_ok=True)
    in_parallel = f" · {jobs} notebooks at a time, {_threads(jobs)} each" if jobs > 1 else ""
    record = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
        "environment": environment_line(parameters["DEVICE"], parameters["SCALE"], seed=parameters["SEED"],
                                        data=parameters["DATA"], data_root=parameters["DATA_ROOT"]) + in_parallel,
        "parameters": dict(parameters),
        "planned": planned,
        "only": list(only),
        "ok": len(runs) == planned and all(run.ok for run in runs),
        "notebooks": [_entry(run, notebooks) for run in runs],
    }
    as_json, as_page = out / "report.json", out / "report.html"
    # a name that is not UTF-8 must not end a course of an hour
    as_json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors="replace")
    as_page.write_text(report_page(record, out), encoding="utf-8", errors="replace")
    return as_json, as_page


def report_page(record: Mapping[str, Any], out: Path) -> str:
    """The page, from what `report.json` holds and the executed copies beside it."""
    entries = record["notebooks"]
    failed = sum(bool(entry["errors"]) for entry in entries)
    verdict = "All of them ran to their end." if not failed else f"{failed} of {len(entries)} did not run to their end."
    if len(entries) < record["planned"]:
        verdict = f"Stopped after {len(entries)} of {record['planned']}. " + (verdict if failed else "")
    rows = "\n".join(_row(entry) for entry in entries)
    sections = "\n".join(_section(entry, out) for entry in entries)
    return (
        _HEAD
        + f"<h1>The course, run at {escape(record['parameters']['SCALE'])} scale</h1>\n"
        f"<p>{escape(record['environment'])}.</p>\n"
        f"<p>{len(entries)} notebooks in {record['seconds']:.0f} s, begun {escape(record['started'])}. {verdict}</p>\n"
        "<table><thead><tr><th scope=col>Notebook</th><th scope=col>State</th><th scope=col>Seconds</th>"
        "<th scope=col>Peak memory, MB</th><th scope=col>Exercises</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table>\n{sections}\n</main></body></html>\n"
    )


def pictures_of(executed: Path) -> Iterator[tuple[str, str, str]]:
    """(heading, description, PNG in base64) of every picture that an executed notebook shows."""
    import nbformat

    heading = ""
    for cell in nbformat.read(executed, as_version=4).cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{1,4} +(.+)$", cell.source, re.MULTILINE)
            heading = re.sub(r"[*`$]", "", headings[-1]) if headings else heading
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png is not None:
                content = "".join(png.split()) if isinstance(png, str) else ""
                if _BASE64.fullmatch(content):  # what else calls itself a picture could end the attribute
                    yield heading, picture_alt(output), content


def picture_alt(output: Mapping[str, Any]) -> str:
    """The description of a picture among a cell's outputs; empty if it has none."""
    alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
    text = output["data"].get("text/plain", "")
    return alt or ("" if text.startswith("<") else text)


def _entry(run: NotebookRun, notebooks: Path) -> dict[str, Any]:
    return {
        "name": run.name,
        "title": _title(notebooks / f"{run.name}.ipynb"),
        "ok": run.ok,
        "seconds": round(run.seconds, 1),
        "peak_memory_mb": round(run.peak_memory_mb, 1),
        "metrics": run.metrics,
        "exercises": run.exercises,
        "errors": run.errors,
        "executed": run.executed.name,
    }


def _threads(jobs: int) -> str:
    """How many threads joblib leaves each of several processes."""
    from joblib import cpu_count

    threads = os.environ.get("OMP_NUM_THREADS", "")
    number = int(threads) if threads.isdigit() else max(1, cpu_count() // jobs)
    return f"{number} thread{'s' if number > 1 else ''}"


def _title(path: Path) -> str:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "".join(cells[0]["source"])
    except (OSError, ValueError, LookupError):
        return path.stem
    match = re.search(r"^#{1,2} (.+)$", text, re.MULTILINE)
    return re.sub(r"[*`$]", "", match.group(1)).strip() if match else path.stem


def anchor(name: str) -> str:
    """A notebook's name as an anchor of a page: without blanks and controls, which an id must not hold."""
    return re.sub(r"\s+", "-", printable(name))


def _shown(text: str) -> str:
    """Text from a notebook or a file name, for a page: no tag, no control character."""
    return escape(printable(text))


def _row(entry: Mapping[str, Any]) -> str:
    state = '<td class="good">✓ ran</td>' if entry["ok"] else '<td class="bad">✗ failed</td>'
    states = list(entry["exercises"].values())
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"
    title = f'<a href="#{quote(anchor(entry["name"]))}">{_shown(entry["title"])}</a>'
    return (f'<tr><th scope="row">{title}</th>{state}'
            f'<td class="number">{entry["seconds"]:.1f}</td><td class="number">{entry["peak_memory_mb"]:.0f}</td>'
            f"<td>{escape(counted)}</td></tr>")


def _section(entry: Mapping[str, Any], out: Path) -> str:
    parts = [f'<section id="{escape(anchor(entry["name"]))}">', f"<h2>{_shown(entry['title'])}</h2>",
             f"<p>Executed copy: <code>{_shown(entry['executed'])}</code></p>"]
    if entry["errors"]:
        parts.append('<ul class="bad">' + "".join(f"<li>{_shown(line)}</li>" for line in entry["errors"]) + "</ul>")
    if entry["metrics"]:
        lines = "".join(f"<li>{_shown(metric_text(metric))}</li>" for metric in entry["metrics"])
        parts.append(f"<h3>Figures reported</h3><ul>{lines}</ul>")
    executed = out / entry["executed"]
    for heading, alt, png in pictures_of(executed) if executed.exists() else ():
        parts.append(
            f'<figure><img alt="{escape(alt, quote=True)}" src="data:image/png;base64,{png}">'
            f"<figcaption><b>{escape(heading)}.</b> {escape(alt)}</figcaption></figure>"
        )
    return "\n".join([*parts, "</section>"])


_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>medattn_lite: report of the course</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #8a8f98; padding: .3em .7em; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: #0b6e3b; } .bad { color: #b00020; }
figure { margin: 1.5em 0; } figcaption { font-size: .9em; }
img { max-width: 100%; background: white; }
@media (prefers-color-scheme: dark) { .good { color: #8fd6a8; } .bad { color: #ff9aa5; } a { color: #9cc4ff; } }
</style></head><body><main>
"""
