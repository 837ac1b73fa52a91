"""From a data set to numbers: the facts and statistics of every patient, read once and used by every analysis."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn_lite.audit.factors import SHARE, Facts, case_facts, image_facts, meta_facts, same_as
from medattn_lite.audit.regions import MARGIN_MM, as_volume, near, regions_of, voxel_mm
from medattn_lite.audit.statistics import GROUPS, image_statistics
from medattn_lite.audit.target import Target
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from medattn_lite.data.cases import Case

POOL = 32  # zones of lesions that a case without one may borrow
SURVIVAL = "survival"
MOST_CLASSES = 10
MOST_WAITING = 12  # images that are kept in memory until a zone can be borrowed


@dataclass
class Row:
    """One scan, or one patient once scans are joined.

    Attributes:
        subject: the patient.
        label: the class, as the source writes it; the event for survival.
        time: days, for survival.
        facts: single factors.
        statistics: group → name → number; None where the image cannot be used.
    """

    subject: str
    label: Any
    time: float | None = None
    facts: Facts = field(default_factory=dict)
    statistics: dict[str, dict[str, float]] | None = None


@dataclass
class Measured:
    """A measured data set.

    Attributes:
        name: of the label.
        classes: of the label; empty for survival.
        rows: one for each patient.
        scans: how many there were.
        notes: what a reader must know about the data.
    """

    name: str
    classes: tuple[str, ...]
    rows: list[Row]
    scans: int
    notes: list[str] = field(default_factory=list)

    def target(self, rows: Sequence[int] | None = None) -> Target:
        """The question, to all patients or to some.

        Raises:
            UserError: too few of a class, or too few deaths.
        """
        own = self.rows if rows is None else [self.rows[row] for row in rows]
        labels = np.array([row.label for row in own], dtype=int)
        times = None if self.classes else np.array([row.time for row in own], dtype=float)
        return Target(self.name, self.classes, labels, times).checked()

    def numbers(self, group: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows that have statistics, and their numbers (N, P) of a group, or of "everything"."""
        used = np.array([at for at, row in enumerate(self.rows) if row.statistics], dtype=int)
        groups = GROUPS if group == "everything" else (group,)
        names = {(part, name): None for at in used for part in groups for name in self.rows[at].statistics[part]}
        table = [[self.rows[at].statistics[part].get(name, np.nan) for part, name in names] for at in used]
        return used, np.array(table, dtype=float).reshape(len(used), len(names))


def measure(
    dataset: Sequence[Any],
    *,
    label: str = "label",
    column: str | None = None,
    classes: Sequence[str] | None = None,
    margin_mm: float = MARGIN_MM,
    progress: bool = True,
) -> Measured:
    """Reads every sample once.

    Args:
        dataset: samples; of a `PatientDataset`, a `PhantomCohort`, or a list.
        label: "survival", or a name for what the samples' labels say.
        column: of the cases' `meta` that holds the label; None takes the samples' own.
        classes: names of the classes 0, 1, …; None takes the data set's `class_names` or `classes`, or the numbers.
        margin_mm: distance from the lesion at which tissue counts as outside.
        progress: show a bar.

    Raises:
        UserError: too few patients, classes or deaths.
    """
    names = classes or getattr(dataset, "class_names", None) or getattr(dataset, "classes", None)
    rows = list(_rows(dataset, label, column, margin_mm, progress))
    rows = [row for row in rows if row.label is not None and (label != SURVIVAL or row.time is not None)]
    if not rows:
        raise UserError(f"no case has a {label}: name another with --label, or complete the table")
    found = () if label == SURVIVAL else _classes(rows, label, names)
    for row in rows:
        row.label = int(bool(row.label)) if label == SURVIVAL else found.index(_word(row.label, names))
    _fill_shares(rows)
    joined = _by_patient(rows)
    measured = Measured(label, found, joined, len(rows), _notes(dataset, rows, joined))
    measured.target()  # refuses what is too small, before anything is computed
    return measured


def _rows(
    dataset: Sequence[Any], label: str, column: str | None, margin_mm: float, progress: bool
) -> Iterator[Row]:
    from tqdm.auto import tqdm

    cases = getattr(dataset, "cases", None)
    pool: list[np.ndarray] = []
    waiting: list[tuple[Row, dict]] = []  # no lesion, and no other case's zone to borrow yet
    random = np.random.default_rng(0)
    for at in tqdm(range(len(dataset)), desc="audit", unit="case", disable=not progress, leave=False):
        case = cases[at] if cases is not None else None
        sample = dataset[at]
        row = _row(sample, label, column, case)
        counterpart = _counterpart(dataset, at, sample, margin_mm)
        if counterpart is not None:
            _measure_into(row, sample, [counterpart], random, margin_mm)
        elif _lesion_free(sample) and not pool and len(waiting) < MOST_WAITING:
            waiting.append((row, sample))
        else:
            zone = _measure_into(row, sample, pool, random, margin_mm)
            if zone is not None:
                pool[:] = [*pool[-POOL + 1:], zone]
                for earlier, own in waiting:
                    _measure_into(earlier, own, pool, random, margin_mm)
                waiting.clear()
        yield row
    for earlier, own in waiting:
        _measure_into(earlier, own, pool, random, margin_mm)
    for case in getattr(dataset, "incomplete", ()):
        yield _row(vars(case), label, column, case)


