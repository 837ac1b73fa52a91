"""The words and tables of the page of a comparison, from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medattn_lite.evaluation.intervals import Interval
from medattn_lite.mechanism_comparison.page_controls import control_lines, signed
from medattn_lite.mechanism_comparison.small_networks import FRAMES, PLAIN

HEADING = "# One frame, every mechanism\n"


def page_text(results: Mapping[str, Any], *, picture: str) -> str:
    """The page.

    Args:
        results: of `collect`, as read from JSON.
        picture: file name of the picture beside it.
    """
    tasks = results["tasks"]
    lines = [
        HEADING,
        "Written by `medattn compare --page`; [the numbers as JSON](" + picture.replace(".png", ".json") + ").\n",
        "The same small network with another attention mechanism in its place, trained with the same steps on the same "
        "images. Cells are differences to the plain network, with 95 % intervals over seeds *and* test patients; "
        "**bold** where the interval leaves out 0, and `*` where that survives a correction for the number of "
        "differences on this page (Holm).\n",
        *_differences(results, "difference"),
        *([f"![{_alt(results)}]({picture})\n"] if tasks else []),
        *_summary(results),
        "## Against a plain network of its size\n",
        "A mechanism adds parameters. Here the other network is the narrowest plain one that has at least as many.\n",
        *_differences(results, "difference_to_control"),
        *_controls(results),
        "## What each costs\n",
        "Per image of training size. Multiplications are those of convolutions, linear layers and products of "
        "matrices; memory is what one image keeps for the backward pass; time is that of a training step relative to "
        "the plain network's, median and range of rounds that take turns in one process.\n",
    ]
    for name, task in tasks.items():
        lines += _costs(name, task)
    return "\n".join([*lines, *_how(results)]) + "\n"


def _differences(results: Mapping[str, Any], key: str) -> list[str]:
    tasks, missing = results["tasks"], results["not_run"]
    head = [*(f"{name}, {task['score']}" for name, task in tasks.items()), *missing]
    lines = ["| mechanism | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    rest = ["not run"] * len(missing)
    if key == "difference":
        base = [_plain(task) for task in tasks.values()]
        lines.append("| *plain network: its score* | " + " | ".join([*base, *rest]) + " |")
    for mechanism, title in results["mechanisms"].items():
        if mechanism != PLAIN:
            cells = [_cell(task, task["rows"].get(mechanism), key, mechanism) for task in tasks.values()]
            lines.append(f"| {title} (`{mechanism}`) | " + " | ".join([*cells, *rest]) + " |")
    if key == "difference":
        widths = sorted({row["width"] for task in tasks.values() for row in task["rows"].values() if row["wider"]})
        for width in widths:
            cells = [_cell(task, task["rows"].get(f"{PLAIN}-w{width}"), key, "") for task in tasks.values()]
            lines.append(f"| *plain, width {width}* | " + " | ".join([*cells, *rest]) + " |")
    return [*lines, ""]


def _plain(task: Mapping[str, Any]) -> str:
    scores = list(task["rows"].get(PLAIN, {}).get("scores", {}).values())
    if not scores:
        return "not run"
    mean = sum(scores) / len(scores)
    patients = task["data"]["test_patients"]
    return f"{mean:.3f}; {len(scores)} seeds, {min(scores):.3f} to {max(scores):.3f}; n = {patients}"


def _cell(task: Mapping[str, Any], row: Mapping[str, Any] | None, key: str, mechanism: str) -> str:
    if row is None or row.get(key) is None:
        return "–" if not mechanism else task["missing"].get(mechanism, "not run")
    difference = row[key]
    interval = Interval.from_dict(difference)
    text = signed(interval)
    if interval.is_given and 0 not in interval:
        text = f"**{text}**" + ("\\*" if difference.get("survives_holm") else "")
    against = f", width {row['control'].rpartition('-w')[2]}" if key == "difference_to_control" else ""
    seeds = f", {difference['seeds']} seeds" if interval.is_given else ""
    return f"{text}{seeds}{against}"


def _summary(results: Mapping[str, Any]) -> list[str]:
    family = results["family"]
    count, clear, kept = (family[key] for key in ("differences", "leave out 0", "survive Holm"))
    if not count:
        return []
    by_chance = f"{count / 20:.1f}"
    return [f"Of {count} intervals of a difference between a mechanism and the plain network, {clear} do not contain "
            f"0; about {by_chance} would be expected by chance, if no mechanism made a difference. After Holm's "
            f"correction: {kept}.\n"]  # fmt: skip


def _controls(results: Mapping[str, Any]) -> list[str]:
    """The positive controls, one row per task: the score of each network that was trained on it."""
    record = results.get("positive_controls")
    lines = ["## Where a mechanism must win\n"]
    if not record:
        return [*lines, "The positive controls, synthetic tasks that need a mechanism, were not run here.\n"]
    return [*lines, *control_lines(record)]


def _costs(name: str, task: Mapping[str, Any]) -> list[str]:
    costs, plan = task["costs"], task["plan"]
    size = "×".join(map(str, plan["crop"] or plan["size"]))
    lines = [f"### {name}: {plan['title']}\n", f"{_frame(task).title}, {size}\n"]
    if PLAIN not in costs:
        return [*lines, "not measured\n"]
    base = costs[PLAIN]
    lines += ["| network | parameters | multiplications, million | memory, KiB | time per step |",
              "|---|---|---|---|---|"]  # fmt: skip
    for row, cost in costs.items():
        title = f"*plain, width {row.removeprefix(f'{PLAIN}-w')}*" if row.startswith(f"{PLAIN}-w") else f"`{row}`"
        lines.append(
            f"| {title} | {cost['parameters']:,} (×{cost['parameters'] / base['parameters']:.2f}) "
            f"| {cost['multiplications'] / 1e6:.1f} (×{cost['multiplications'] / base['multiplications']:.2f}) "
            f"| {cost['kept_bytes'] / 1024:,.0f} (×{cost['kept_bytes'] / base['kept_bytes']:.2f}) "
            f"| ×{cost['time']:.2f} [{cost['time_low']:.2f}, {cost['time_high']:.2f}] |"
        )
    return [*lines, ""]


def _frame(task: Mapping[str, Any]) -> Any:
    from medattn_lite.mechanism_comparison.cell import frame_of
    from medattn_lite.mechanism_comparison.plans import TaskPlan

    return FRAMES[frame_of(TaskPlan.from_dict(task["plan"]), task["spatial_dims"])]


def _how(results: Mapping[str, Any]) -> list[str]:
    lines = [
        "## How\n",
        "- **Frame.** One network per task, the mechanism in one kind of place; everything else is equal. What two "
        "networks of a seed share starts from the same weights, and both see the same batches in the same order.",
        "- **Interval.** Over seeds (weights, order, changes of the images) and over test patients, both as drawn at "
        "random, paired over both: the analysis of studies with several readers and cases, with seeds as readers "
        "(Dorfman, Berbaum and Metz 1992; Hillis 2007; `medattn_lite/evaluation/crossed.py`). The training patients "
        "are the same for all seeds: other training patients may give another difference.",
        "- **No choice on test patients.** The state after the last step is tested. Steps, rate and sizes are the same "
        "for all mechanisms; they were set with the plain network and seeds of 100 and above, so that it lies above "
        "chance and below 1. If that favours anyone, it is the plain network.",
        "- **Scope.** Networks of a hundred thousand parameters, trained for seconds. What is not seen here may show "
        "with larger networks, more data or longer training.",
        "- **Split attention** has 1×1 convolutions in groups here: its published 3×3 convolution would be one more in "
        "each block, and not the attention alone.",
        "",
        "| task | what | frame | training | patients | test | seeds |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, task in results["tasks"].items():
        plan, data = task["plan"], task["data"]
        seeds = sorted({int(seed) for row in task["rows"].values() for seed in row["scores"]})
        lines.append(
            f"| {name} | {plan['title']} | {_frame(task).title}, width {plan['width']}; {_frame(task).places} "
            f"| {plan['steps']} steps of {plan['batch_size']}, Adam, {plan['learning_rate']:g} to 0 "
            f"| {data['train_patients']} ({data['train_rows']} images) "
            f"| {data['test_patients']} ({data['test_rows']} images) | {_listed(seeds)} |"
        )
    return lines


def _alt(results: Mapping[str, Any]) -> str:
    names = ", ".join(f"{name} ({task['score']})" for name, task in results["tasks"].items())
    return f"Difference of each mechanism to the plain network with its interval, one panel per task: {names}"


def _listed(seeds: Sequence[int]) -> str:
    if seeds and seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))
