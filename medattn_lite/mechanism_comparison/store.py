"""Records of a comparison on disk: one file per cell, written when it is done, and what they were all made with.

    OUT/grade/settings.json               every number of the task, its patients, the versions of its data
    OUT/grade/costs.json                  of each network
    OUT/grade/cells/eca/seed-0.json       one network trained from one seed
    OUT/grade/cells/none-w9/seed-0.json   the plain control of width 9

A second call goes on where the first one stopped. Cells made with other settings would not be comparable, so a changed
setting is refused, and nothing is written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.data.versions import versions
from medattn_lite.errors import UserError
from medattn_lite.mechanism_comparison.cohort import Cohort
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.mechanism_comparison.small_networks import PLAIN

ANEW = "delete it and run the same medattn compare again, which makes it anew"
_OTHER = "copy it again from where it is whole, or choose another folder with --out"
_SEED = re.compile(r"seed-([0-9]{1,9})\.json")


@dataclass(frozen=True)
class Row:
    """One row of the table: a mechanism at the plan's width, or a wider plain network.

    Attributes:
        mechanism: one of `medattn_lite.attention.names()`.
        width: channels of the first stage.
        wider: whether it is a plain control.
    """

    mechanism: str
    width: int
    wider: bool = False

    @property
    def name(self) -> str:
        """Of its folder, and in the records."""
        return f"{self.mechanism}-w{self.width}" if self.wider else self.mechanism


class TaskStore:
    """What is known of one task.

    Args:
        out: folder of the comparison.
        plan: the task.

    Attributes:
        folder: of the task.
    """

    def __init__(self, out: Path, plan: TaskPlan) -> None:
        self.plan, self.folder = plan, out / plan.name

    def require_same_settings(self) -> None:
        """Looks whether records that are there were made with this plan, before any image is read.

        Raises:
            UserError: another setting, or a file that is not a record.
        """
        if os.path.lexists(self.settings_file):
            kept = read_settings(self.settings_file)
            self._require(kept["plan"], self._plan())
            self._require(kept["versions"], versions(self.plan.data))

    def begin(self, cohort: Cohort) -> None:
        """Writes down what the cells are made with, or compares it with what was written.

        Raises:
            UserError: another setting, or other patients.
        """
        self.require_same_settings()
        if os.path.lexists(self.settings_file):
            kept, now = read_settings(self.settings_file)["data"], cohort.facts()
            new = [key for key in cohort.source if key not in kept]  # which an older record lacks
            if kept.get("files", now.get("files")) != now.get("files"):
                raise UserError(f"{self.folder} was made from other images, masks or tables: choose another --out, or "
                                "name the data as they were with --root; nothing was written")  # fmt: skip
            self._require(kept, {key: value for key, value in now.items() if key not in new})
            return
        test = list(cohort.test)
        labels = None if cohort.masks is not None else cohort.labels[test].tolist()
        write_json(self.settings_file, {
            "plan": self._plan(), "versions": versions(self.plan.data), "data": cohort.facts(),
            "spatial_dims": cohort.spatial_dims, "test": {"subjects": _numbered(cohort, test), "labels": labels},
        }, sealed=True)  # fmt: skip

    def cell(self, row: Row, seed: int) -> dict[str, Any] | None:
        """The record of a cell; None where it was not run."""
        path = self.cell_file(row, seed)
        return read_cell(path) if os.path.lexists(path) else None

    def keep_cell(self, row: Row, seed: int, record: Mapping[str, Any]) -> None:
        """Writes a cell's record."""
        write_json(self.cell_file(row, seed), record, sealed=True)

    def keep_costs(self, costs: Mapping[str, Any]) -> None:
        """Writes what each row costs."""
        write_json(self.costs_file, costs, sealed=True)

    def costs(self) -> dict[str, dict[str, Any]]:
        """Row → its costs, as far as they were measured."""
        if not os.path.lexists(self.costs_file):
            return {}
        costs = read_object(self.costs_file, remedy=ANEW)
        if not all(isinstance(cost, dict) and isinstance(cost.get("parameters"), int) for cost in costs.values()):
            raise UserError(f"{self.costs_file} is damaged, it holds no costs of networks: {ANEW}")
        return costs

    @property
    def settings_file(self) -> Path:
        """Where the settings stand."""
        return self.folder / "settings.json"

    @property
    def costs_file(self) -> Path:
        """Where the costs stand."""
        return self.folder / "costs.json"

    def rows(self) -> list[Row]:
        """The rows of which a cell is there: mechanisms in the registry's order, then plain controls by width."""
        from medattn_lite.attention import names

        rows = []
        order = names()
        for path in sorted((self.folder / "cells").glob("*/seed-*.json")):
            if not _SEED.fullmatch(path.name):
                continue  # such as a copy: "seed-0 (1).json"
            record = read_cell(path)
            row = Row(record["mechanism"], record["width"], "-w" in path.parent.name)
            if row.name != path.parent.name or row.mechanism not in order:
                raise UserError(f"{path} is the record of another network, {row.name}: {ANEW}")
            rows.append(row)
        return sorted(set(rows), key=lambda row: (row.wider, order.index(row.mechanism), row.width))

    def seeds(self, row: Row) -> list[int]:
        """The seeds of which a row's cell is there."""
        files = (self.folder / "cells" / row.name).glob("seed-*.json")
        return sorted(int(match[1]) for path in files if (match := _SEED.fullmatch(path.name)))

    def cell_file(self, row: Row, seed: int) -> Path:
        """Where a cell's record stands."""
        return self.folder / "cells" / row.name / f"seed-{seed}.json"

    def _plan(self) -> dict[str, Any]:
        return json.loads(json.dumps(self.plan.as_dict()))

    def _require(self, kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        for key in {**kept, **now}:
            if kept.get(key) != now.get(key):
                raise UserError(f"{self.folder} was made with {key}={_short(kept.get(key))} and now it is "
                                f"{_short(now.get(key))}: choose another --out, or the old setting; nothing was "
                                "written")  # fmt: skip


def plain(width: int) -> Row:
    """The plain control of a width."""
    return Row(PLAIN, width, wider=True)


def read_settings(path: Path) -> dict[str, Any]:
    """What the cells of a task were made with.

    Raises:
        UserError: the file is damaged.
    """
    content = read_object(path, remedy=_OTHER)
    if not all(isinstance(content.get(part), dict) for part in ("plan", "versions", "data")):
        raise UserError(f"{path} is damaged, it holds no settings of a comparison: {_OTHER}")
    return content


def read_cell(path: Path) -> dict[str, Any]:
    """The record of a cell.

    Raises:
        UserError: the file is damaged.
    """
    content = read_object(path, remedy=ANEW)
    kinds: dict[str, Any] = {"mechanism": str, "width": int, "parameters": int, "score": (int, float, type(None)),
                             "predictions": list}  # fmt: skip
    fits = all(isinstance(content.get(name), kind) for name, kind in kinds.items())
    if not fits or not all(isinstance(value, (int, float, type(None))) for value in content["predictions"]):
        raise UserError(f"{path} is damaged, it holds no record of a trained network: {ANEW}")
    return content


def _numbered(cohort: Cohort, rows: list[int]) -> list[int]:
    """Number of the patient of each test row, in the order in which they come; no name is kept."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(cohort.subjects[row], len(numbers)) for row in rows]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
