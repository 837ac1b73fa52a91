"""Figures, intervals and tables of the page of results as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from medattn_lite.data.versions import versions
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.multiplicity import SURVIVES

DAGGER = "‡"  # survives the correction for the number of comparisons


def interval_text(interval: Mapping[str, Any] | None, *, mark: bool = False, digits: int = 3) -> str:
    """A value with its interval and n; the value alone where no interval was made; a dash where there is none.

    Args:
        interval: `value`, `low`, `high`, and `units` (patients drawn).
        mark: bold where the interval leaves out 0, with a double dagger where that survives the correction.
        digits: behind the point.
    """
    if interval is None or not is_finite(interval["value"]):
        return "—"
    known = Interval.from_dict(interval)
    text = known.numbers(digits)
    if mark and 0 not in known:
        text = f"**{text}**" + (DAGGER if interval.get(SURVIVES) else "")
    return text + _n(interval)


def mean_text(spread: Mapping[str, Any] | None, *, digits: int = 3) -> str:
    """A mean over folds or seeds with its standard deviation."""
    return "—" if spread is None else f"{spread['mean']:.{digits}f} (sd {spread['sd']:.{digits}f})"


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Rows, the first a heading, as lines of a table."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return ["| " + " | ".join(row) + " |" for row in (cells[0], ["---"] * len(cells[0]), *cells[1:])]


def plain(value: Any) -> str:
    """A fact of a record in words."""
    if isinstance(value, Mapping):
        if {"value", "low", "high"} <= value.keys():
            return interval_text(value)
        if any(isinstance(item, Mapping) for item in value.values()):
            return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
        return ", ".join(f"{plain(item)} {key}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def changed_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which a run differs from its recipe at that scale; the label asked for is in the heading."""
    changes = dict(record.get("changes") or {})
    options = dict(changes.pop("options", {}))
    options.pop("label", None)
    return {**changes, **options}


def outdated(record: Mapping[str, Any]) -> str:
    """What a run was made with that has changed since, such as "phantom 1 (now 2)"; "" for a run of today."""
    made = (record.get("environment") or {}).get("versions", {})
    old = {name: (made.get(name, 1), now) for name, now in versions(record.get("data", "")).items()}
    return ", ".join(f"{name} {then} (now {now})" for name, (then, now) in old.items() if then != now)


def where(record: Mapping[str, Any]) -> str:
    """The data of a run, and the label where another than the recipe's was asked for."""
    label = record.get("settings", {}).get("options", {}).get("label")
    name = "phantom (synthetic)" if record["data"] == "phantom" else f"{record['data']} (real patients)"
    return f"{name}, {label}" if label else name


def folds_text(record: Mapping[str, Any]) -> str:
    """How many folds were run, of how many."""
    of = record.get("settings", {}).get("folds", record["folds"])
    run = record["folds"]
    words = "fold or split" if of == 1 else "folds or splits"
    return f"{run} {words}" if run == of else f"{run} of {of} {words}"


def is_finite(value: float | None) -> bool:
    """Whether a figure could be computed."""
    return value is not None and math.isfinite(value)


def _n(interval: Mapping[str, Any]) -> str:
    return f" (n {interval['units']})" if interval.get("units") else ""
