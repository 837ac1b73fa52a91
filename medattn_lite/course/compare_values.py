"""Whether two values are equal, and in what they differ, in words.

What is compared is what is meant, not what it is stored in: a list, a tuple, a tensor, an array, a pandas Series
and a table of the same numbers are equal, in any precision. Whole numbers that are counted are compared exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch


def same(answer: Any, expected: Any, *, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Whether two values are equal: in kind, shape and number within the tolerance."""
    if is_marks(expected):
        return marks_of(answer) == [bool(mark) for mark in expected]
    if isinstance(expected, (tuple, list)) and not _is_numeric(expected):
        parts = parts_of(answer)
        return (parts is not None and len(parts) == len(expected)
                and all(same(a, e, rtol=rtol, atol=atol) for a, e in zip(parts, expected, strict=True)))
    if isinstance(expected, str):
        return isinstance(answer, str) and str(answer) == expected  # NumPy's texts, too
    if isinstance(expected, bool):
        return type(answer) in (bool, np.bool_) and bool(answer == expected)
    mine, right = as_array(answer), as_array(expected)
    if mine is None or right is None or mine.shape != right.shape:
        return False
    return bool(_close(mine, right, rtol, atol, counted=_is_counted(expected)).all())


def difference(answer: Any, expected: Any, *, what: str = "your answer", rtol: float = 1e-4,
               atol: float = 1e-5) -> str:  # fmt: skip
    """What is seen to be different, in words: kind, length, shape, NaN, or the largest difference and its place."""
    if is_marks(expected):
        return _difference_of_marks(answer, expected, what)
    if isinstance(expected, (tuple, list)) and not _is_numeric(expected):
        parts = parts_of(answer)
        if parts is None:
            return f"{what} is {kind(answer)}; {len(expected)} values were expected"
        if len(parts) != len(expected):
            return f"{what} has {_count(len(parts), 'value')}; {len(expected)} were expected"
        first = next(i for i, (a, e) in enumerate(zip(parts, expected, strict=True))
                     if not same(a, e, rtol=rtol, atol=atol))
        return difference(parts[first], expected[first], what=f"value {first + 1} of {what}", rtol=rtol, atol=atol)
    mine, right = as_array(answer), as_array(expected)
    if right is None or isinstance(expected, (str, bool)):
        return f"{what} is {answer!r}, and {expected!r} was expected"
    if mine is None and isinstance(expected, (tuple, list)):
        return f"{what} is {kind(answer)}; {_count(len(expected), 'number')} were expected"
    if mine is None:
        return f"{what} is {kind(answer)}; {kind(expected)} was expected"
    if mine.shape != right.shape:
        if right.ndim == 0:
            return f"{what} is {kind(answer)}; one number was expected"
        if mine.ndim == 0 and isinstance(expected, (tuple, list)):
            return f"{what} is a single number, {apart(float(mine), math.inf)[0]}; {len(right)} were expected"
        if mine.ndim == 0:
            return f"{what} is a single number, {apart(float(mine), math.inf)[0]}; {kind(expected)} was expected"
        if mine.ndim == right.ndim == 1 and isinstance(expected, (tuple, list)):
            return f"{what} has {_count(len(mine), 'number')}; {len(right)} were expected"
        return f"{what} has shape {mine.shape}; {right.shape} was expected"
    return _difference_of_numbers(mine, right, what, ~_close(mine, right, rtol, atol, counted=_is_counted(expected)))


def _difference_of_numbers(mine: np.ndarray, right: np.ndarray, what: str, wrong: np.ndarray) -> str:
    if mine.ndim == 0:
        is_now, should_be = apart(float(mine), float(right))
        return f"{what} is {is_now}, and {should_be} was expected"
    with np.errstate(invalid="ignore"):
        gap = np.where(wrong, np.nan_to_num(np.abs(mine - right), nan=np.inf, posinf=np.inf), -1.0)
    place = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    is_now, should_be = apart(float(mine[place]), float(right[place]))
    broken = int((~np.isfinite(mine) & np.isfinite(right)).sum())
    if broken:
        return (f"{what} contains NaN or infinity, in {broken} of {mine.size} places: at {list(place)} it is {is_now}, "
                f"and {should_be} was expected")
    how_many = "" if wrong.all() else f", wrong in {int(wrong.sum())} of {wrong.size} places"
    right_so_far = "the right shape but other numbers" if mine.ndim > 1 else "the right length but other numbers"
    return (f"{what} has {right_so_far}{how_many}: at {list(place)} it is {is_now}, "
            f"and {should_be} was expected")


