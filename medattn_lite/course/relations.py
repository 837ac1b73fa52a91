"""How a wrong answer is related to the right one, where no named mistake fits: turned, halved, squared, constant …

Every relation must hold for all inputs of a check, so that chance does not name it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medattn_lite.course.compare_values import as_array, is_marks, marks_of

Arrays = Sequence[np.ndarray]


def relation(answers: Sequence[Any], expected: Sequence[Any], *, rtol: float, atol: float) -> str:
    """What all answers have in common with what was expected, in words; empty if nothing is seen."""
    if all(map(is_marks, expected)):
        marks = [marks_of(answer) for answer in answers]
        turned = all(m == [not e for e in right] for m, right in zip(marks, expected, strict=True))
        return "True and False have changed places" if turned else ""
    mine = [array for array in map(as_array, answers) if array is not None]
    right = [array for array in map(as_array, expected) if array is not None]
    if len(mine) < len(answers) or len(right) < len(expected):
        return ""

    def agree(first: Arrays, second: Arrays) -> bool:
        with np.errstate(all="ignore"):
            return all(a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
                       for a, b in zip(first, second, strict=True))  # fmt: skip

    if [a.shape for a in mine] != [b.shape for b in right]:
        return _other_shape(mine, right, agree)
    if any((~np.isfinite(a) & np.isfinite(b)).any() for a, b in zip(mine, right, strict=True)):
        return ""  # NaN and infinity are told with their place
    for look in (_constant, _transformed, _scaled, _moved, _whole):
        words = look(mine, right, agree)
        if words:
            return words
    return ""


def _other_shape(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> str:
    shapes = f"the shape is {mine[0].shape}; {right[0].shape} was expected"
    if agree([a.squeeze() for a in mine], [b.squeeze() for b in right]):
        return f"the numbers are right, but {shapes}"
    if all(a.size == b.size for a, b in zip(mine, right, strict=True)):
        if agree([a.ravel() for a in mine], [b.ravel() for b in right]):
            return f"the numbers are right, but {shapes}"
        turned = _turned(mine, right, agree)
        if turned:
            return f"the numbers are right, but the axes are in another order: {shapes}"
    try:
        spread = [np.broadcast_to(a, b.shape) for a, b in zip(mine, right, strict=True)]
    except ValueError:
        return ""
    if not agree(spread, right):
        return ""
    return f"the numbers are right, but {shapes} (`expand_as` gives them to every place)"


def _turned(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> bool:
    axes = {a.ndim for a in (*mine, *right)}
    if len(axes) != 1 or not 2 <= next(iter(axes)) <= 5:
        return False
    orders = itertools.islice(itertools.permutations(range(next(iter(axes)))), 1, None)
    return any(agree([a.transpose(order) for a in mine], right) for order in orders)


def _transformed(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> str:
    """One function of each number by itself."""
    if all(np.isfinite(b).all() for b in right) and _is_interesting(right):
        for words, function in _FUNCTIONS.items():
            with np.errstate(all="ignore"):
                made = [function(b) for b in right]
            if all(np.isfinite(each).all() for each in made) and agree(mine, made):
                return words
    if _turned(mine, right, agree):
        return "the numbers are right, but two axes have changed places"
    return ""


_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the sign is turned: every number is minus the right one": np.negative,
    "your numbers are 1 minus the right ones": lambda b: 1 - b,
    "your numbers are the squares of the right ones": np.square,
    "your numbers are the square roots of the right ones": np.sqrt,
    "your numbers are 1 over the right ones": np.reciprocal,
    "your numbers are the logarithms of the right ones": np.log,
    "your numbers are the exponentials of the right ones": np.exp,
    "the sign is lost: your numbers are the absolute values of the right ones": np.abs,
    "your numbers are the right ones, rounded to whole numbers": np.round,
    "your numbers are the right ones, cut to whole numbers": np.trunc,
    "your numbers are the right ones, cut off below 0": lambda b: np.maximum(b, 0),
    "your numbers are the right ones, cut off above 1": lambda b: np.minimum(b, 1),
    "there is a sigmoid too many: your numbers are the sigmoid of the right ones": lambda b: 1 / (1 + np.exp(-b)),
    "a sigmoid is missing: the right numbers are the sigmoid of yours": lambda b: np.log(b / (1 - b)),
    "there is a tanh too many: your numbers are the tanh of the right ones": np.tanh,
}


def _scaled(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> str:
    """One factor or one summand for all numbers, of all inputs or of each."""
    if not _is_interesting(right):
        return ""
    pairs = [(a, b) for a, b in zip(mine, right, strict=True) if (b * b).sum() > 0]
    factors = [float((a * b).sum() / (b * b).sum()) for a, b in pairs]
    scaled = [factor * b for factor, (_, b) in zip(factors, pairs, strict=True)]
    if agree([a for a, _ in pairs], scaled) and min(map(abs, factors)) > 1e-6:
        if np.allclose(factors, factors[0], rtol=1e-3) and agree(mine, [factors[0] * b for b in right]):
            return f"every number is {factors[0]:.4g} times the right one"
        if all(a.size > 1 for a in mine):
            shown = ", ".join(f"{factor:.4g}" for factor in factors[:3])
            return (f"the numbers are the right ones times a factor that differs from input to input ({shown}): is "
                    "there a sum where a mean belongs, or the other way round?")  # fmt: skip
    shifts = [float((a - b).mean()) for a, b in zip(mine, right, strict=True)]
    if np.allclose(shifts, shifts[0], rtol=1e-3) and agree(mine, [b + shifts[0] for b in right]):
        return f"every number is {abs(shifts[0]):.4g} too {'large' if shifts[0] > 0 else 'small'}"
    return ""


def _constant(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> str:
    """One and the same number for everything."""
    numbers = {float(x) for a in mine for x in a.flat}
    if len(mine) > 1 and len(numbers) == 1 and len({round(float(x), 9) for b in right for x in b.flat}) > 1:
        return f"your answer is {mine[0].flat[0]:.4g} everywhere, whatever the input"
    return ""


def _moved(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> str:
    """The right numbers at other places."""
    for axis in range(min(b.ndim for b in right)):
        if agree(mine, [np.flip(b, axis) for b in right]):
            return f"the right numbers, turned round along axis {axis}"
        for step in (1, -1):
            if agree(mine, [np.roll(b, step, axis) for b in right]):
                return f"the right numbers, one place too far along axis {axis}"
    if all(b.size > 1 for b in right) and agree([np.sort(a, None) for a in mine], [np.sort(b, None) for b in right]):
        return "the right numbers, but at other places"
    return ""


def _whole(mine: Arrays, right: Arrays, agree: Callable[[Arrays, Arrays], bool]) -> str:
    """Shares of one whole that are none."""
    for axis in range(1, min(b.ndim for b in right) + 1):
        if all(b.shape[-axis] > 1 and np.allclose(b.sum(-axis), 1, atol=1e-4) for b in right):
            total = next((t for a in mine for t in a.sum(-axis).flat if not np.isclose(t, 1, atol=1e-3)), None)
            if total is not None and np.isfinite(total):
                return f"the numbers should sum to 1 along axis {right[0].ndim - axis}; yours sum to {total:.4g}"
    return ""


def _is_interesting(right: Arrays) -> bool:
    """Whether there are enough different numbers to tell one relation from another."""
    return len({round(float(x), 9) for b in right for x in b.flat}) > 2
