"""Wrong answers to each exercise, each with what its message must say.

Two modules a notebook, `nbNN.py` and `nbNN_more.py`, with

    WRONG_ANSWERS = {
        "02-squeeze": [
            (averaged_over_channels, "averaged over the channels"),                   # a function or a class
            Answer("mean of the axes", "lambda u: u.mean((0, 1))", "has shape"),      # a text
            Answer("twice", [("return u * s", "return 2 * u * s")], "2 times"),       # edits of the solution
        ],
    }

A text or an edited solution takes the place of the exercise cell. It sees the imports, the parameters, the functions
and classes defined above it in the notebook, the solutions of the exercises above it, and whatever cells tagged
`setup` above it define.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.course.answers import Answer


@dataclass(frozen=True)
class Wrong:
    """A wrong answer as the text of the cell, with the phrase that its message or hint must contain."""

    source: str
    expect: str


def all_wrong_answers() -> dict[str, list[Answer]]:
    """Every wrong answer, by exercise."""
    return collected(Path(__file__).parent, __name__, "WRONG_ANSWERS")


def collected(folder: Path, package: str, table: str) -> dict[str, list[Answer]]:
    """The answers of all modules in a folder, by exercise."""
    answers: dict[str, list[Answer]] = {}
    for path in sorted(folder.glob("nb*.py")):
        module = importlib.import_module(f"{package}.{path.stem}")
        for name, entries in getattr(module, table).items():
            known = answers.setdefault(name, [])
            known += [_as_answer(entry, number) for number, entry in enumerate(entries, start=len(known) + 1)]
    return answers


def _as_answer(entry: Any, number: int) -> Answer:
    if isinstance(entry, Answer):
        return entry
    if isinstance(entry, Wrong):
        return Answer(f"wrong {number}", entry.source, entry.expect)
    answer, expect = entry
    called = getattr(answer, "__name__", "<lambda>").replace("_", " ").replace("<lambda>", f"wrong {number}")
    return Answer(called, answer, expect)
