"""The table of the positive controls: the same mechanisms on synthetic tasks, each of which needs one of them.

Its record is made by `medattn controls`: `runs` holds "task/mechanism/seed" → `accuracy` and more. Images are drawn
anew with each seed, so that an interval over seeds covers both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medattn_lite.attention import names
from medattn_lite.evaluation.crossed import seed_difference
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.mechanism_comparison.small_networks import PLAIN

WIDER = "plain"  # plain convolutions of at least the largest mechanism's parameters


def control_table(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Task → the plain network's accuracy by seed, and of each mechanism accuracy and difference to it.

    Args:
        record: of the positive controls.
    """
    scores: dict[str, dict[str, dict[int, float]]] = {}
    for key, run in record.get("runs", {}).items():
        task, mechanism, seed = key.split("/")
        scores.setdefault(task, {}).setdefault(mechanism, {})[int(seed)] = float(run["accuracy"])
    return {task: {name: _entry(by_seed, by_row.get(PLAIN, {}), name) for name, by_seed in by_row.items()}
            for task, by_row in scores.items()}  # fmt: skip


def control_lines(record: Mapping[str, Any]) -> list[str]:
    """The lines of the page."""
    table = control_table(record)
    if not table:
        return ["The record of the positive controls is empty.\n"]
    rows = [name for name in (*names(), WIDER) if name != PLAIN and any(name in by_row for by_row in table.values())]
    others = sorted({name for by_row in table.values() for name in by_row} - {*names(), WIDER})
    lines = [
        "Synthetic tasks, each made so that its mechanism can solve it and a plain network cannot; other "
        "mechanisms may solve it, too. Another small network, the mechanism exchanged in the same way. Share of "
        "candidates classified right (chance: 0.5), and its difference to the network without attention with a 95 "
        "% interval over seeds; images are drawn anew with each seed. **Bold**: the interval leaves out 0, "
        "upwards or downwards, without a correction for the number of comparisons. Where a mechanism gains here "
        "and shows no difference on a medical task, the mechanism works; whether the medical task needs it, a "
        "wide interval leaves open. `last`, `mean`: the decoder gets the last state, or the mean of all; "
        "`averaged`: split attention's two versions, averaged; `early`, `late`: early and late fusion. A dash: "
        "this network does not belong to the task, or was not trained on it.\n",
        "| mechanism | " + " | ".join(table) + " |", "|---" * (len(table) + 1) + "|",
        "| *without attention: its score* | " + " | ".join(_score(row.get(PLAIN)) for row in table.values()) + " |",
    ]  # fmt: skip
    lines += [f"| `{name}` | " + " | ".join(_cell(by_row.get(name)) for by_row in table.values()) + " |"
              for name in [*rows, *others]]  # fmt: skip
    return [*lines, ""]


def _entry(by_seed: Mapping[int, float], base: Mapping[int, float], name: str) -> dict[str, Any]:
    seeds = sorted(set(by_seed) & set(base))
    entry: dict[str, Any] = {"scores": [by_seed[seed] for seed in sorted(by_seed)], "seeds": len(seeds)}
    if seeds and name != PLAIN:
        entry["difference"] = seed_difference(_chosen(by_seed, seeds), _chosen(base, seeds))
    return entry


def _chosen(scores: Mapping[int, float], seeds: Sequence[int]) -> list[float]:
    return [scores[seed] for seed in seeds]


def _score(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "–"
    scores = entry["scores"]
    return f"{sum(scores) / len(scores):.3f}; {len(scores)} seeds, {min(scores):.3f} to {max(scores):.3f}"


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "–"
    mean = sum(entry["scores"]) / len(entry["scores"])
    if "difference" not in entry:
        return f"{mean:.3f}, no other to compare with"
    difference = entry["difference"]
    text = signed(difference)
    if difference.is_given and 0 not in difference:
        text = f"**{text}**"
    return f"{mean:.3f}, {text}, {entry['seeds']} seeds"


def signed(interval: Interval) -> str:
    """A difference with its sign and its interval, or why there is none."""
    if interval.is_given:
        return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]".replace("-", "−")
    value = f"{interval.value:+.3f}".replace("-", "−") if interval.value == interval.value else "not defined"
    return f"{value} ({interval.missing})" if interval.missing else value
