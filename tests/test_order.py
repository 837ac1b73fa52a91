"""With several workers, each begins with its share of the longest tests, and no test is lost."""

from __future__ import annotations

import pytest

from tests.order import dealt


@pytest.mark.parametrize("stretches", [1, 2, 3, 7])
@pytest.mark.parametrize("slow", [set(), {0, 1, 2, 3, 4}, {3, 50, 51, 99}, set(range(100))])
def test_every_stretch_begins_with_its_share_of_the_longest(stretches: int, slow: set[int]) -> None:
    order = dealt(range(100), stretches, longest=slow.__contains__)
    assert sorted(order) == list(range(100))
    size, shares = 100 // stretches, []
    for number in range(stretches):
        stretch = order[number * size:(number + 1) * size if number < stretches - 1 else None]
        long = [item for item in stretch if item in slow]
        assert stretch[:len(long)] == long and stretch[len(long):] == sorted(stretch[len(long):])
        shares.append(len(long))
    assert max(shares) - min(shares) <= (1 if len(slow) < 100 else 100 - size * stretches)


def test_the_usual_order_is_kept_among_equals() -> None:
    assert dealt("abcdefgh", 2, longest="ceh".__contains__) == list("chab" + "edfg")
