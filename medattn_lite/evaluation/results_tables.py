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
             f"{record['what']}: {record['folds']} folds, drawn {record['repeats']} times, seed {record['seed']}. With "
             "the outcomes shuffled among patients, the same procedure must find 0.5.", ""]  # fmt: skip
    for name, facts in record["tables"].items():
        lines += [f"### {name}", "", _facts(facts), ""]
        rows = [["columns", "how many", "C-index"]]
        rows += [[label, fit["columns"], interval_text(fit["C-index"])] for label, fit in facts["c_index"].items()]
        lines += [*table(rows), ""]
        if facts["differences"]:
            rows = [["difference", "C-index"]]
            rows += [[f"{pair['first']} − {pair['second']}", interval_text(pair["C-index"], mark=True)]
                     for pair in facts["differences"]]  # fmt: skip
            lines += [*table(rows), ""]
        if facts.get("kaplan_meier"):
            lines += [*table(_medians(facts["kaplan_meier"])), ""]
    return "\n".join(lines)


def _facts(table: Mapping[str, Any]) -> str:
    followed = f"median follow-up {table['median_follow_up_days']:.0f} days"
    facts = [f"{table['patients']} patients, {table['deaths']} deaths, {followed}"]
    if table["left_out"]:
        facts.append("left out: " + ", ".join(f"{count} {why}" for why, count in table["left_out"].items()))
    if table["missing"]:
        facts.append("missing: " + ", ".join(f"{column} in {count}" for column, count in table["missing"].items()))
    shuffled = table["shuffled_outcomes"]
    facts.append(f"outcomes shuffled {shuffled['shuffles']} times: C-index {shuffled['mean']:.3f} "
                 f"(sd {shuffled['sd']:.3f})")  # fmt: skip
    return "; ".join(facts) + "."


def _medians(groups_of: Mapping[str, Any]) -> list[list[str]]:
    rows = [["Kaplan–Meier, by", "group", "patients", "deaths", "median survival, days", "log-rank p"]]
    for name, split in groups_of.items():
        p_value = split["log_rank"]["p_value"]
        p_text = "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
        for number, (group, facts) in enumerate(split["groups"].items()):
            rows.append([name if number == 0 else "", group, facts["patients"], facts["deaths"],
                         _days(facts["median_days"]),
                         p_text if number == 0 else ""])  # fmt: skip
    return rows


def _days(median: Mapping[str, Any]) -> str:
    ends = [median[end] for end in ("value", "low", "high")]
    value, low, high = ("not reached" if end is None else f"{end:.0f}" for end in ends)
    return f"{value} [{low}, {high}]"
