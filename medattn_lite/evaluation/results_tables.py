"""The part of the page of results that is about tables without images: Cox's model and Kaplan–Meier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medattn_lite.evaluation.results_text import interval_text, table


def tables_section(record: Mapping[str, Any]) -> str:
    """One record of `medattn_lite.survival.cox_tables` as Markdown.

    Args:
        record: with `tables`: name → C-indices, differences, hazard ratios and medians.
    """
    lines = ["## Survival from tables, without images (real patients)", "",
             f"{record['what']}: {record['folds']} folds, dealt {record['repeats']} times, seed {record['seed']}. With "
             "the outcomes shuffled among patients, the same procedure must find 0.5.", ""]  # fmt: skip
    for name, own in record["tables"].items():
        lines += [f"### {name}", "", _facts(own), ""]
        rows = [["columns", "how many", "C-index"]]
        rows += [[label, fit["columns"], interval_text(fit["C-index"])] for label, fit in own["c_index"].items()]
        lines += [*table(rows), ""]
        if own["differences"]:
            rows = [["difference", "C-index"]]
            rows += [[f"{pair['first']} − {pair['second']}", interval_text(pair["C-index"], mark=True)]
                     for pair in own["differences"]]  # fmt: skip
            lines += [*table(rows), ""]
        if own.get("kaplan_meier"):
            lines += [*table(_medians(own["kaplan_meier"])), ""]
    return "\n".join(lines)


def _facts(own: Mapping[str, Any]) -> str:
    followed = f"median follow-up {own['median_follow_up_days']:.0f} days"
    said = [f"{own['patients']} patients, {own['deaths']} deaths, {followed}"]
    if own["left_out"]:
        said.append("left out: " + ", ".join(f"{count} {why}" for why, count in own["left_out"].items()))
    if own["missing"]:
        said.append("missing: " + ", ".join(f"{column} in {count}" for column, count in own["missing"].items()))
    shuffled = own["shuffled_outcomes"]
    said.append(f"outcomes shuffled {shuffled['shuffles']} times: C-index {shuffled['mean']:.3f} "
                f"(sd {shuffled['sd']:.3f})")  # fmt: skip
    return "; ".join(said) + "."


def _medians(groups_of: Mapping[str, Any]) -> list[list[str]]:
    rows = [["Kaplan–Meier, by", "group", "patients", "deaths", "median survival, days", "log-rank p"]]
    for name, split in groups_of.items():
        p_value = split["log_rank"]["p_value"]
        said = "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
        for number, (group, own) in enumerate(split["groups"].items()):
            rows.append([name if number == 0 else "", group, own["patients"], own["deaths"], _days(own["median_days"]),
                         said if number == 0 else ""])  # fmt: skip
    return rows


def _days(median: Mapping[str, Any]) -> str:
    ends = [median[end] for end in ("value", "low", "high")]
    value, low, high = ("not reached" if end is None else f"{end:.0f}" for end in ends)
    return f"{value} [{low}, {high}]"
