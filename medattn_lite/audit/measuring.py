"""From a data set to numbers: the facts and statistics of every patient, read once and used by every analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn_lite.audit.factors import case_facts, image_facts, meta_facts, same_as
from medattn_lite.audit.patients import Row, by_patient, fill_shares
from medattn_lite.audit.regions import MARGIN_MM, near, regions_of, voxel_mm
from medattn_lite.audit.statistics import GROUPS, image_statistics
from medattn_lite.audit.target import Target, log_rank_scores
from medattn_lite.audit.zones import Zone, choose_zones, mirrored
from medattn_lite.data.dataset import Sample, Samples
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from medattn_lite.data.readers.cases import Case

SURVIVAL = "survival"
MOST_CLASSES = 10
KEPT_BYTES = 700_000_000  # of images that stay in memory for their second look; the others are read twice
LITTLE = 0.3  # of a head: if less lies outside the zones, the page says so


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

    def target(self, rows: Sequence[int] | np.ndarray | None = None) -> Target:
        """The question, to all patients or to some.

        Raises:
            UserError: too few of a class, or too few deaths.
        """
        chosen_rows = self.rows if rows is None else [self.rows[row] for row in rows]
        labels = np.array([row.label for row in chosen_rows], dtype=int)
        times = None if self.classes else np.array([row.time for row in chosen_rows], dtype=float)
        return Target(self.name, self.classes, labels, times).checked()

    def numbers(self, group: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows that have statistics, and their numbers (N, P) of a group, or of "everything"."""
        used = np.array([at for at, row in enumerate(self.rows) if row.statistics], dtype=int)
        groups = GROUPS if group == "everything" else (group,)
        names = {(part, name): None for at in used for part in groups for name in self.rows[at].statistics[part]}
        table = [[self.rows[at].statistics[part].get(name, np.nan) for part, name in names] for at in used]
        return used, np.array(table, dtype=float).reshape(len(used), len(names))


def measure(
    dataset: Samples,
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
    rows = _rows(dataset, label, column, margin_mm, progress)
    rows = [row for row in rows if row.label is not None and (label != SURVIVAL or row.time is not None)]
    if not rows:
        raise UserError(f"no case has a {label}: name another with --label, or complete the table")
    class_names = () if label == SURVIVAL else _classes(rows, label, names)
    for row in rows:
        row.label = int(bool(row.label)) if label == SURVIVAL else class_names.index(_word(row.label, names))
    fill_shares(rows)
    joined = by_patient(rows)
    measured = Measured(label, class_names, joined, len(rows), _notes(dataset, rows, joined))
    measured.target()  # refuses what is too small, before anything is computed
    return measured


def _rows(
    dataset: Samples, label: str, column: str | None, margin_mm: float, progress: bool
) -> list[Row]:
    """Every scan is looked at twice: for its label and its lesion's zone, then with the zones that it borrows."""
    from tqdm.auto import tqdm

    cases = getattr(dataset, "cases", None)
    rows, zones, kept, room = [], [], {}, KEPT_BYTES
    bar = tqdm(total=2 * len(dataset), desc="audit", unit="look", disable=not progress, leave=False)
    for at in range(len(dataset)):
        sample = dataset[at]
        rows.append(_row(sample, label, column, cases[at] if cases is not None else None))
        zones.append(_zone(dataset, at, sample, margin_mm) if rows[-1].label is not None else None)
        size = 0 if isinstance(dataset, list) else sample["image"].nbytes
        if sample.get("mask") is None:  # nothing is left out: one look is enough
            _measure_into(rows[-1], sample, (), margin_mm)
        elif size <= room:
            kept[at], room = sample, room - size
        bar.update()
    borrowed = _borrowed(rows, zones, label)
    for at, row in enumerate(rows):
        if row.statistics is None and row.label is not None:
            _measure_into(row, kept.pop(at) if at in kept else dataset[at], borrowed[at], margin_mm)
        bar.update()
    bar.close()
    return rows + [_row(vars(case), label, column, case) for case in getattr(dataset, "incomplete", ())]


def _zone(dataset: Samples, at: int, sample: Sample, margin_mm: float) -> Zone | None:
    """The zone of a case's lesion, or of the lesion that a healthy phantom has the mass effect of."""
    if sample.get("mask") is None:
        return None
    regions = regions_of(sample, margin_mm=margin_mm)
    zone, size = regions.zone, voxel_mm(sample)
    if zone is None and hasattr(dataset, "region") and sample["image"].ndim == 4 and size is not None:
        zone = near(dataset.region(at).cpu().numpy(), size, margin_mm)
    return None if zone is None else Zone.of(zone, regions.head)


def _borrowed(rows: Sequence[Row], zones: Sequence[Zone | None], label: str) -> list[list[Zone]]:
    """What each case borrows; one whose own zone is of a lesion that it does not have borrows that too."""
    untimed = label != SURVIVAL
    labelled = [at for at, row in enumerate(rows) if row.label is not None and (untimed or row.time is not None)]
    if label == SURVIVAL:
        time, event = (np.array([float(getattr(rows[at], name)) for at in labelled]) for name in ("time", "label"))
        partners = mirrored(log_rank_scores(time, event)) if labelled else []
        chosen = choose_zones(labelled, [zones[at] for at in labelled], partners=partners)
    else:
        chosen = choose_zones([str(rows[at].label) for at in labelled], [zones[at] for at in labelled])
    borrowed: list[list[Zone]] = [[] for _ in rows]
    for at, lent in zip(labelled, chosen, strict=True):
        borrowed[at] = lent + [zone for zone in (zones[at],) if zone is not None]
    return borrowed


def _row(sample: Sample, label: str, column: str | None, case: Case | None) -> Row:
    """Who, what label and when, and the facts that need no voxels."""
    meta = sample.get("meta", {})
    value = sample.get("event") if label == SURVIVAL else meta.get(column) if column else sample.get("label")
    facts = case_facts(case) if case is not None else {}
    facts |= meta_facts(meta, left_out=same_as(label) | ({column} if column else set()),
                        phantom=sample.get("source") == "phantom")
    return Row(str(sample.get("subject", "")), value, sample.get("time"), facts)


def _measure_into(row: Row, sample: Sample, borrowed: Sequence[Zone], margin_mm: float) -> None:
    """Fills facts and statistics in."""
    regions = regions_of(sample, borrowed=borrowed, margin_mm=margin_mm)
    row.facts |= image_facts(sample, regions)
    row.statistics = image_statistics(sample, regions)
    row.outside = float(regions.outside.sum() / max(1, regions.head.sum()))


def _classes(rows: Sequence[Row], label: str, names: Sequence[str] | None) -> tuple[str, ...]:
    """The classes that occur, in the order of the given names, or of their numbers or letters."""
    values = {_word(row.label, names) for row in rows}
    if len(values) > MOST_CLASSES:
        raise UserError(f"{label} has {len(values)} different values: an audit needs at most {MOST_CLASSES} classes")
    known = [str(name) for name in names or () if str(name) in values]
    return (*known, *sorted(values - set(known), key=_by_number))


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


def _notes(dataset: Samples, rows: Sequence[Row], joined: Sequence[Row]) -> list[str]:
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
    outside = float(np.mean([row.outside for row in measured])) if measured else 1.0
    if outside < LITTLE:
        notes.append(f"The lesions and the zones borrowed from other classes leave {100 * outside:.0f} % of a head: "
                     "the models see little, and their silence says little.")
    if len(measured) < len(rows):
        notes.append(f"{len(rows) - len(measured)} cases lack a channel: they count for the single factors alone.")
    return notes
