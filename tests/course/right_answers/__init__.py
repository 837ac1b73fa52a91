"""Right answers to each exercise in forms that are not the solution's: numpy, pandas, lists, float64, other layers.

One module a notebook, `nbNN.py`, with `RIGHT_ANSWERS`, as in `tests/course/wrong_answers`; they carry no phrase.
"""

from __future__ import annotations

from pathlib import Path

from tests.course.answers import Answer
from tests.course.wrong_answers import collected


def all_right_answers() -> dict[str, list[Answer]]:
    """Every unusual right answer, by exercise."""
    return collected(Path(__file__).parent, __name__, "RIGHT_ANSWERS")
