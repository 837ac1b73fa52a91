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
The comparing itself is in `medattn_lite.course.diagnose`.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from medattn_lite.course.error_words import advice, one_line, where
from medattn_lite.course.stubs import STUB_LINE, is_stub, keeps_stub_line

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


_REGISTRY: dict[str, Exercise] = {}


def exercise(name: str, *, title: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Register a check.

    Args:
        name: notebook number and a word, such as "02-squeeze"; the notebook calls `check` with it.
        title: what the learner reads.
    """

    def register(judge: Callable[..., Result]) -> Callable[..., Result]:
        known = _REGISTRY.get(name)
        if known is not None and known.judge.__module__ != judge.__module__:
            raise ValueError(f"two checks are called {name!r}: {known.judge.__module__} and {judge.__module__}")
        _REGISTRY[name] = Exercise(name, title, judge)
        return judge

    return register


def exercises() -> dict[str, Exercise]:
    """Every registered exercise by name, in the notebooks' order."""
    package = importlib.import_module("medattn_lite.course.exercises")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def passed(message: str = "Well done.") -> Result:
    """The answer is right."""
    return Result(PASSED, message)


def not_yet(message: str, hint: str = "") -> Result:
    """The answer is wrong in a way that has a name."""
    return Result(NOT_YET, message, hint)


def not_attempted(message: str = "Write your answer in the cell above, run it, and run this cell again.") -> Result:
    """There is nothing to look at yet."""
    return Result(NOT_ATTEMPTED, message)


def check(name: str, *answers: Any) -> Result:
    """Checks an answer and says how it stands. Never raises.

    Args:
        name: the exercise's name, such as "02-squeeze".
        *answers: what the learner wrote: a function, a class, a number, a tensor; or several of them.

    Returns:
        The result; as the last line of a cell it is shown in words and colour.
    """
    try:
        exercise = _find(name)
    except Exception as error:
        return Result(NOT_YET, f"This check could not be loaded ({one_line(error)}). That is our mistake, not yours.",
                      name=name)
    if exercise is None:
        near = ", ".join(other for other in _REGISTRY if other[:2] == name[:2]) or "none"
        return Result(NOT_YET, f"There is no exercise called {name!r}; this notebook's are: {near}.", name=name)
    result = _judge(exercise, answers)
    return Result(result.state, result.message, result.hint, name, exercise.title)


def _find(name: str) -> Exercise | None:
    """The exercise, importing only its notebook's checks where the name tells which."""
    if name not in _REGISTRY:
        try:
            importlib.import_module(f"medattn_lite.course.exercises.nb{name.split('-')[0]}")
        except ModuleNotFoundError:
            exercises()
    return _REGISTRY.get(name)


def _judge(exercise: Exercise, answers: tuple[Any, ...]) -> Result:
    if not answers or any(is_stub(answer) for answer in answers):
        return not_attempted()
    try:
        with _own_chance():
            result = exercise.judge(*answers)
    except (NotAttempted, NotImplementedError):
        result = not_attempted()
    except NotYet as problem:
        result = not_yet(problem.message, problem.hint)
    except KeyboardInterrupt:
        result = not_yet("The check was interrupted.", "Run the cell again; does your code come to an end?")
    except SystemExit:
        result = not_yet("Your code ends Python (`exit` or `quit`).", "Leave that line out; `return` ends a function.")
    except Exception as error:
        result = not_yet(f"Your code raised {one_line(error)}{where(error)}.", advice(error))
    if not isinstance(result, Result):
        return not_yet("This check came to no result. That is our mistake, not yours.")
    if not result.passed and any(keeps_stub_line(answer) for answer in answers):
        return not_attempted(f"The line `{STUB_LINE}` is still there: put your answer in its place.")
    return result


@contextmanager
def _own_chance() -> Iterator[None]:
    """All generators of random numbers seeded for a check, and afterwards as the learner's notebook left them."""
    import numpy as np
    import torch

    python, array = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(0)
            np.random.seed(0)
            torch.default_generator.manual_seed(0)
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)
