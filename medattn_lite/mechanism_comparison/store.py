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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.data.versions import versions
from medattn_lite.errors import UserError
from medattn_lite.mechanism_comparison.cohort import Cohort
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.mechanism_comparison.small_networks import PLAIN
from medattn_lite.training.records import write_json


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
        if self.settings_file.is_file():
            kept = read_json(self.settings_file)
            self._require(kept.get("plan", {}), self._plan())
            self._require(kept.get("versions", {}), versions(self.plan.data))

    def begin(self, cohort: Cohort) -> None:
        """Writes down what the cells are made with, or compares it with what was written.

        Raises:
            UserError: another setting, or other patients.
        """
        self.require_same_settings()
        if self.settings_file.is_file():
            self._require(read_json(self.settings_file)["data"], cohort.facts())
            return
        test = list(cohort.test)
        labels = None if cohort.masks is not None else cohort.labels[test].tolist()
        write_json(self.settings_file, {
            "plan": self._plan(), "versions": versions(self.plan.data), "data": cohort.facts(),
            "spatial_dims": cohort.spatial_dims, "test": {"subjects": _numbered(cohort, test), "labels": labels},
        })  # fmt: skip

    def cell(self, row: Row, seed: int) -> dict[str, Any] | None:
        """The record of a cell; None where it was not run."""
        path = self._cell_file(row, seed)
        return read_json(path) if path.is_file() else None

    def keep_cell(self, row: Row, seed: int, record: Mapping[str, Any]) -> None:
        """Writes a cell's record."""
        write_json(self._cell_file(row, seed), record)

    def costs(self) -> dict[str, dict[str, Any]]:
        """Row → its costs, as far as they were measured."""
        return read_json(self.costs_file) if self.costs_file.is_file() else {}

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
        for path in sorted((self.folder / "cells").glob("*/seed-*.json")):
            record = read_json(path)
            rows.append(Row(record["mechanism"], record["width"], "-w" in path.parent.name))
        order = names()
        return sorted(set(rows), key=lambda row: (row.wider, order.index(row.mechanism), row.width))

    def seeds(self, row: Row) -> list[int]:
        """The seeds of which a row's cell is there."""
        files = (self.folder / "cells" / row.name).glob("seed-*.json")
        return sorted(int(path.stem.removeprefix("seed-")) for path in files)

    def _cell_file(self, row: Row, seed: int) -> Path:
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


def read_json(path: Path) -> dict[str, Any]:
    """A record.

    Raises:
        UserError: the file is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a record of a comparison ({error}): delete it, and it is made anew"
                        ) from error  # fmt: skip
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a record of a comparison: delete it, and it is made anew")
    return content


def _numbered(cohort: Cohort, rows: list[int]) -> list[int]:
    """Number of the patient of each test row, in the order in which they come; no name is kept."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(cohort.subjects[row], len(numbers)) for row in rows]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
