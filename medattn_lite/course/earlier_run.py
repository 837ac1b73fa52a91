"""What an earlier `medattn course` left in a folder: its report, read again, and the copies that a new run replaces."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.data.json_files import read_object
from medattn_lite.errors import UserError

NUMBER = (int, float)
_KINDS: Mapping[str, Any] = {"environment": str, "notebooks": list, "parameters": dict, "name": str, "ok": bool,
                             "seconds": NUMBER, "peak_memory_mb": NUMBER, "metrics": (dict, list)}  # fmt: skip


def require_replaceable(notebooks: Sequence[Path], out: Path) -> None:
    """Looks whether everything that a run would replace was written by an earlier one.

    Args:
        notebooks: that would be run; a copy of each is written under its name.
        out: folder of the copies and the report.

    Raises:
        UserError: a notebook of the user's is there, with their answers in it, or another file under a report's name.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: name a folder")
    for path in notebooks:
        if os.path.lexists(out / path.name) and not _is_executed_copy(out / path.name):
            raise UserError(f"{out / path.name} is not a copy that medattn course made, it may hold your answers: "
                            "choose another --out; nothing was replaced")
    report = out / "report.json"
    if os.path.lexists(report):
        read_report(report, f"move it away, or choose another --out than {out}; nothing was replaced")
    elif os.path.lexists(out / "report.html"):
        raise UserError(f"{out / 'report.html'} is not a report of a course: move it away, or choose another --out; "
                        "nothing was replaced")


def _is_executed_copy(path: Path) -> bool:
    """What papermill writes says so, from its first cell on."""
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"] if path.is_file() else {}
        return "papermill" in metadata
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def read_report(
    path: Path, remedy: str, *, whole: Sequence[str] = (), notebook: Sequence[str] = ()
) -> dict[str, Any]:  # fmt: skip
    """What `medattn course` wrote down.

    Args:
        path: of `report.json`.
        remedy: what to do where there is none, or a damaged one.
        whole: what it must say of the run, besides environment and notebooks.
        notebook: what it must say of each notebook, besides its name and whether it ran.

    Raises:
        UserError: there is none, or it is damaged.
    """
    facts = read_object(path, remedy=remedy, missing=f"there is no {path}: {remedy}")
    if not _has(facts, ("environment", "notebooks", *whole)) or not all(
        isinstance(run, dict) and _has(run, ("name", "ok", *notebook)) for run in facts["notebooks"]
    ):
        raise UserError(f"{path} is damaged, it is not a report of a course: {remedy}")
    if "parameters" in whole and "SCALE" not in facts["parameters"]:
        raise UserError(f"{path} is damaged, it does not say at which scale the course was run: {remedy}")
    return facts


def _has(part: Mapping[str, Any], names: Sequence[str]) -> bool:
    return all(isinstance(part.get(name), _KINDS[name]) for name in names)
