"""Opens a folder for an audit of one label: a reader's own task, a column of its table, or survival."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn_lite.audit.measure import SURVIVAL
from medattn_lite.data.cases import Case, PatientDataset
from medattn_lite.data.datasets import dataset_class, open_dataset
from medattn_lite.data.tables import column, read_csv, text
from medattn_lite.errors import UserError

OWN = "label"  # the samples' own label, whatever the source calls it
PERSON = (("sex", ("sex", "gender", "cdr_gender")), ("age", ("age", "age_at_initial_pathologic")))


def open_labelled(
    name: str, root: str | Path | None, label: str | None, **options: Any
) -> tuple[PatientDataset, str]:
    """The data set, and the name under which the audit asks for its label.

    Args:
        name: of the data set, as in `open_dataset`.
        root: its folder.
        label: "survival", a task of the reader (lgg: grade, idh), a column of the table, "label" or None for the
            cases' own label.
        **options: of the reader.

    Raises:
        UserError: there is no such label; the line says which there are.
    """
    label = label or {"brats": "grade", "lgg": "grade"}.get(name, OWN)
    tasks = _tasks(name)
    if label in tasks:
        options = {"task": label, **options}
    if name == "msd":
        options.setdefault("part", "all")
    dataset = open_dataset(name, root, **options)
    dataset.cases = _with_persons(dataset.cases, dataset.root) if name == "lgg" else dataset.cases
    cases = [*dataset.cases, *dataset.incomplete]
    known = _labels(cases, tasks)
    if name == "brats" and label == "grade":
        return dataset, label
    if label not in known:
        if not known:
            raise UserError(f"no label of any kind in {dataset.root}: add a column label, or time and event, to its "
                            "table")
        raise UserError(f"no {label} in {dataset.root}: --label can be {', '.join(known)}")
    return dataset, label


def _tasks(name: str) -> tuple[str, ...]:
    kind = dataset_class(name)
    if "task" not in inspect.signature(kind).parameters:
        return ()
    return tuple(getattr(__import__(kind.__module__, fromlist=["TASKS"]), "TASKS", ()))


def _labels(cases: Sequence[Any], tasks: Sequence[str]) -> list[str]:
    """What can be asked for: tasks, the own label, survival, and columns with a few different values."""
    known = list(tasks)
    if not tasks and any(case.label is not None for case in cases):
        known.append(OWN)
    if sum(case.event is not None and case.time is not None for case in cases) > 1:
        known.append(SURVIVAL)
    values: dict[str, set] = {}
    for case in cases:
        for column_name, value in case.meta.items():
            if isinstance(value, str | bool | int | float):
                values.setdefault(column_name, set()).add(value)
    hidden = {"patient_known", "slices", "mask_labels", "class"}
    return known + [own for own, found in values.items() if 2 <= len(found) <= 10 and own not in {*hidden, *known}]


def _with_persons(cases: Sequence[Case], root: Path) -> list[Case]:
    """Sex and age from `cases.csv` or `data.csv` where the reader does not give them."""
    known: dict[str, dict[str, str]] = {}
    places = [place / file for file in ("cases.csv", "data.csv") for place in (root, root / "kaggle_3m")]
    for path in filter(Path.is_file, places):
        frame = read_csv(path)
        key = column(frame, ["case"]) or column(frame, ["Patient"])
        named = [(own, found) for own, names in PERSON if (found := column(frame, names))]
        for _, row in frame.iterrows() if key else ():
            facts = {own: text(row[found]) for own, found in named if text(row[found])}
            person = known.setdefault(row[key].replace("-", "_"), {})
            person |= {own: fact for own, fact in facts.items() if own not in person}
    named = [{**known.get(case.subject.replace("-", "_"), {}), **known.get(case.case.replace("-", "_"), {})}
             for case in cases]
    return [case.with_facts(meta={own: fact for own, fact in facts.items() if case.meta.get(own) is None})
            for case, facts in zip(cases, named, strict=True)]
