"""An answer that a learner might write into an exercise's cell, right or wrong, and the check's result for it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medattn_lite.course.checks import Result
from medattn_lite.course.run_check import check
from tests.course.exercise_source import SourceExercise

IMPORTS = "import math\nimport numpy as np\nimport torch"  # what a learner would write above such an answer


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        title: what is special about it, in a few words; of a function without a title, its name.
        what: a function or class to hand over; or the cell's text; or a text that begins with `lambda`, which gets
            the exercise's name; or edits of the solution, (old, new) each, which must fit.
        expect: a phrase that the message or hint to a wrong answer must contain; empty for a right one.
    """

    title: str
    what: Callable[..., Any] | str | list[tuple[str, str]]
    expect: str = ""

    def code(self, exercise: SourceExercise) -> str:
        """The text of the exercise's cell with this answer in it."""
        if isinstance(self.what, str):
            text = textwrap.dedent(self.what).strip("\n")
            text = f"{exercise.answer_name} = {text}" if text.startswith("lambda") else text
            return "\n".join([IMPORTS, _helpers(exercise), text])
        text = exercise.solution
        for old, new in self.what:
            assert old in text, f"{exercise.name}, {self.title}: {old!r} is not in the solution"
            text = text.replace(old, new)
        return text

    def outcome(self, exercise: SourceExercise) -> Result:
        """What the check says of it."""
        if isinstance(self.what, (str, list)):
            return exercise.outcome(self.code(exercise))
        return check(exercise.name, self.what)


def _helpers(exercise: SourceExercise) -> str:
    """What the exercise's cell holds beside the answer: imports, and functions that may be used."""
    body = ast.parse(exercise.solution).body
    return "\n".join(ast.unparse(part) for part in body if getattr(part, "name", "") != exercise.answer_name
                     and isinstance(part, (ast.Import, ast.ImportFrom, ast.FunctionDef)))  # fmt: skip
