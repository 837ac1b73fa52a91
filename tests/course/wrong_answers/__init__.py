"""The usual wrong answers to each exercise, each with what its message must say.

One module a notebook, `nbNN.py`, with

    WRONG_ANSWERS: dict[str, list[Wrong]] = {
        "02-squeeze": [
            Wrong('''
                def squeeze(x):
                    return x.mean(dim=1)
            ''', expect="averaged over the channels"),
        ],
    }

or, shorter where the exercise asks for one function or class, the wrong function and the phrase:

            (averaged_over_channels, "averaged over the channels"),

A `Wrong`'s source takes the place of the whole exercise cell, so it defines the same names. It sees the imports, the
parameters, the functions and classes defined above it in the notebook, and the solutions of the exercises
above it; and whatever cells tagged `setup` above it define.
"""

from __future__ import annotations

import importlib
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Wrong:
    """A wrong answer.

    Attributes:
        source: code that a learner might write in the exercise's cell.
        expect: a phrase that the check's message or hint must contain; it names the mistake.
    """

    source: str
    expect: str

    @property
    def code(self) -> str:
        """The source without the indentation it has in the list."""
        return textwrap.dedent(self.source).strip("\n")


def all_wrong_answers() -> dict[str, list[tuple[Any, str]]]:
    """By exercise: each wrong answer (a text or an object to hand over) and the phrase it must hear."""
    found: dict[str, list[tuple[Any, str]]] = {}
    for path in sorted(Path(__file__).parent.glob("nb*.py")):
        module = importlib.import_module(f"{__name__}.{path.stem}")
        for name, entries in module.WRONG_ANSWERS.items():
            assert name not in found, f"{name} has wrong answers in two files"
            found[name] = [(e.code, e.expect) if isinstance(e, Wrong) else e for e in entries]
    return found
