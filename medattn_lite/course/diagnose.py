"""Compare an answer with the right one, and recognise the usual mistakes by what they give.

A wrong answer is recognised by doing: each usual mistake is written down as code, and if the learner's
answer equals the mistake's output, the message names it. If none does, the message says what is seen: an argument
that makes no difference, how the numbers are related to the right ones, or the input that fails, with what it gives
and what was expected. Values are compared by `medattn_lite.course.compare_values`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medattn_lite.course.check_inputs import in_words, names_of, unchanged, unused
from medattn_lite.course.checks import NotAttempted, NotYet, Result, passed
from medattn_lite.course.compare_values import difference, kind, same
from medattn_lite.course.error_words import CASE
from medattn_lite.course.relations import relation
from medattn_lite.course.stubs import is_stub


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer.

    Attributes:
        wrong: in `compare_value`, the wrong value, or a predicate that takes the answer; in
            `compare_function`, the wrong function.
        message: what is wrong, addressed to the learner: "you averaged over the channels".
        hint: what to look at next.
    """

    wrong: Any
    message: str
    hint: str = ""


def compare_value(
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
            raise NotYet(sentence(mistake.message), mistake.hint or hint)
    raise NotYet(sentence(difference(answer, expected, what=what, rtol=rtol, atol=atol)), hint)


def compare_function(
    function: Callable[..., Any],
    *,
    reference: Callable[..., Any],
    cases: Sequence[tuple],
    mistakes: Sequence[Mistake] = (),
    errors: Mapping[str, tuple[str, str]] | None = None,
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
        cases: arguments to call both with, one tuple a call; copies are handed over, and must come back unchanged.
            The first that fails is shown, so small ones come first.
        mistakes: usual wrong functions. One is told if it gives what the learner's gives in every case,
            or raises the same kind of exception where the learner's does.
        errors: message and hint for an exception whose type and text match the key, a regular expression.
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
        raise NotYet(f"You handed over {kind(function)}, not the function itself.", "Leave out the call: no brackets.")
    if is_stub(function):
        raise NotAttempted
    names = names_of(function, len(cases[0]))
    answers = [_outcome(function, case, names) for case in cases]
    expected = [reference(*copy.deepcopy(case)) for case in cases]
    right = [_equal(a, e, rtol, atol) for a, e in zip(answers, expected, strict=True)]
    if all(right):
        return passed(praise)
    for mistake in mistakes:
        if _behaves_alike(mistake.wrong, cases, answers, rtol, atol):
            raise NotYet(sentence(mistake.message), mistake.hint or hint)
    first = right.index(False)
    if isinstance(answers[first], Exception):
        _say(answers[first], errors or {})
    seen = difference(answers[first], expected[first], what=what, rtol=rtol, atol=atol)
    general = _in_general(function, reference, cases, names, answers, expected, rtol, atol)
    shown = in_words(names, cases[first])
    if "the shape is" in general:  # which the difference would say again
        general, seen = "", general
    raise NotYet(" ".join(filter(None, (
        sentence(general) if general else "",
        sentence(f"{seen}, for {shown}" if shown else seen),
        f"({sum(right)} of {len(right)} inputs came out right.)" if any(right) else "",
    ))), hint)  # fmt: skip


def _outcome(function: Callable[..., Any], case: tuple, names: Sequence[str]) -> Any:
    """The learner's output, or the exception it ends in, after making sure that the input came back as it was.

    Raises:
        NotYet: nothing came back, or an input was changed.
        NotImplementedError: there is no answer yet.
    """
    handed = copy.deepcopy(case)
    try:
        answer = function(*handed)
    except (NotYet, NotAttempted, NotImplementedError):
        raise
    except Exception as error:
        setattr(error, CASE, in_words(names, case))
        return error
    changed = [place for place, pair in enumerate(zip(handed, case, strict=True)) if not unchanged(*pair)]
    if changed:
        which = f", `{names[changed[0]]}`" if len(case) > 1 else ""
        raise NotYet(f"Your function changes its input{which}.", "Work on something new: `x = x * 2`, not `x *= 2`; "
                     "`sorted(x)`, not `x.sort()`; `x.clone()` before you write into it.")  # fmt: skip
    if is_stub(answer):
        shown = in_words(names, case)
        raise NotYet(f"Your function returns None{f', for {shown}' if shown else ''}.", "Does every way through it "
                     "end with `return …`?")  # fmt: skip
    return answer


def _say(error: Exception, errors: Mapping[str, tuple[str, str]]) -> None:
    """Raise an exception of the learner's code, or the message that is meant for it."""
    for part, (message, hint) in errors.items():
        if re.search(part, f"{type(error).__name__}: {error}"):
            raise NotYet(message, hint) from None
    raise error


def _in_general(function: Callable[..., Any], reference: Callable[..., Any], cases: Sequence[tuple],
                names: Sequence[str], answers: Sequence[Any], expected: Sequence[Any], rtol: float,
                atol: float) -> str:  # fmt: skip
    """What can be said of a wrong answer that is on no list, or nothing."""
    if any(isinstance(answer, Exception) for answer in answers):
        return ""
    words = relation(answers, expected, rtol=rtol, atol=atol)
    if words:
        return words
    place = unused(function, reference, cases)
    return "" if place is None else f"`{names[place]}` makes no difference to your answer, and it should"


def _behaves_alike(wrong: Callable[..., Any], cases: Sequence[tuple], answers: Sequence[Any],
                   rtol: float, atol: float) -> bool:
    """Whether a wrong variant gives what the learner's function gives, in every case, and something in one at least."""
    for answer, case in zip(answers, cases, strict=True):
        try:
            other = wrong(*copy.deepcopy(case))
        except Exception as error:
            other = error
        if not (type(other) is type(answer) if isinstance(other, Exception) else _equal(answer, other, rtol, atol)):
            return False
    return not all(isinstance(answer, Exception) for answer in answers)


def _equal(answer: Any, right: Any, rtol: float, atol: float) -> bool:
    return not isinstance(answer, Exception) and same(answer, right, rtol=rtol, atol=atol)


def _fits(wrong: Any, answer: Any, rtol: float, atol: float) -> bool:
    if not callable(wrong):
        return same(answer, wrong, rtol=rtol, atol=atol)
    try:
        return bool(wrong(answer))
    except Exception:  # a predicate about shapes may not suit a text; then it is not this mistake
        return False


def sentence(text: str) -> str:
    """With a capital at the start and a stop at the end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else text + "."
