"""How many differences a page holds, and which survive a correction for their number (Holm 1979).

    p_(1) ≤ p_(2) ≤ … ≤ p_(m):    adjusted p_(i) = max over j ≤ i of min(1, (m − j + 1) p_(j))

A record keeps an interval and not the draws it came from, so p is approximate: the half of the 95 % interval that faces
0 is taken for 1.96 standard errors of a normal distribution. Then p < 0.05 exactly where the interval leaves out 0. Far
out in the tail such a p is rough; 1,000 bootstrap draws could not resolve it either (their smallest p is 0.002).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medattn_lite.evaluation.intervals import Interval

Z = 1.959963984540054  # of a two-sided 95 % interval
SURVIVES = "survives_holm"  # the key that `mark` adds to an interval


@dataclass(frozen=True)
class Family:
    """The differences of a page.

    Attributes:
        count: differences with an interval.
        clear: intervals that leave out 0.
        surviving: differences whose adjusted p is below `level`.
        level: of the family, 0.05.
    """

    count: int
    clear: int
    surviving: int
    level: float


def p_value(interval: Mapping[str, Any]) -> float:
    """Two-sided p of "the difference is 0", from a 95 % interval; NaN without ends.

    Args:
        interval: `value`, `low` and `high`.
    """
    numbers = [interval.get(name) for name in ("value", "low", "high")]
    value, low, high = (math.nan if number is None else number for number in numbers)
    if not all(map(math.isfinite, (value, low, high))):
        return math.nan
    half = value - low if value > 0 else high - value
    if value == 0 or high == low:
        return 1.0 if value == 0 else 0.0
    half = half if half > 0 else (high - low) / 2  # a value outside its own interval
    return math.erfc(Z * abs(value) / half / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p values for a family of tests, in the order given.

    Args:
        p_values: without NaN.

    Example:
        >>> from medattn_lite.evaluation import holm
        >>> holm([0.01, 0.04, 0.5])
        [0.03, 0.08, 0.5]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def mark(records: Sequence[Mapping[str, Any]], *, level: float = 0.05) -> Family:
    """Says of every difference in the records whether it survives the correction for all of them, in place.

    Args:
        records: of runs and of tables; their difference intervals get the key `survives_holm`.
        level: of the family.
    """
    tested = [(record, p) for record in differences(records) if math.isfinite(p := p_value(record))]
    for (record, _), adjusted in zip(tested, holm([p for _, p in tested]), strict=True):
        record[SURVIVES] = adjusted < level
    clear = sum(0 not in Interval.from_dict(record) for record, _ in tested)
    return Family(len(tested), clear, sum(record[SURVIVES] for record, _ in tested), level)


def differences(records: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every difference interval of the records, whatever its score."""
    for record in records:
        for pair in record.get("comparisons", ()):
            yield from pair["difference"].values()
        for table in record.get("tables", {}).values():
            for pair in table["differences"]:
                yield pair["C-index"]
