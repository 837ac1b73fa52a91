"""Opens a folder for an audit of one label: a reader's own task, a column of its table, or survival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.audit.factors import meta_facts
from medattn_lite.audit.measuring import MOST_CLASSES, SURVIVAL
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.csv_tables import column, read_csv, text
from medattn_lite.data.readers.registry import open_dataset
from medattn_lite.errors import UserError

OWN = "label"  # the samples' own label, whatever the source calls it
# data set and label → the classes that its reader numbers 0, 1
CLASSES = {("lgg", "grade"): ("G2", "G3"), ("lgg", "idh"): ("wild type", "mutant"), ("brats", "grade"): ("LGG", "HGG")}
PERSON = (("sex", ("sex", "gender", "cdr_gender")), ("age", ("age", "age_at_initial_pathologic")))


@dataclass(frozen=True)
class Opened:
    """A data set and the question to it; the fields are arguments of `audit_dataset`.

    Attributes:
        dataset: to audit.
        label: what is asked for.
        column: of the cases' `meta` that holds it; None for the samples' own label.
        classes: names of the classes, where they are known.
    """

    dataset: PatientDataset
    label: str
    column: str | None = None
    classes: tuple[str, ...] | None = None


def open_labelled(name: str, root: str | Path | None, label: str | None, **options: Any) -> Opened:
    """Opens a folder for one question.

    Args:
        name: of the data set, as in `open_dataset`.
        root: its folder.
        label: "survival", a task of the reader (lgg: grade, idh), "grade" for brats, a column of the table, or
            "label" for the cases' own; None takes the first of these that the data set has.
        **options: of the reader.

    Raises:
        UserError: there is no such label; the line says which there are.
    """
    tasks = {task: classes for (source, task), classes in CLASSES.items() if source == name}
    label = label or next(iter(tasks), OWN)
    if name == "lgg" and label in tasks:
        options = {"task": label, **options}
    if name == "msd":
        options.setdefault("part", "all")
    dataset = open_dataset(name, root, **options)
    if not isinstance(dataset, PatientDataset):
        raise UserError(f"{name} has no patients to audit by label: name a folder of patients")
    if name == "lgg":
        dataset.cases = _with_persons(dataset.cases, dataset.root)
    known = _labels([*dataset.cases, *dataset.incomplete], list(tasks))
    if not known:
        raise UserError(f"no label of any kind in {dataset.root}: add a column label, or time and event, to its table")
    if label not in known:
        raise UserError(f"no {label} in {dataset.root}: --label can be {', '.join(known)}")
    return Opened(dataset, label, None if label in (*tasks, OWN, SURVIVAL) else label, tasks.get(label))


def _labels(cases: Sequence[Case], tasks: list[str]) -> list[str]:
    """What can be asked for: the source's labels, survival, and columns with a few different values."""
    labelled = any(case.label is not None for case in cases)
    known = tasks if tasks and labelled else [OWN] if labelled else []
    if sum(case.event is not None and case.time is not None for case in cases) > 1:
        known = [*known, SURVIVAL]
    values: dict[str, set] = {}
    for case in cases:
        for fact, value in meta_facts(case.meta).items():
            values.setdefault(fact, set()).add(value)
    return known + [
        fact for fact, different in values.items() if 2 <= len(different) <= MOST_CLASSES and fact not in known
    ]


def _with_persons(cases: Sequence[Case], root: Path) -> list[Case]:
    """Sex and age from `cases.csv` or `data.csv` where the reader does not give them."""
    known: dict[str, dict[str, str]] = {}
    places = [place / file for file in ("cases.csv", "data.csv") for place in (root, root / "kaggle_3m")]
    for path in filter(Path.is_file, places):
        frame = read_csv(path)
        key = column(frame, ["case"]) or column(frame, ["Patient"])
        columns = [(fact, name) for fact, names in PERSON if (name := column(frame, names))]
        for _, row in frame.iterrows() if key else ():
            facts = {fact: word for fact, name in columns if (word := text(row[name]))}
            person = known.setdefault(row[key].replace("-", "_"), {})
            person |= {fact: word for fact, word in facts.items() if fact not in person}
    named = [{**known.get(case.subject.replace("-", "_"), {}), **known.get(case.case.replace("-", "_"), {})}
             for case in cases]
    return [case.with_facts(meta={fact: word for fact, word in facts.items() if case.meta.get(fact) is None})
            for case, facts in zip(cases, named, strict=True)]
