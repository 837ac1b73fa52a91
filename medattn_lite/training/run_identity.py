"""Which run a folder holds: looked at before anything is read, compared with the data, and written when all is well."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.escaping import printable
from medattn_lite.training import lock
from medattn_lite.training.data_identity import require_same_data
from medattn_lite.training.environment_record import changed_since, write_json
from medattn_lite.training.plan import Plan
from medattn_lite.training.recipes import Recipe, Settings
from medattn_lite.training.recipes.recipe import as_json, settings_from
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import Task

_MAY_DIFFER = ("variants", "first_folds", "seeds")  # of one run, from one command to the next


class Claim:
    """What a command would run, and the folder that it would run in.

    Args:
        plan: of the command.
        recipe: its recipe.
        settings: of the recipe at this scale, with the plan's changes.
        environment: of this computer.
    """

    def __init__(self, plan: Plan, recipe: Recipe, settings: Settings, environment: dict[str, Any]) -> None:
        self.plan, self.run, self.environment = plan, Run(plan.folder), environment
        self.ours: dict[str, Any] = json.loads(json.dumps(
            {"plan": plan.as_dict(), "settings": as_json(settings), "recipe": as_json(recipe)}
        ))  # fmt: skip
        self.there: dict[str, Any] | None = None

    def require_free(self) -> None:
        """Looks at the folder without writing into it.

        Raises:
            UserError: it holds another run, or something else.
        """
        folder = self.run.folder
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file: choose another --out")
        if not self.run.record_file.is_file():
            if folder.exists() and any(not _left_over(path.name) for path in folder.iterdir()):
                raise UserError(f"{folder} is not empty and holds no run: choose another --out")
            return
        for path in (self.run.metrics_file, self.run.environment_file):
            if path.is_dir():
                raise UserError(f"{path} is a folder where a file belongs: delete {path} and run the same medattn "
                                "train again")
        self.there = self.run.record
        for part in ("settings", "plan"):
            before, now = (
                {name: value for name, value in _whole(side, part).items() if name not in self._unlike(part)}
                for side in (self.there, self.ours)
            )
            other = [name for name in now if before.get(name) != now[name]]
            if other:
                raise UserError(f"{folder} holds another run (its {other[0]} differs): choose another --out")
        variants = [
            {variant["name"]: variant for variant in record["recipe"]["variants"]} for record in (self.there, self.ours)
        ]
        changed = [name for name in variants[0] if variants[1].get(name, variants[0][name]) != variants[0][name]]
        if changed:
            raise UserError(f"{folder} was begun when the recipe's {changed[0]!r} was another: choose another --out")

    def _unlike(self, part: str) -> tuple[str, ...]:
        """What need not be the same; data that are known by their cases may have been moved."""
        known = part == "plan" and self.there is not None and self.there.get("data") is not None
        return (*_MAY_DIFFER, "root") if known else _MAY_DIFFER

    def require_same_data(self, task: Task) -> None:
        """Compares the patients with those that the run was begun on.

        Raises:
            UserError: there are others, more or fewer.
        """
        if self.there is not None:
            require_same_data(self.run.folder, self.there.get("data"), task.cases)

    def write(self, task: Task) -> None:
        """Writes what is run, and says what the reader left out; where a run goes on, what has changed since it began.

        Raises:
            UserError: another process was faster.
        """
        for remark in task.remarks:
            print(printable(f"note: {remark}"), file=sys.stderr)
        if self.run.record_file.is_file():
            there = Run(self.run.folder).record
            if self.there is None and {**there, "environment": None} != {**self._record(task), "environment": None}:
                raise UserError(f"another process has just begun a run in {self.run.folder}: choose another --out")
            changed = changed_since(there.get("environment", {}), self.environment)
            if changed:
                print(f"note: since this run began, this has changed: {', '.join(changed)}; what is trained now may "
                      "differ in its last digits from a run without a change", file=sys.stderr)
            return
        write_json(self.run.record_file, self._record(task), sealed=True)

    def _record(self, task: Task) -> dict[str, Any]:
        return {**self.ours, "data": task.cases, "data_remarks": list(task.remarks), "environment": self.environment}


def _whole(record: dict[str, Any], part: str) -> dict[str, Any]:
    """A part of a record; settings that an older version did not have, with their defaults."""
    if part != "settings":
        return record[part]
    return {**record[part], **json.loads(json.dumps(as_json(settings_from(record[part]))))}


def _left_over(name: str) -> bool:
    """What a process that was killed while it began leaves behind."""
    return name in (lock.NAME, f"{Run(Path()).record_file.name}.part")