def _row(sample: dict, label: str, column: str | None, case: Case | None) -> Row:
    """Who, what label and when, and the facts that need no voxels."""
    meta = sample.get("meta", {})
    value = sample.get("event") if label == SURVIVAL else meta.get(column) if column else sample.get("label")
    facts = case_facts(case) if case is not None else {}
    facts |= meta_facts(meta, left_out=same_as(label) | ({column} if column else set()),
                        phantom=sample.get("source") == "phantom")
    return Row(str(sample.get("subject", "")), value, sample.get("time"), facts)


def _measure_into(row: Row, sample: dict, pool: list, random: np.random.Generator, margin_mm: float) -> Any:
    """Fills facts and statistics in; returns the lesion's zone."""
    borrowed = pool[random.integers(len(pool))] if pool else None
    regions = regions_of(sample, borrowed=borrowed, margin_mm=margin_mm)
    row.facts |= image_facts(sample, regions)
    row.statistics = image_statistics(sample, regions)
    return regions.zone


def _counterpart(dataset: Sequence[Any], at: int, sample: dict, margin_mm: float) -> np.ndarray | None:
    """The zone that a phantom without a lesion is drawn with all the same: where the displaced tissue is."""
    if not hasattr(dataset, "region") or sample["image"].ndim != 4 or not _lesion_free(sample):
        return None
    return near(dataset.region(at).cpu().numpy(), voxel_mm(sample), margin_mm)


def _lesion_free(sample: dict) -> bool:
    return sample.get("mask") is not None and not (as_volume(sample["mask"]) > 0).any()


def _classes(rows: Sequence[Row], label: str, names: Sequence[str] | None) -> tuple[str, ...]:
    """The classes that occur, in the order of the given names, or of their numbers or letters."""
    found = {_word(row.label, names) for row in rows}
    if len(found) > MOST_CLASSES:
        raise UserError(f"{label} has {len(found)} different values: an audit needs at most {MOST_CLASSES} classes")
    known = [str(name) for name in names or () if str(name) in found]
    return (*known, *sorted(found - set(known), key=_by_number))


def _word(value: Any, names: Sequence[str] | None) -> str:
    """A label in words: the name of its class where there is one."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and float(value).is_integer()
    if number:
        return str(names[int(value)]) if names is not None and 0 <= value < len(names) else str(int(value))
    return str(value)


def _by_number(word: str) -> tuple[int, float, str]:
    try:
        return 0, float(word), word
    except ValueError:
        return 1, 0.0, word


def _fill_shares(rows: Sequence[Row]) -> None:
    """A mask label that others have is 0 % of a lesion without it."""
    names = dict.fromkeys(name for row in rows for name in row.facts if name.startswith(SHARE))
    for row in rows:
        if any(name in row.facts for name in names):
            row.facts |= {name: 0.0 for name in names if name not in row.facts}


def _by_patient(rows: Sequence[Row]) -> list[Row]:
    """One row for each patient and label: means of numbers, the commonest word."""
    owners: dict[tuple[str, Any], list[Row]] = defaultdict(list)
    for row in rows:
        owners[row.subject, row.label].append(row)
    joined = [own[0] if len(own) == 1 else _joined(own) for own in owners.values()]
    for row in joined:
        row.facts["scans of the patient"] = float(len(owners[row.subject, row.label]))
    return joined


def _joined(rows: Sequence[Row]) -> Row:
    facts: Facts = {}
    for name in dict.fromkeys(name for row in rows for name in row.facts):
        values = [row.facts[name] for row in rows if name in row.facts]
        words = any(isinstance(value, str) for value in values)
        facts[name] = Counter(map(str, values)).most_common(1)[0][0] if words else float(np.mean(values))
    used = [row.statistics for row in rows if row.statistics]
    statistics = {group: {name: float(np.mean([own[group].get(name, np.nan) for own in used])) for name in numbers}
                  for group, numbers in used[0].items()} if used else None  # fmt: skip
    return Row(rows[0].subject, rows[0].label, rows[0].time, facts, statistics)


def _notes(dataset: Sequence[Any], rows: Sequence[Row], joined: Sequence[Row]) -> list[str]:
    notes = []
    cases = getattr(dataset, "cases", ())
    if any(case.meta.get("patient_known") is False for case in cases):
        notes.append("The data do not say which images are of one patient: each counts as a patient of its own. If "
                     "patients have several, intervals are too narrow and the models may recognise a patient.")
    elif len(joined) < len(rows):
        notes.append(f"{len(rows)} scans of {len({row.subject for row in joined})} patients: means by patient.")
    measured = [row for row in rows if row.statistics]
    volumes = [name for row in measured for name in row.facts if name.startswith("lesion volume")]
    if not volumes:
        notes.append("There are no masks: the models see the whole image, lesion and all. What they tell need not be "
                     "a leak.")
    elif len(volumes) < len(measured):
        notes.append(f"{len(measured) - len(volumes)} of {len(measured)} scans have no mask: there the whole image "
                     "counts as outside.")
    if len(measured) < len(rows):
        notes.append(f"{len(rows) - len(measured)} cases lack a channel: they count for the single factors alone.")
    return notes
