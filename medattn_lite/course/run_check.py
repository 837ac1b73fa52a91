"""Runs the check of an exercise: finds it in its notebook's file, and never lets it stop a notebook."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medattn_lite.course.checks import (
    NOT_YET,
    REGISTRY,
    Exercise,
    NotAttempted,
    NotYet,
    Result,
    not_attempted,
    not_yet,
)
from medattn_lite.course.error_words import advice, one_line, where
from medattn_lite.course.stubs import STUB_LINE, is_stub, keeps_stub_line


def exercises() -> dict[str, Exercise]:
    """Every registered exercise by name, in the notebooks' order."""
    package = importlib.import_module("medattn_lite.course.exercises")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(REGISTRY.items()))


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
        near = ", ".join(other for other in REGISTRY if other[:2] == name[:2]) or "none"
        return Result(NOT_YET, f"There is no exercise called {name!r}; this notebook's are: {near}.", name=name)
    result = _judge(exercise, answers)
    return Result(result.state, result.message, result.hint, name, exercise.title)


def _find(name: str) -> Exercise | None:
    """The exercise, importing only its notebook's checks where the name tells which."""
    if name not in REGISTRY:
        try:
            importlib.import_module(f"medattn_lite.course.exercises.nb{name.split('-')[0]}")
        except ModuleNotFoundError:
            exercises()
    return REGISTRY.get(name)


def _judge(exercise: Exercise, answers: tuple[Any, ...]) -> Result:
    if not answers or any(is_stub(answer) for answer in answers):
        return not_attempted()
    try:
        with _fresh_generators():
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
def _fresh_generators() -> Iterator[None]:
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
