"""What the cells of a comparison come to: differences to the plain network and to the plain control, with intervals.

A difference is paired over seeds and over patients, and its interval covers both; see `evaluation.crossed`. Seeds that
only one of the two networks has are left out. Which of all differences to the plain network survive a correction for
their number (Holm) stands beside each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medattn_lite.attention import registry
from medattn_lite.errors import UserError
from medattn_lite.evaluation.crossed import crossed_auc_difference, crossed_mean_difference
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.multiplicity import SURVIVES, holm
from medattn_lite.mechanism_comparison.plans import PLANS, TaskPlan
from medattn_lite.mechanism_comparison.small_networks import PLAIN, is_defined, matched_width
from medattn_lite.mechanism_comparison.store import ANEW, Row, TaskStore, plain, read_settings

LEVEL = 0.05
NOT_RUN, NOT_DEFINED = "not run", "not defined"


def collect(out: Path, *, may_be_empty: bool = False) -> dict[str, Any]:
    """Everything that a page says of a folder of records, as plain JSON values.

    Args:
        out: the folder.
        may_be_empty: whether a folder without records of tasks will do, because there is something else to show.

    Raises:
        UserError: there are no records.
    """
    folders = sorted(path.parent for path in out.glob("*/settings.json"))
    if not folders and not may_be_empty:
        raise UserError(f"there are no records of a comparison in {out}: run medattn compare first, or name its --out")
    order = ("grade", "presence", "lesions", "lgg")
    folders.sort(key=lambda folder: (order.index(folder.name) if folder.name in order else len(order), folder.name))
    tasks = {folder.name: _task(folder) for folder in folders}
    missing = [name for name, plan in PLANS.items() if plan.data and name not in tasks]
    return {"mechanisms": {name: mechanism.title for name, mechanism in registry.MECHANISMS.items()}, "tasks": tasks,
            "not_run": missing, "family": _family(tasks)}  # fmt: skip


def _family(tasks: Mapping[str, Any]) -> dict[str, int]:
    """Says of every difference between a mechanism and the plain network whether it survives Holm's correction."""
    differences = [row["difference"] for task in tasks.values() for row in task["rows"].values()
                   if not row["wider"] and row.get("difference") and row["difference"]["p"] is not None]  # fmt: skip
    for record, adjusted in zip(differences, holm([record["p"] for record in differences]), strict=True):
        record[SURVIVES] = adjusted < LEVEL
    clear = sum(record["p"] < LEVEL for record in differences)
    return {
        "differences": len(differences),
        "leave out 0": clear,
        "survive Holm": sum(record[SURVIVES] for record in differences),
    }


def _task(folder: Path) -> dict[str, Any]:
    settings, plan, dims = _settings(folder / "settings.json")
    store = TaskStore(folder.parent, plan)
    cells = {row: {seed: record for seed in store.seeds(row) if (record := store.cell(row, seed))}
             for row in store.rows()}  # fmt: skip
    for row, cell in cells.items():
        for seed, record in cell.items():
            if len(record["predictions"]) != len(settings["test"]["subjects"]):
                raise UserError(f"{store.cell_file(row, seed)} is damaged, it does not predict the patients of this "
                                f"comparison: {ANEW}")  # fmt: skip
    base = cells.get(Row(PLAIN, plan.width), {})
    rows = {}
    for row, cell in cells.items():
        result: dict[str, Any] = {
            "mechanism": row.mechanism, "width": row.width, "wider": row.wider,
            "parameters": next(iter(cell.values()))["parameters"],
            "scores": {str(seed): record["score"] for seed, record in cell.items()},
        }  # fmt: skip
        if row != Row(PLAIN, plan.width):
            result["difference"] = _difference(settings, cell, base)
        if row.mechanism != PLAIN:
            control = plain(_control_width(plan, settings, row.mechanism, dims))
            result["control"] = control.name
            result["difference_to_control"] = _difference(settings, cell, cells.get(control, {}))
        rows[row.name] = result
    missing = {name: NOT_RUN if is_defined(name, dims) else f"{NOT_DEFINED} in {dims}-D" for name in registry.names()
               if name not in rows}  # fmt: skip
    return {"plan": settings["plan"], "score": plan.score, "data": settings["data"], "versions": settings["versions"],
            "spatial_dims": dims, "rows": rows, "missing": missing, "costs": store.costs()}  # fmt: skip


def _settings(path: Path) -> tuple[dict[str, Any], TaskPlan, int]:
    settings = read_settings(path)
    try:
        plan, dims = TaskPlan.from_dict(settings["plan"]), int(settings["spatial_dims"])
        subjects, labels = settings["test"]["subjects"], settings["test"]["labels"]
        if labels is not None and len(labels) != len(subjects):
            raise ValueError("labels")
        int(settings["data"]["channels"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged or of another version ({error}): copy it again from where it is whole, or "
                        "make the comparison anew in another folder (--out)") from None  # fmt: skip
    return settings, plan, dims


def _control_width(plan: TaskPlan, settings: dict[str, Any], mechanism: str, dims: int) -> int:
    from medattn_lite.mechanism_comparison.cell import frame_of

    return matched_width(frame_of(plan, dims), mechanism, spatial_dims=dims, in_channels=settings["data"]["channels"],
                         width=plan.width)  # fmt: skip


def _difference(settings: dict[str, Any], by_seed: dict[int, Any], other: dict[int, Any]) -> dict[str, Any] | None:
    seeds = sorted(set(by_seed) & set(other))
    if not seeds:
        return None
    test = settings["test"]
    interval = difference(test["subjects"], test["labels"], [by_seed[seed]["predictions"] for seed in seeds],
                          [other[seed]["predictions"] for seed in seeds])  # fmt: skip
    return interval.as_dict()


def difference(
    subjects: Sequence[int], labels: Sequence[int] | None, first: Sequence[Sequence[float | None]],
    second: Sequence[Sequence[float | None]],
) -> Interval:  # fmt: skip
    """The difference of two networks on one task.

    Args:
        subjects: number of the patient of each test row.
        labels: 0 or 1 of each; None for masks.
        first: predictions of one network, one list per seed.
        second: of the other, from the same seeds.
    """
    tables = [np.array(scores, dtype=float) for scores in (first, second)]
    if labels is not None:
        return crossed_auc_difference(labels, *tables, groups=subjects)
    scored = np.isfinite(tables[0]).all(axis=0)  # rows in which something is marked, the same for all
    return crossed_mean_difference(*(table[:, scored] for table in tables), groups=np.asarray(subjects)[scored])
