"""Exercises as the notebooks' sources have them: the cell, what it may use, and how it is checked."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medattn_lite.course.checks import Result
from medattn_lite.course.generate import NOTEBOOKS, read_source, source_paths
from medattn_lite.course.run_check import check
from medattn_lite.course.stubs import keep_solutions, strip_solutions

_count = 0


@dataclass(frozen=True)
class SourceExercise:
    """One exercise of a notebook.

    Attributes:
        name: as in `check("02-squeeze", …)`.
        notebook: the source's file name.
        cell: the exercise cell's text, markers and all.
        call: the text of the check's call.
        context: code that must have run before: imports, parameters, definitions, `setup` cells.
    """

    name: str
    notebook: str
    cell: str
    call: str
    context: str

    def outcome(self, code: str) -> Result:
        """The check's result if a learner writes `code` into the exercise cell."""
        namespace: dict[str, Any] = {"__name__": "__main__"}
        _run(self.context, namespace)
        _run(code, namespace)
        call = ast.parse(self.call, mode="eval").body
        answers = [eval(compile(ast.Expression(value), "<check>", "eval"), namespace) for value in call.args[1:]]
        return check(self.name, *answers)

    @property
    def answer_name(self) -> str:
        """The name that the check is handed, such as `squeeze`."""
        return ast.unparse(ast.parse(self.call, mode="eval").body.args[1])

    @property
    def stub(self) -> str:
        """What the learner finds."""
        return strip_solutions(self.cell)

    @property
    def solution(self) -> str:
        """What the teacher has."""
        return keep_solutions(self.cell)


def source_exercises() -> dict[str, SourceExercise]:
    """Every exercise of every source, by name."""
    exercises: dict[str, SourceExercise] = {}
    for path in source_paths(NOTEBOOKS):
        for exercise in exercises_of(path):
            assert exercise.name not in exercises, f"{exercise.name} is checked twice"
            exercises[exercise.name] = exercise
    return exercises


@cache
def exercises_of(path: Path) -> tuple[SourceExercise, ...]:
    """The exercises of one source, in order."""
    cells = [cell for cell in read_source(path).cells if cell.cell_type == "code"]
    exercises = []
    for position, cell in enumerate(cells):
        call = check_call(cell.source)
        if call is None:
            continue
        place = position - 1
        while place >= 0 and "exercise" not in cells[place].metadata.get("tags", []):
            place -= 1
        name = call.args[0].value
        assert place >= 0, f"{path.name}: no exercise cell before check({name!r})"
        context = "\n".join(filter(None, (reusable(earlier) for earlier in cells[:place])))
        exercises.append(SourceExercise(name, path.name, cells[place].source, ast.unparse(call), context))
    return tuple(exercises)


def check_call(source: str) -> ast.Call | None:
    """The call of `check` with a name, if the cell's last line is one."""
    body = ast.parse(source).body
    last = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    if isinstance(last, ast.Call) and isinstance(last.func, ast.Name) and last.func.id == "check":
        return last
    return None


def reusable(cell: Any) -> str:
    """What a later exercise may use of a cell: all of a parameters, setup or exercise cell; else its definitions."""
    tags = cell.metadata.get("tags", [])
    text = keep_solutions(cell.source)
    if {"parameters", "setup", "exercise"} & set(tags):
        return text
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    return "\n".join(ast.unparse(part) for part in ast.parse(text).body if isinstance(part, kept))


def _run(code: str, namespace: dict[str, Any]) -> None:
    """Run code as a notebook's cell: its text can be looked up by `inspect`, and by the line in a traceback."""
    global _count
    _count += 1
    filename = f"<cell {_count}>"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    exec(compile(code, filename, "exec"), namespace)
