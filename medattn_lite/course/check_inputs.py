"""The inputs of a check: what they are in words, whether they came back as they were, which of them is used."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from medattn_lite.course.compare_values import same

_SHOWN = 16  # numbers that are still read rather than skipped
_WIDTH = 110


def names_of(function: Callable[..., Any], count: int) -> list[str]:
    """The names of a function's first arguments, as the learner wrote them; numbers where there are none."""
    function = getattr(function, "forward", function)
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind in (0, 1)]
    except (TypeError, ValueError):
        names = []
    return names[:count] if len(names) >= count else [f"argument {number + 1}" for number in range(count)]


def in_words(names: Sequence[str], case: tuple) -> str:
    """A case as one reads it: `scores` of shape (2, 3, 5), `temperature` = 0.5."""
    parts = [f"`{name}` {_shown(value)}" for name, value in zip(names, case, strict=False) if not callable(value)]
    return ", ".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, (torch.Tensor, np.ndarray)):
        shape = tuple(value.shape)
        numbers = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
        numbers = numbers.astype(int) if numbers.dtype == bool else numbers
        if 0 < numbers.size <= _SHOWN:
            text = str(_rounded(numbers.tolist()))
            if len(text) <= _WIDTH:
                return f"= {text}"
        return f"of shape {shape}"
    text = f"{value:.6g}" if isinstance(value, float) else repr(_rounded(value) if isinstance(value, list) else value)
    if len(text) <= _WIDTH:
        return f"= {text}"
    return f"of {len(value)} values" if hasattr(value, "__len__") else f"(a {type(value).__name__})"


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def unchanged(after: Any, before: Any) -> bool:
    """Whether an input is what it was before the call: numbers, shape, order, keys and texts."""
    if isinstance(before, (torch.Tensor, np.ndarray)):
        return type(after) is type(before) and same(after, before, rtol=0, atol=0)
    if isinstance(before, dict):
        return isinstance(after, dict) and unchanged([*after.items()], [*before.items()])
    if isinstance(before, (list, tuple)):
        return len(after) == len(before) and all(map(unchanged, after, before))
    if callable(before):
        return True
    return bool(after == before) or bool(after != after and before != before)  # NaN is what it was


def unused(function: Callable[..., Any], reference: Callable[..., Any], cases: Sequence[tuple]) -> int | None:
    """The place of an argument that makes no difference to the function, though it does to the reference."""
    for place in range(len(cases[0]) if len(cases[0]) > 1 else 0):
        uses = [_tells(function, reference, case, place) for case in cases]
        uses = [each for each in uses if each is not None]
        if uses and not any(uses):
            return place
    return None


def _tells(function: Callable[..., Any], reference: Callable[..., Any], case: tuple, place: int) -> bool | None:
    """Whether another value of one argument changes the answer; None where it does not change the right one."""
    replaced = _another(case[place])
    if replaced is None:
        return None
    changed = (*case[:place], replaced, *case[place + 1 :])
    try:
        if same(reference(*copy.deepcopy(changed)), reference(*copy.deepcopy(case))):
            return None
        return not same(function(*copy.deepcopy(changed)), function(*copy.deepcopy(case)))
    except Exception:  # the other value does not suit one of the two; then nothing is told
        return None


def _another(value: Any) -> Any:
    """A value of the same kind and shape that is not the same."""
    if isinstance(value, bool) or callable(value) or isinstance(value, str) or dataclasses.is_dataclass(value):
        return None
    if isinstance(value, torch.Tensor):
        return ~value if value.dtype == torch.bool else value.flip(-1) * 2 if value.is_floating_point() else None
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value[::-1] * 2
    if isinstance(value, float):
        return value * 1.5
    return value + 1 if isinstance(value, int) else None
