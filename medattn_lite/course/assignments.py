"""Copies of the notebooks that nbgrader can hand out, collect and mark; nbgrader itself is not needed to make them.

nbgrader's markers are the sources' own, `### BEGIN SOLUTION` and `### END SOLUTION`. Each exercise becomes a cell that
is answered by hand and marked by the machine; the check under it becomes the marking cell: it shows what the learner
would see, and fails unless the answer has passed. Metadata: nbgrader's schema, version 3.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from medattn_lite.course.generate import NOTEBOOKS, read_source, source_paths
from medattn_lite.course.links import moved_to

WAY_BACK = "../../../notebooks/"  # from assignments/source/NAME/ in the teacher's pack
POINTS = 2  # an exercise; nbgrader lets the teacher change it
_CHECK = re.compile(r"""^check\(\s*["']([\w-]+)["'].*\)\s*$""", re.DOTALL)
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "medattn_lite"
c.ClearSolutions.begin_solution_delimeter = "BEGIN SOLUTION"
c.ClearSolutions.end_solution_delimeter = "END SOLUTION"
# The stub the checks know as "not attempted yet".
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
c.ExecutePreprocessor.timeout = 600
"""


def assignments(folder: Path = NOTEBOOKS) -> dict[str, Any]:
    """Name of each notebook with exercises → nbgrader's source copy of it.

    Args:
        folder: holds `source/`.
    """
    made = {path.stem: _assignment(read_source(path)) for path in source_paths(folder)}
    return {name: notebook for name, notebook in made.items() if _graded(notebook)}


def _assignment(notebook: Any) -> Any:
    cells = [cell for cell in notebook.cells if "solution-only" not in cell.metadata.get("tags", [])]
    checked = False
    for cell in cells:
        cell.metadata.pop("slideshow", None)
        if cell.cell_type == "markdown":
            cell.source = moved_to(cell.source, WAY_BACK)
            continue
        if "exercise" in cell.metadata.get("tags", []):
            checked, answer = True, cell
            continue
        lines = cell.source.rstrip().split("\n")
        start = next((k for k in range(len(lines) - 1, -1, -1) if lines[k].startswith("check(")), None)
        match = _CHECK.match("\n".join(lines[start:])) if checked and start is not None else None
        if match is None:
            continue
        name, checked = match.group(1), False
        call = "\n".join(lines[start:])
        marked = [f"result = {call}", "print(result)", "assert result.passed, str(result)"]
        cell.source = "\n".join([*lines[:start], *marked])
        answer.metadata["nbgrader"] = _cell(f"{name}-answer", solution=True, grade=False, locked=False)
        cell.metadata["nbgrader"] = {**_cell(name, solution=False, grade=True, locked=True), "points": POINTS}
    notebook.cells = cells
    return notebook


def _cell(name: str, **what: bool) -> dict[str, Any]:
    return {"grade_id": name, "schema_version": 3, "task": False, "cell_type": "code", **what}


def _graded(notebook: Any) -> int:
    return sum(cell.metadata.get("nbgrader", {}).get("grade", False) for cell in notebook.cells)
