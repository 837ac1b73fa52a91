"""The page of a comparison: mechanism × task in one table, one picture, and what each mechanism costs.

    write_page(Path("runs/compare"), Path("figures/mechanisms.md"))

The positive controls (`figures/positive_controls.json`) stand in a table of their own, where they were run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medattn_lite.data.files import new_file
from medattn_lite.errors import UserError
from medattn_lite.escaping import without_tags
from medattn_lite.mechanism_comparison.page_text import HEADING, page_text
from medattn_lite.mechanism_comparison.results import collect
from medattn_lite.mechanism_comparison.with_controls import controls_record
from medattn_lite.training.environment_record import write_json

CONTROLS = Path("figures/positive_controls.json")


def require_page(page: Path) -> None:
    """Looks whether a page may be written, before anything is trained.

    Raises:
        UserError: it is a folder, its name does not end in .md, or it holds something else.
    """
    if page.is_dir() or page.suffix != ".md":
        raise UserError(f"--page {page}: name a file that ends in .md")
    if page.exists() and not page.read_text(encoding="utf-8", errors="replace").startswith(HEADING):
        raise UserError(f"{page} is not a page that medattn compare wrote: choose another name; nothing was replaced")
    record = page.with_suffix(".json")
    if record.exists() and "mechanisms" not in _read(record):
        raise UserError(f"{record} is not a record that medattn compare wrote: choose another name for the page")


def write_page(out: Path, page: Path, *, controls: Path = CONTROLS) -> list[Path]:
    """Writes the page, its figures as JSON, and its picture.

    Args:
        out: folder of the records.
        page: the file; `.json` and `.png` stand beside it.
        controls: record of the positive controls, beside what `out` has of them.

    Returns:
        the files.

    Raises:
        UserError: see `require_page`; or there are no records.
    """
    require_page(page)
    record = controls_record(out, controls)
    record_of_page = collect(out, may_be_empty=record is not None)
    if record is not None:
        record_of_page["positive_controls"] = {key: record.get(key) for key in ("scale", "version")} | {
            "runs": {key: {"accuracy": run["accuracy"]} for key, run in record["runs"].items()}
        }
    page.parent.mkdir(parents=True, exist_ok=True)
    figures, picture = page.with_suffix(".json"), page.with_suffix(".png")
    write_json(figures, record_of_page)
    if record_of_page["tasks"]:
        draw(record_of_page, picture)
    with new_file(page, overwrite=True) as part:
        part.write_text(without_tags(page_text(_read(figures), picture=picture.name)), encoding="utf-8")
    return [page, figures, *([picture] if record_of_page["tasks"] else [])]


def draw(results: dict[str, Any], picture: Path) -> None:
    """Draws the differences to the plain network, one panel per task."""
    from medattn_lite.evaluation.intervals import Interval
    from medattn_lite.plots.mechanisms import mechanism_panels

    panels = {}
    for name, task in results["tasks"].items():
        rows: dict[str, Any] = {}
        for mechanism in results["mechanisms"]:
            difference = task["rows"].get(mechanism, {}).get("difference")
            rows[mechanism] = Interval.from_dict(difference) if difference else task["missing"].get(mechanism)
        for row in task["rows"].values():
            if row["wider"] and row.get("difference"):
                rows[f"plain, width {row['width']}"] = Interval.from_dict(row["difference"])
        rows.pop("none", None)
        panels[f"{name}: {task['score']}"] = rows
    with new_file(picture, overwrite=True) as part:
        mechanism_panels(panels).savefig(part, dpi=110)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})") from error
