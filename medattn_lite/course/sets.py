"""What a function gives where Python orders a set in another way, as it does for texts at each start."""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

_NAMES = ("set", "frozenset")


@contextmanager
def in_another_order(function: Callable[..., Any], salt: str) -> Iterator[None]:
    """Inside, the names `set` and `frozenset` of the function's notebook make sets in an order that `salt` decides.

    A set written in braces keeps the order of this process; one made by `set(…)` is the usual form.

    Args:
        function: the learner's; anything but a Python function is left alone.
        salt: another text gives another order.
    """
    names = getattr(function, "__globals__", None) if isinstance(function, FunctionType) else None
    if names is None:
        yield
        return
    before = {name: names[name] for name in _NAMES if name in names}
    names.update(set=_ordered(set, salt), frozenset=_ordered(frozenset, salt))
    try:
        yield
    finally:
        for name in _NAMES:
            names.pop(name, None)
        names.update(before)


def writes_sets_in_braces(function: Callable[..., Any]) -> bool:
    """Whether a function makes sets by `{…}`, and takes no hash of its own that would make names matter."""
    codes = list(_codes(getattr(function, "__code__", None)))
    if any(_HASHES & set(code.co_names) for code in codes):
        return False
    return any(step.opname in ("BUILD_SET", "SET_ADD") for code in codes for step in dis.get_instructions(code))


_HASHES = {"hashlib", "md5", "sha1", "sha256", "crc32"}


def _codes(code: CodeType | None) -> Iterator[CodeType]:
    """A function's code, and that of the comprehensions inside it."""
    if code is not None:
        yield code
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                yield from _codes(inner)


def _ordered(kind: type[set | frozenset], salt: str) -> type:
    """A set that is gone through in the order of its members' hashes with the salt."""

    def order(member: Any) -> bytes:
        return hashlib.sha256(f"{salt} {member!r}".encode()).digest()

    def go_through(self: Any) -> Iterator[Any]:
        return iter(sorted(kind.__iter__(self), key=order))

    return type(kind.__name__, (kind,), {"__iter__": go_through})
