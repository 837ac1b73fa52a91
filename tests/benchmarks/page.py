"""The records as a page and as growth curves."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tests.benchmarks.entries import entries
from tests.benchmarks.measuring import Record

HEAD = (
    "# Benchmarks\n\n"
    "Ratios are ours ÷ theirs: below 1 ours is faster. Both run in one process in turn, the order reversed every "
    "other round; the ratio is the median of the rounds' ratios, with the least and the largest in brackets. Outputs "
    "(and gradients, where there are any) were compared before anything was timed. Time is CPU time of the process, "
    "one thread unless said; several threads add up. Memory is counted, not sampled: the highest sum of all tensors "
    "alive, or of Python's objects and arrays, in MiB. *Of the limit* is the share of our time in which this machine "
    "could have done the same number of operations in float32, or moved the same bytes, whichever takes longer, by "
    "the speed measured in the first table. The exponent is the slope of log time over log size from the row above: 1 "
    "is proportional, 2 means that every element meets every other. A dash: no peer, or not counted. In the table of "
    "growth *theirs* is our own fused block. What is measured is printed to two digits, which is as far as it repeats; "
    "what is counted to three. Made by `medattn study benchmarks`.\n"
)
TABLE = ("| work | compared with | ours | theirs | ratio | ours, MiB | theirs, MiB | of the limit | exponent |",
         "|---|---|--:|--:|--:|--:|--:|--:|--:|")  # fmt: skip
GROWTH = re.compile(r"growth: (.+), (\d+)³(, counted)?$")


def markdown(records: Sequence[Record]) -> str:
    """The page: a table for each entry."""
    lines = [HEAD]
    titles = {start: one.title for device in ("cpu", "cuda") for one in entries(device) for start in one.starts}

    def section(one: Record) -> str:
        title = next((title for start, title in titles.items() if one.work.startswith(start)), "This machine")
        return title if one.device == "cpu" else f"{title}, on a GPU"

    for title, of_section in groupby(records, section):
        rows = list(of_section)
        picture = ["![Time, memory and operations of slice attention and of the non-local block over the number of "
                   "voxels](benchmarks.png)", ""] if rows[0].work.startswith("growth:") else []  # fmt: skip
        lines += [f"## {title}", "", *picture, *TABLE, *(_row(one) for one in rows), ""]
    return "\n".join(lines)


def _row(one: Record) -> str:
    ratio = "–" if one.ratio is None else f"{digits(one.ratio)} [{digits(one.low)}, {digits(one.high)}]"
    near = f"{one.limit / one.ours:.0%}" if one.limit and one.ours else "–"
    cells = [one.work, one.peer, _amount(one.ours, one), _amount(one.theirs, one), ratio, _counted(one.memory_ours),
             _counted(one.memory_theirs), near, "–" if one.exponent is None else f"{one.exponent:.2f}"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def digits(value: float, significant: int = 2) -> str:
    """A number to so many digits, without an exponent: 1363 is 1,400, 0.4 is 0.40."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    rounded = float(f"{value:.{significant - 1}e}")
    return f"{rounded:,.{max(0, significant - 1 - math.floor(math.log10(abs(rounded))))}f}"


def _amount(value: float | None, one: Record) -> str:
    return "–" if value is None else f"{digits(value, 3 if one.work.endswith('counted') else 2)} {one.unit}"


def _counted(value: float | None) -> str:
    return "–" if value is None else digits(value, 3)


def curves(records: Sequence[Record], *, device: str = "cpu") -> dict[str, dict[str, dict[int, float]]]:
    """What → block → voxels → value, of the records of growth.

    Returns:
        "time, ms", "memory, MiB" and "operations, 10⁹".
    """
    by_kind: dict[str, dict[str, dict[int, float]]] = {"time, ms": {}, "memory, MiB": {}, "operations, 10⁹": {}}
    for one in records:
        match = GROWTH.match(one.work)
        if not match or one.device != device:
            continue
        block, voxels = match[1], int(match[2]) ** 3
        where = "operations, 10⁹" if match[3] else "time, ms"
        by_kind[where].setdefault(block, {})[voxels] = one.ours
        if one.memory_ours is not None:
            by_kind["memory, MiB"].setdefault(block, {})[voxels] = one.memory_ours
    return by_kind


def growth_picture(records: Sequence[Record], path: Path) -> None:
    """Three panels with logarithmic axes; nothing without records of growth."""
    from medattn_lite.plots.style import CLASS_COLOURS, figure_function, new_figure

    by_kind = curves(records)
    if not by_kind["time, ms"]:
        return

    @figure_function
    def draw():  # type: ignore[no-untyped-def]  # a Figure
        from medattn_lite.plots.alt import set_alt

        figure = new_figure(11, 3.8)
        blocks = list(by_kind["time, ms"])
        for axes, (what, by_block) in zip(figure.subplots(1, len(by_kind)), by_kind.items(), strict=True):
            for block, values in by_block.items():
                number = blocks.index(block)
                places = sorted(values)
                axes.loglog(places, [values[voxels] for voxels in places], "os^"[number % 3] + "-",
                            color=CLASS_COLOURS[number], label=block)  # fmt: skip
            axes.set(title=what, xlabel="voxels")
        figure.axes[-1].legend(loc="upper left")
        return set_alt(figure, "Time, memory and operations of forward and backward over the number of voxels: "
                               f"{', '.join(blocks)}.")  # fmt: skip

    draw().savefig(path, dpi=110)
