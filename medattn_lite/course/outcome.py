"""A notebook before and after its run: its length, its errors (also those in widgets), its exercises' states."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from medattn_lite.course.checks import CHECK_MIME
from medattn_lite.optional import missing

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def length(path: Path) -> int:
    """The steps of a run: its cells and the injected one; 1 for what cannot be read, which its run will say."""
    import nbformat

    try:
        return len(nbformat.read(path, as_version=4).cells) + 1
    except (OSError, ValueError, nbformat.ValidationError):
        return 1


def tidied(path: Path) -> Any:
    """The executed copy, without papermill's banners over errors (intended ones too) and without progress bars.

    A bar goes away when its loop ends; its text, "0%", would stay in the file.
    """
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    banner = "papermill-error-cell-tag"
    notebook.cells = [cell for cell in notebook.cells if banner not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_progress_bar(output)]
    nbformat.write(notebook, path)
    return notebook


def _is_progress_bar(output: Any) -> bool:
    data = output.get("data", {})
    return _WIDGET_VIEW in data and re.search(r"\d%\|", data.get("text/plain", "")) is not None


def cell_errors(notebook: Any) -> list[str]:
    """Errors shown by the cells, except where the cell is there to raise one; cells counted from 1, as written."""
    lines, number = [], 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        number += "injected-parameters" not in tags
        if "raises-exception" not in tags:
            errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
            lines += [f"cell {number}: {error.ename}: {_short(error.evalue)}{_remedy(error)}" for error in errors]
    return lines


def _remedy(error: Any) -> str:
    """How to get the extra whose absence stopped a cell; empty for any other error."""
    module = re.fullmatch(r"No module named '([\w.]+)'", error.evalue) if error.ename == "ModuleNotFoundError" else None
    line = None if module is None else missing(ModuleNotFoundError(error.evalue, name=module[1]))
    return f"; {line}" if line else ""


def widget_errors(notebook: Any) -> list[str]:
    """Errors that a widget's callback raised and an Output widget caught."""
    models = notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})
    return [
        f"in a widget: {output['ename']}: {_short(output['evalue'])}"
        for model in models.values()
        for output in model.get("state", {}).get("outputs", [])
        if output.get("output_type") == "error"
    ]


def exercise_states(notebook: Any) -> dict[str, str]:
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    return {data[CHECK_MIME]["name"]: data[CHECK_MIME]["state"] for data in outputs if CHECK_MIME in data}


def one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {_short(str(error))}"


def _short(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= 300 else text[:297] + "…"
