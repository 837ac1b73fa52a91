"""What was measured of a scan, and the scans of a patient joined to one row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medattn_lite.audit.factors import SHARE, Facts


@dataclass
class Row:
    """One scan, or one patient once scans are joined.

    Attributes:
        subject: the patient.
        label: the class, as the source writes it; the event for survival.
        time: days, for survival.
        facts: single factors.
        statistics: group → name → number; None where the image cannot be used.
        outside: share of the head that they are of.
    """

    subject: str
    label: Any
    time: float | None = None
    facts: Facts = field(default_factory=dict)
    statistics: dict[str, dict[str, float]] | None = None
    outside: float = 1.0


def fill_shares(rows: Sequence[Row]) -> None:
    """A mask label that others have is 0 % of a lesion without it."""
    names = dict.fromkeys(name for row in rows for name in row.facts if name.startswith(SHARE))
    for row in rows:
        if any(name in row.facts for name in names):
            row.facts |= {name: 0.0 for name in names if name not in row.facts}


def by_patient(rows: Sequence[Row]) -> list[Row]:
    """One row for each patient and label: means of numbers, the commonest word."""
    owners: dict[tuple[str, Any], list[Row]] = defaultdict(list)
    for row in rows:
        owners[row.subject, row.label].append(row)
    joined = [scans[0] if len(scans) == 1 else _joined(scans) for scans in owners.values()]
    for row in joined:
        row.facts["scans of the patient"] = float(len(owners[row.subject, row.label]))
    return joined


def _joined(rows: Sequence[Row]) -> Row:
    facts: Facts = {}
    for name in dict.fromkeys(name for row in rows for name in row.facts):
        values = [row.facts[name] for row in rows if name in row.facts]
        numbers = [value for value in values if not isinstance(value, str)]
        words = len(numbers) < len(values)
        facts[name] = Counter(map(str, values)).most_common(1)[0][0] if words else float(np.mean(numbers))
    used = [row.statistics for row in rows if row.statistics]
    statistics = {group: {name: float(np.mean([scan[group].get(name, np.nan) for scan in used])) for name in numbers}
                  for group, numbers in used[0].items()} if used else None  # fmt: skip
    return Row(rows[0].subject, rows[0].label, rows[0].time, facts, statistics)
