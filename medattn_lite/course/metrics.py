"""Figures that a notebook reports: shown to the reader, and collected by the runner.

A recorded figure is an output of its own media type, so that an executed notebook carries its
results in a form a program can read, and nothing has to be parsed from printed text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

METRIC_MIME = "application/vnd.medattn.metric+json"


def record(name: str, value: Any, unit: str = "") -> None:
    """Shows a number and keeps it for the report.

    Args:
        name: what was measured, such as "AUC on the test patients".
        value: a number (Python, numpy or a tensor of one element), a text, or an interval with
            `value`, `low` and `high`.
        unit: the unit, such as "s" or "MB"; empty for a plain number.

    Raises:
        TypeError: the value is none of these; a whole array is not a figure.
    """
    metric = {"name": str(name), **_plain(name, value), "unit": str(unit)}
    text = metric_text(metric)
    if not _in_a_kernel():
        print(text)
        return
    from IPython.display import display

    display({METRIC_MIME: metric, "text/plain": text}, raw=True)


def metric_text(metric: Mapping[str, Any]) -> str:
    """One line for a recorded figure."""
    value = metric["value"]
    text = value if isinstance(value, str) else _number(value)
    if metric.get("low") is not None:
        text += f" [{_number(metric['low'])}, {_number(metric['high'])}]"
    notes = [f"n = {metric['n']}" if metric.get("n") else "", metric.get("missing", "")]
    text += f" ({', '.join(filter(None, notes))})" if any(notes) else ""
    return f"{metric['name']}: {text} {metric['unit']}".rstrip()


def collect_metrics(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every figure recorded in an executed notebook's cells, in order."""
    return [
        dict(output["data"][METRIC_MIME])
        for cell in cells
        for output in cell.get("outputs", [])
        if METRIC_MIME in output.get("data", {})
    ]


def _plain(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"value": value}
    if all(hasattr(value, end) for end in ("value", "low", "high")):
        missing = getattr(value, "missing", "")
        ends = {end: _finite(math.nan if missing else getattr(value, end)) for end in ("low", "high")}
        kept = {"n": getattr(value, "units", 0), "missing": missing}
        return {"value": _finite(value.value), **ends, **{key: fact for key, fact in kept.items() if fact}}
    if isinstance(value, int):  # a count stays a count
        return {"value": int(value)}
    try:
        return {"value": _finite(float(value))}
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"record({name!r}, …) takes one number, a text or an interval, not {type(value).__name__}") \
            from None


def _finite(number: float) -> float | None:
    # JSON knows neither NaN nor infinity.
    return float(number) if math.isfinite(number) else None


def _number(value: float | int | None) -> str:
    if value is None:
        return "not a number"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _in_a_kernel() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
