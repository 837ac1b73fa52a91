"""Runs a comparison: every mechanism in the same frame, beside the plain network and plain controls of its size.

Cells are run one seed after another, the plain controls last, so that a comparison that was stopped has all
mechanisms from the same seeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medattn_lite.attention import registry
from medattn_lite.errors import UserError
from medattn_lite.mechanism_comparison.cell import frame_of, train_cell
from medattn_lite.mechanism_comparison.cohort import Cohort, open_cohort
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.mechanism_comparison.small_networks import PLAIN, is_defined, matched_width
from medattn_lite.mechanism_comparison.store import Row, TaskStore, plain
from medattn_lite.mechanism_comparison.timing import measure_costs


@dataclass(frozen=True)
class Progress:
    """What a call did.

    Attributes:
        run: cells trained by this call.
        existing: cells that were there.
        left: cells that the time did not suffice for.
    """

    run: int
    existing: int
    left: int


def compare_mechanisms(
    plans: Sequence[TaskPlan],
    mechanisms: Sequence[str],
    *,
    seeds: Sequence[int],
    out: Path,
    root: Path | None = None,
    options: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    minutes: float | None = None,
    say: Callable[[str], None] = lambda line: None,
    progress: bool = True,
) -> Progress:
    """Trains every cell that is not there yet.

    Args:
        plans: the tasks.
        mechanisms: names of the registry; "none" is always among them.
        seeds: of the weights and of the order of the data.
        out: folder of the records.
        root: folder of patients' images.
        options: of their reader.
        device: where to train.
        minutes: no cell is begun after so many; None for as long as it takes.
        say: called with a line for each cell.
        progress: show bars while images are read or made.

    Raises:
        UserError: an unknown mechanism, a setting that differs from the records', or data that do not fit.
    """
    names = checked_mechanisms(mechanisms)
    for plan in plans:
        TaskStore(out, plan).require_same_settings()
    until = None if minutes is None else time.monotonic() + 60 * minutes
    done, existing, left = 0, 0, 0
    for plan in plans:
        store = TaskStore(out, plan)
        cohort = open_cohort(plan, store.folder, root=None if plan.data == "phantom" else root, options=options,
                             progress=progress)  # fmt: skip
        store.begin(cohort)
        rows = rows_of(plan, cohort, names)
        if until is None or time.monotonic() < until:
            _keep_costs(store, cohort, rows, device)
        for row, seed in _in_turn(rows, seeds):
            if store.cell(row, seed) is not None:
                existing += 1
            elif until is not None and time.monotonic() >= until:
                left += 1
            else:
                record = train_cell(plan, cohort, row.mechanism, seed=seed, width=row.width, device=device)
                store.keep_cell(row, seed, record)
                done += 1
                say(f"{plan.name}, {row.name}, seed {seed}: {plan.score} {record['score']:.3f}, "
                    f"{record['seconds']:.1f} s")  # fmt: skip
    return Progress(done, existing, left)


def _keep_costs(store: TaskStore, cohort: Cohort, rows: Sequence[Row], device: torch.device | str) -> None:
    """Measures what each row costs, where one is missing: all in turn, also those of earlier calls."""
    if {row.name for row in rows} - set(store.costs()):
        everyone = list(dict.fromkeys([*rows, *store.rows()]))
        store.keep_costs(measure_costs(store.plan, cohort, everyone, device=device))


def _in_turn(rows: Sequence[Row], seeds: Sequence[int]) -> Iterator[tuple[Row, int]]:
    """All mechanisms from one seed after another, then the plain controls likewise."""
    for wider in (False, True):
        for seed in seeds:
            yield from ((row, seed) for row in rows if row.wider == wider)


def checked_mechanisms(mechanisms: Sequence[str]) -> list[str]:
    """The names, with "none" first, each once.

    Raises:
        UserError: there is no such mechanism.
    """
    for name in mechanisms:
        if name not in registry.MECHANISMS:
            raise UserError(f"no attention mechanism is called {name!r}: use {', '.join(registry.MECHANISMS)}")
    return list(dict.fromkeys([PLAIN, *mechanisms]))


def rows_of(plan: TaskPlan, cohort: Cohort, mechanisms: Sequence[str]) -> list[Row]:
    """The networks of a task: the plain one, each mechanism that is defined here, and plain controls of their sizes."""
    dims = cohort.spatial_dims
    options = {"spatial_dims": dims, "in_channels": cohort.in_channels, "width": plan.width}
    fitting = [name for name in mechanisms if is_defined(name, dims)]
    widths = sorted({matched_width(frame_of(plan, dims), name, **options) for name in fitting} - {plan.width})
    return [*(Row(name, plan.width) for name in fitting), *(plain(width) for width in widths)]
