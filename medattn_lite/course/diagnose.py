"""Compare an answer with the right one, and recognise the usual mistakes by what they give.

A wrong answer is recognised by doing: each usual mistake is written down as code, and if the learner's
answer equals the mistake's output, the message names it. Otherwise the message says what is seen:
another type, another shape, NaN, or the largest difference and where it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from medattn_lite.course.checks import NotAttempted, NotYet, Result, passed
from medattn_lite.course.stubs import is_stub


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer.

    Attributes:
        wrong: in `compare`, the wrong value, or a predicate that takes the answer; in
            `compare_function`, the wrong function.
        message: what is wrong, addressed to the learner: "you averaged over the channels".
        hint: what to look at next.
    """

    wrong: Any
    message: str
    hint: str = ""


def compare(
    answer: Any,
    expected: Any,
    *,
    mistakes: Sequence[Mistake] = (),
    what: str = "your answer",
    praise: str = "Well done.",
    hint: str = "",
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> Result:
    """Judge a value: a number, a text, a tensor, an array, or a tuple of them.

    Args:
        answer: what the learner has.
        expected: what is right.
        mistakes: usual wrong values, each with the message that names it; the first that fits is told.
        what: how to name the value in a message, such as "the context".
        praise: what a right answer hears.
        hint: what a wrong answer hears that is none of the mistakes.
        rtol: relative tolerance.
        atol: absolute tolerance.

    Raises:
        NotAttempted: there is no answer (None or `...`).
        NotYet: the answer is wrong; `check` turns it into a result.
    """
    if is_stub(answer):
        raise NotAttempted
    if same(answer, expected, rtol=rtol, atol=atol):
        return passed(praise)
    for mistake in mistakes:
        if _fits(mistake.wrong, answer, rtol, atol):
            raise NotYet(_sentence(mistake.message), mistake.hint or hint)
    raise NotYet(_sentence(difference(answer, expected, what=what)), hint)


def compare_function(
    function: Callable[..., Any],
    *,
    reference: Callable[..., Any],
    cases: Sequence[tuple],
    mistakes: Sequence[Mistake] = (),
    what: str = "what your function returns",
    praise: str = "Well done.",
    hint: str = "",
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> Result:
    """Judge a function (or a module) by what it returns on several inputs.

    Args:
        function: what the learner wrote.
        reference: the right function.
        cases: arguments to call both with, one tuple a call; copies are handed over.
        mistakes: usual wrong functions. One is told if it gives what the learner's gives in every case;
            a wrong function that raises in a case does not fit.
        what: how to name the value in a message.
        praise: what a right answer hears.
        hint: what a wrong answer hears that is none of the mistakes.
        rtol: relative tolerance.
        atol: absolute tolerance.

    Raises:
        NotAttempted: the function does nothing.
        NotYet: it is wrong; `check` turns it into a result.
    """
    if not callable(function):
        raise NotYet(f"You handed over {_kind(function)}, not the function itself.", "Leave out the call: no brackets.")
    if is_stub(function):
        raise NotAttempted
    answers = [_call(function, case) for case in cases]
    expected = [reference(*copy.deepcopy(case)) for case in cases]
    if all(map(lambda a, b: same(a, b, rtol=rtol, atol=atol), answers, expected)):
        return passed(praise)
    for mistake in mistakes:
        if _behaves_alike(mistake.wrong, cases, answers, rtol, atol):
            raise NotYet(_sentence(mistake.message), mistake.hint or hint)
    for a, b in zip(answers, expected, strict=True):
        if not same(a, b, rtol=rtol, atol=atol):
            raise NotYet(_sentence(difference(a, b, what=what)), hint)
    raise AssertionError("unreachable: some case differs")


def copy_parameters(source: nn.Module, target: nn.Module, *, hint: str = "") -> None:
    """Give the learner's module the reference's weights, by order and shape; names may differ.

    Raises:
        NotYet: another number of parameters, or another shape.
    """
    theirs, ours = list(target.named_parameters()), list(source.named_parameters())
    if len(theirs) != len(ours):
        raise NotYet(f"Your module has {len(theirs)} parameters ({', '.join(n for n, _ in theirs) or 'none'}); "
                     f"it should have {len(ours)}.", hint or "Which layers are in the formula, and which have a bias?")
    with torch.no_grad():
        for (name, mine), (_, right) in zip(theirs, ours, strict=True):
            if mine.shape != right.shape and mine.numel() != right.numel():
                raise NotYet(f"The parameter `{name}` has shape {tuple(mine.shape)}; "
                             f"{tuple(right.shape)} was expected.", hint)
            mine.copy_(right.reshape(mine.shape))


def same(answer: Any, expected: Any, *, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Whether two values are equal: in kind, shape and number within the tolerance."""
    if isinstance(expected, (tuple, list)) and not _is_numeric(expected):
        return (isinstance(answer, (tuple, list)) and len(answer) == len(expected)
                and all(same(a, e, rtol=rtol, atol=atol) for a, e in zip(answer, expected, strict=True)))
    if isinstance(expected, (str, bool)):
        return type(answer) in (type(expected), np.bool_) and bool(answer == expected)
    mine, right = _array(answer), _array(expected)
    if mine is None or right is None or mine.shape != right.shape:
        return False
    return bool(np.allclose(mine, right, rtol=rtol, atol=atol, equal_nan=True))


def difference(answer: Any, expected: Any, *, what: str = "your answer") -> str:
    """What is seen to be different, in words: kind, length, shape, NaN, or the largest difference."""
    if isinstance(expected, (tuple, list)) and not _is_numeric(expected):
        if not isinstance(answer, (tuple, list)):
            return f"{what} is {_kind(answer)}; {len(expected)} values were expected"
        if len(answer) != len(expected):
            return f"{what} has {len(answer)} values; {len(expected)} were expected"
        first = next(i for i, (a, e) in enumerate(zip(answer, expected, strict=True)) if not same(a, e))
        return difference(answer[first], expected[first], what=f"value {first + 1} of {what}")
    mine, right = _array(answer), _array(expected)
    if right is None or isinstance(expected, (str, bool)):
        return f"{what} is {answer!r}, which is not right"
    if mine is None:
        return f"{what} is {_kind(answer)}; {_kind(expected)} was expected"
    if mine.shape != right.shape:
        return f"{what} has shape {mine.shape}; {right.shape} was expected"
    if not np.isfinite(mine).all() and np.isfinite(right).all():
        return f"{what} contains NaN or infinity"
    gap = np.abs(mine - right)
    if gap.ndim == 0:
        return f"{what} is {float(mine):.4g}, which is not right"
    place = tuple(int(i) for i in np.unravel_index(int(np.nanargmax(gap)), gap.shape))
    return (f"{what} has the right shape but other numbers: at {list(place)} it is {float(mine[place]):.4g}, "
            f"and {float(right[place]):.4g} was expected")


def _call(function: Callable[..., Any], case: tuple) -> Any:
    """The learner's output, after making sure that the input came back as it was."""
    handed = copy.deepcopy(case)
    answer = function(*handed)
    if is_stub(answer):
        raise NotYet("Your function returns None.", "Does it end with `return …`?")
    if not all(same(after, before) for after, before in zip(handed, case, strict=True) if _array(before) is not None):
        raise NotYet("Your function changes its input.", "Work on a new tensor: `x = x * 2`, not `x *= 2`.")
    return answer


def _behaves_alike(wrong: Callable[..., Any], cases: Sequence[tuple], answers: Sequence[Any],
                   rtol: float, atol: float) -> bool:
    try:
        return all(same(a, wrong(*copy.deepcopy(case)), rtol=rtol, atol=atol)
                   for a, case in zip(answers, cases, strict=True))
    except Exception:  # a wrong variant need not work for every case; then it is not this one
        return False


def _fits(wrong: Any, answer: Any, rtol: float, atol: float) -> bool:
    if not callable(wrong):
        return same(answer, wrong, rtol=rtol, atol=atol)
    try:
        return bool(wrong(answer))
    except Exception:  # a predicate about shapes may not suit a text; then it is not this mistake
        return False


def _array(value: Any) -> np.ndarray | None:
    """The value as float64 numbers, or None if it is no number."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", torch.float64).numpy()
    if isinstance(value, (str, bytes)) or value is None:
        return None
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def _is_numeric(values: Sequence) -> bool:
    return len(values) > 0 and all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in values)


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return {"str": "a text", "int": "a number", "float": "a number", "tuple": "a tuple", "list": "a list",
            "dict": "a dictionary", "function": "a function"}.get(type(value).__name__, f"a {type(value).__name__}")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else text + "."