def _difference_of_marks(answer: Any, expected: Sequence[bool], what: str) -> str:
    marks = marks_of(answer)
    numbers = None if marks is not None else as_array(answer)
    if numbers is not None and numbers.ndim == 1 and set(numbers.tolist()) <= {0.0, 1.0}:
        return f"{what}: numbers 1 and 0, where True and False were expected (as an index, numbers are places)"
    if marks is None:
        return f"{what}: {kind(answer)}, where {len(expected)} times True or False were expected"
    if len(marks) != len(expected):
        return f"{what}: {len(marks)} of them, where {len(expected)} were expected"
    wrong = [place for place, (mine, right) in enumerate(zip(marks, expected, strict=True)) if mine != bool(right)]
    return (f"{what}: number {wrong[0] + 1} is {marks[wrong[0]]}, and {bool(expected[wrong[0]])} was expected "
            f"(in all, {len(wrong)} of {len(marks)} are wrong)")


def apart(first: float, second: float) -> tuple[str, str]:
    """Two numbers as texts, with as many digits as it takes to see that they differ; whole numbers in full."""
    if all(math.isfinite(x) and x == int(x) and abs(x) < 1e16 for x in (first, second)):
        return str(int(first)), str(int(second))
    for digits in range(4, 18):
        texts = _digits(first, digits), _digits(second, digits)
        if texts[0] != texts[1]:
            return texts
    return texts


def _digits(number: float, digits: int) -> str:
    return "NaN" if math.isnan(number) else f"{number:.{digits}g}"


def as_array(value: Any) -> np.ndarray | None:
    """The value as float64 numbers, or None if it is not a number: a text is none, nor is a complex number."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        value = value.to_dense() if value.is_sparse else value
        return None if value.is_complex() else value.to("cpu", torch.float64).resolve_neg().numpy()
    if isinstance(value, (str, bytes, dict, set, frozenset)) or value is None:
        return None
    if isinstance(value, (tuple, list)) and any(isinstance(part, (torch.Tensor, tuple, list)) for part in value):
        parts = [array for array in map(as_array, value) if array is not None]
        same_shape = len(parts) == len(value) and all(part.shape == parts[0].shape for part in parts)
        return np.stack(parts) if same_shape else None
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and any(isinstance(part, (str, bytes)) for part in array.ravel()):
            return None
        return None if array.dtype.kind not in "biufO" else array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def marks_of(value: Any) -> list[bool] | None:
    """A row of True and False as a list, from whatever holds it; None if it is none, or holds anything else."""
    if isinstance(value, (str, bytes, dict, set, frozenset)) or value is None or callable(value):
        return None
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    try:
        marks = list(value)
    except TypeError:
        return None
    truths = [mark.item() if getattr(mark, "shape", None) == () else mark for mark in marks]
    return truths if all(isinstance(mark, bool) for mark in truths) else None


def parts_of(value: Any) -> list[Any] | None:
    """What a sequence holds: of a tuple, a list, a tensor, an array or a Series; None for anything else."""
    if isinstance(value, (tuple, list)):
        return list(value)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return list(value) if value.ndim else None
    return value.tolist() if type(value).__name__ in ("Series", "Index") else None


def is_marks(value: Any) -> bool:
    """Whether a value is a row of True and False, one for each thing that is asked about."""
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(isinstance(v, (bool, np.bool_)) for v in value)


def kind(value: Any) -> str:
    """What a value is, in words, with its shape where it has one."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        texts = len(value) > 0 and all(isinstance(each, str) for each in value)
        return f"a {type(value).__name__} of {_count(len(value), 'text' if texts else 'value')}"
    return {"str": "a text", "int": "a number", "float": "a number", "complex": "a complex number", "bool": "a truth "
            "value", "dict": "a dictionary", "generator": "a generator (`list(…)` makes a list of it)", "map": "a map "
            "object (`list(…)` makes a list of it)", "function": "a function"}.get(
        type(value).__name__, f"of type `{type(value).__name__}`")  # fmt: skip


def _count(number: int, of: str) -> str:
    return f"{number} {of}" if number == 1 else f"{number} {of}s"


def _close(mine: np.ndarray, right: np.ndarray, rtol: float, atol: float, *, counted: bool) -> np.ndarray:
    if counted:
        rtol, atol = 1e-12, 1e-6
    return np.isclose(mine, right, rtol=rtol, atol=atol, equal_nan=True)


def _is_counted(expected: Any) -> bool:
    values = expected if isinstance(expected, (tuple, list)) else [expected]
    return len(values) > 0 and all(isinstance(v, int) and not isinstance(v, bool) for v in values)


def _is_numeric(values: Sequence) -> bool:
    return len(values) > 0 and all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in values)
