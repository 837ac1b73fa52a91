"""The order of tests for several workers: those that take longest first, an equal share of them for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def dealt(items: Sequence[Item], stretches: int, *, longest: Callable[[Item], bool]) -> list[Item]:
    """All items in an order in which each of several equal stretches begins with its share of the longest ones.

    Args:
        items: tests in their usual order, which is kept among the longest of a stretch and among the others.
        stretches: how many equal parts of the order there are, one for each worker.
        longest: whether an item is one of those that take longest.
    """
    slow = [item for item in items if longest(item)]
    fast = [item for item in items if not longest(item)]
    order: list[Item] = []
    for number in range(stretches):
        stretch = slow[number::stretches]
        left = len(items) // stretches - len(stretch) if number < stretches - 1 else len(fast)
        order += [*stretch, *fast[:max(0, left)]]
        fast = fast[max(0, left):]
    return order
