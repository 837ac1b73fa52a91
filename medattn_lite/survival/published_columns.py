"""A run's survival predictions by the deck's columns: overall or one-year survival, of all grades or of the highest.

The deck prints C-index and Brier score of four cohorts for each network. One training answers all four: its
predictions are scored again on the patients of the highest grade, and with follow-up cut at one year. (Whether the
deck trained anew for each column is not said; `--set end_point=one-year --set grades=highest` does.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from medattn_lite.survival.follow_up import ONE_YEAR
from medattn_lite.survival.prediction_scores import survival_scores

SCORES = ("C-index", "Brier at one year")
COLUMNS = ("highest grade", "one-year", "one-year, highest grade")


def published_columns(
    predictions: Sequence[Mapping[str, Any]], highest: Collection[str], *, draws: int = 1000
) -> dict[str, Any]:
    """Scores by column, named as the deck's figures are, and who is in it.

    Args:
        predictions: of a run on overall survival of all grades, see `prediction_scores`.
        highest: patients of the highest grade.
        draws: of the bootstrap; 0 leaves intervals out.

    Returns:
        `scores`: "C-index, highest grade" and so on → interval as a dict; `patients` and `deaths` by column.
    """
    scores: dict[str, Any] = {}
    patients: dict[str, int] = {}
    deaths: dict[str, int] = {}
    for column in COLUMNS:
        rows = [row for row in predictions if "highest" not in column or row["subject"] in highest]
        rows = [_cut(row) for row in rows] if column.startswith("one-year") else rows
        patients[column], deaths[column] = len(rows), sum(bool(row["event"]) for row in rows)
        intervals = survival_scores(rows, draws=draws) if rows else {}
        scores |= {f"{name}, {column}": intervals[name].as_dict() for name in SCORES if name in intervals}
    return {"scores": scores, "patients": patients, "deaths": deaths}


def _cut(row: Mapping[str, Any]) -> dict[str, Any]:
    """A prediction whose patient was followed for one year; the day after, so that day 365 is still observed."""
    return {**row, "time": min(row["time"], ONE_YEAR + 1), "event": bool(row["event"]) and row["time"] <= ONE_YEAR}
