"""Exercises with three states: not attempted yet, passed, not yet (with the mistake by name).

A check never stops a notebook. It is written beside the exercise's notebook, in
`medattn_lite/course/exercises/nbNN.py`:

    @exercise("02-squeeze", title="Squeeze a feature map")
    def check_squeeze(squeeze):
        return compare_function(
            squeeze,
            reference=lambda x: x.mean(dim=(2, 3)),
            cases=[(torch.randn(2, 3, 4, 5),)],
            mistakes=[
                Mistake(lambda x: x.mean(dim=1), "you averaged over the channels", hint="One number per channel …"),
                Mistake(lambda x: x.amax(dim=(2, 3)), "that is the largest value, not the mean"),
            ],
        )

and called in the cell after the exercise, as that cell's last line: `check("02-squeeze", squeeze)`.
The comparing itself is in `medattn_lite.course.diagnose`; `medattn_lite.course.run_check` finds and runs a check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CHECK_MIME = "application/vnd.medattn.check+json"

NOT_ATTEMPTED = "not attempted yet"
PASSED = "passed"
NOT_YET = "not yet"

# Symbol, and a colour that reads on white and on JupyterLab's dark background (contrast above 4.5 on both
# is not to be had for one colour, so it only marks the edge and the symbol; the words carry the meaning).
_LOOKS = {NOT_ATTEMPTED: ("○", "#7f7f7f"), PASSED: ("✓", "#1a8a5a"), NOT_YET: ("✗", "#c4560c")}


def code_html(text: str) -> str:
    """Text as HTML, what stands between backticks as code."""
    from html import escape

    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


@dataclass(frozen=True)
class Result:
    """What a check says about an answer.

    Attributes:
        state: "not attempted yet", "passed" or "not yet".
        message: what is right, or what is wrong, in one or two sentences.
        hint: what to look at next; empty when there is nothing to say.
        name: the exercise's name, such as "02-squeeze".
        title: the exercise's title.
    """

    state: str
    message: str
    hint: str = ""
    name: str = ""
    title: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.state == PASSED

    def __str__(self) -> str:
        symbol, _ = _LOOKS[self.state]
        heading = f"{symbol} {self.title or self.name or 'Exercise'}: {self.state}"
        return "\n".join([f"{heading}. {self.message}".rstrip(), *([f"  Hint: {self.hint}"] if self.hint else [])])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from html import escape

        symbol, colour = _LOOKS[self.state]
        hint = f"<br><span>Hint: {code_html(self.hint)}</span>" if self.hint else ""
        html = (
            f'<div role="status" style="border-left: 5px solid {colour}; padding: 0.3em 0.8em; font-size: 14px">'
            f'<span aria-hidden="true" style="color: {colour}; font-weight: bold">{symbol}</span> '
            f"<b>{escape(self.title or self.name or 'Exercise')}: {self.state}.</b> "
            f"{code_html(self.message)}{hint}</div>"
        )
        plain = {"name": self.name, "title": self.title, "state": self.state, "message": self.message}
        return {"text/plain": str(self), "text/html": html, CHECK_MIME: plain}


class NotAttempted(Exception):
    """Raised inside a check when there is no answer to look at."""


class NotYet(Exception):
    """Raised inside a check when the answer is wrong."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class Exercise:
    """One registered exercise."""

    name: str
    title: str
    judge: Callable[..., Result]


REGISTRY: dict[str, Exercise] = {}  # of what is imported; `run_check` imports what is asked for


def exercise(name: str, *, title: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Register a check.

    Args:
        name: notebook number and a word, such as "02-squeeze"; the notebook calls `check` with it.
        title: what the learner reads.
    """

    def register(judge: Callable[..., Result]) -> Callable[..., Result]:
        known = REGISTRY.get(name)
        if known is not None and known.judge.__module__ != judge.__module__:
            raise ValueError(f"two checks are called {name!r}: {known.judge.__module__} and {judge.__module__}")
        REGISTRY[name] = Exercise(name, title, judge)
        return judge

    return register


def passed(message: str = "Well done.") -> Result:
    """The answer is right."""
    return Result(PASSED, message)


def not_yet(message: str, hint: str = "") -> Result:
    """The answer is wrong in a way that has a name."""
    return Result(NOT_YET, message, hint)


def not_attempted(message: str = "Write your answer in the cell above, run it, and run this cell again.") -> Result:
    """There is nothing to look at yet."""
    return Result(NOT_ATTEMPTED, message)
