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

`source` takes the place of the whole exercise cell, so it defines the same names. It sees the imports, the
parameters, the functions and classes defined above it in the notebook, and the solutions of the exercises
above it; and whatever cells tagged `setup` above it define.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


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
