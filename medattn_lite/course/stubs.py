"""What an unanswered exercise looks like, in a notebook's text and as a Python object.

A source cell marks the solution; the learner's copy has the stub line in its place, so that a function
still exists and returns None:

    def squeeze(x):
        ### BEGIN SOLUTION            def squeeze(x):
        return x.mean(dim=(2, 3))  →      ...  # your code here
        ### END SOLUTION
"""

from __future__ import annotations

import dis
import inspect
import re
from types import FunctionType
from typing import Any

STUB_LINE = "...  # your code here"
BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"

_STUB_PATTERN = re.compile(r"^\s*\.\.\.\s*# your code here\s*$", re.MULTILINE)
# What a function compiles to that has a docstring, `...` or `pass`, and nothing else.
_EMPTY_BODY = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


def strip_solutions(text: str, *, where: str = "cell") -> str:
    """The learner's text of a cell: each marked solution becomes one stub line.

    Args:
        text: the source cell's text.
        where: what to call the cell in an error.

    Raises:
        ValueError: a BEGIN without its END, an END without its BEGIN, or one inside another.
    """
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        mark = line.strip()
        if mark == BEGIN:
            if inside:
                raise ValueError(f"{where}: a second {BEGIN!r} before {END!r}")
            inside = True
            kept.append(line[: len(line) - len(line.lstrip())] + STUB_LINE)
        elif mark == END:
            if not inside:
                raise ValueError(f"{where}: {END!r} without {BEGIN!r}")
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"{where}: {BEGIN!r} without {END!r}")
    return "\n".join(kept)


def keep_solutions(text: str) -> str:
    """The teacher's text of a cell: the solution stays, its markers go."""
    return "\n".join(line for line in text.split("\n") if line.strip() not in (BEGIN, END))


def is_stub(answer: Any) -> bool:
    """Whether there is no answer at all: None, `...`, or a function whose body does nothing."""
    if answer is None or answer is Ellipsis:
        return True
    if not isinstance(answer, FunctionType):
        return False
    return {step.opname for step in dis.get_instructions(answer)} <= _EMPTY_BODY and _returns_none(answer)


def keeps_stub_line(answer: Any) -> bool:
    """Whether the stub line still stands in the text of a function or a class."""
    parts = [answer] if isinstance(answer, FunctionType) else _methods(answer)
    return any(_STUB_PATTERN.search(text) for text in map(_source, parts))


def _returns_none(function: FunctionType) -> bool:
    # `return 3` compiles to the same steps as `pass`, with another constant.
    steps = list(dis.get_instructions(function))
    loaded = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return bool(loaded) and loaded[-1] is None


def _methods(answer: Any) -> list[FunctionType]:
    owner = answer if inspect.isclass(answer) else type(answer)
    if owner.__module__ not in ("__main__", "builtins") and not owner.__module__.startswith("medattn_cell"):
        return []  # a library's class; only the learner's own text is of interest
    return [member for member in vars(owner).values() if isinstance(member, FunctionType)]


def _source(function: FunctionType) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""
