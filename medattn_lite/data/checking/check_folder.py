"""Is a folder usable? Every case is read and compared with the others; one line says what each one has.

Exit codes: 0 usable, 1 problems in some cases, 2 cannot be read at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from medattn_lite.data.checking.check_case import Inspection, inspect_case
from medattn_lite.data.readers.cases import Case, PatientDataset
from medattn_lite.data.readers.find_files import left_out
from medattn_lite.data.readers.registry import DATASETS, open_dataset
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable

CHECKED = tuple(name for name in DATASETS if name != "phantom")


@dataclass
class CheckReport:
    """The result of `check_dataset`.

    Attributes:
        exit_code: 0 usable, 1 problems in some cases, 2 cannot be read at all.
        lines: the report, to print.
        cases: what was found, case by case.
    """

    exit_code: int
    lines: list[str]
    cases: list[Inspection] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def check_dataset(name: str, root: str | Path | None, *, progress: bool = True, **options: Any) -> CheckReport:
    """Reads every case of a data set and says what is there, missing or odd.

    Args:
        name: "brats", "msd", "lgg", "open-ms", "images", "nifti" or "bids".
        root: its folder.
        progress: show a bar.
        **options: options of the data set, as in `open_dataset`.

    Returns:
        The report. A folder that cannot be read gives exit code 2, not an exception.
    """
    if name not in CHECKED:
        return CheckReport(2, [f"cannot check {name!r}: choose one of {', '.join(CHECKED)}"])
    if name == "msd":
        options.setdefault("part", "all")
    try:
        dataset = open_dataset(name, root, **options)
    except UserError as error:
        lacking = [printable(f"  {case.case} (not read): PROBLEM missing {case.lacks}")
                   for case in getattr(error, "incomplete", [])]
        return CheckReport(2, [f"{name}: {error}", *lacking, *_lost_everywhere(name, root)])
    if not isinstance(dataset, PatientDataset):
        raise UserError(f"{name} has no files to check: name one of {', '.join(CHECKED)}")
    cases: list[Case] = sorted([*dataset.cases, *dataset.incomplete], key=lambda case: case.case)
    inspections = [inspect_case(dataset, case)
                   for case in tqdm(cases, desc=f"checking {name}", unit="case", disable=not progress, leave=False)]
    _find_duplicates(inspections, name, [case.label for case in cases])
    return _report(name, dataset, cases, inspections)


def _find_duplicates(inspections: Sequence[Inspection], name: str, labels: Sequence[int | None]) -> None:
    """Notes the same picture in two patients, or with two labels; in two scans of one patient it is a remark."""
    places: dict[str, list[tuple[Inspection, str]]] = defaultdict(list)
    for inspection in inspections:
        for what, value in inspection.digests.items():
            places[value].append((inspection, what))
    duplicates: dict[tuple[int, int], list[str]] = defaultdict(list)
    numbers = {id(inspection): number for number, inspection in enumerate(inspections)}
    for owners in places.values():
        (first, _), *others = owners
        for other, what in others:
            if other is not first:
                duplicates[numbers[id(first)], numbers[id(other)]].append(what)
    for (one, two), identical in duplicates.items():
        first, second = inspections[one], inspections[two]
        which = f"{len(identical)} slices" if name == "lgg" else ", ".join(identical)
        text = f"same {which} as {first.case}"
        if first.subject != second.subject:
            second.problems.append(f"{text}, another patient: leave one of them out")
        elif labels[one] != labels[two]:
            second.problems.append(f"{text}, with another label ({labels[one]}, here {labels[two]}): leave one of them "
                                   "out")
        else:
            second.remarks.append(f"{text}, the same patient")


def _report(name: str, dataset: PatientDataset, cases: Sequence[Case], inspections: list[Inspection]) -> CheckReport:
    patients = len({case.subject for case in cases})
    layout = f", layout {dataset.layout}" if hasattr(dataset, "layout") else ""
    lines = [f"{name}: {len(cases)} cases of {patients} patients in {dataset.root}{layout}; "
             f"channels {', '.join(dataset.channels)}"]
    # thousands of pictures: say only what is wrong with some of them
    many = name in ("images", "medmnist3d")
    shown = inspections if not many else [case for case in inspections if case.problems or case.remarks]
    lines += [inspection.line() for inspection in shown]
    lines += _remarks(dataset, cases, inspections)
    lost, spare = dataset.not_read()
    lines += [printable(f"note: {text}") for text in spare] + [printable(f"PROBLEM not read: {text}") for text in lost]
    bad = [inspection for inspection in inspections if inspection.problems]
    read = [inspection for inspection in inspections if inspection.shape is not None]
    if not read:
        return CheckReport(2, [*lines, f"{name}: none of the {len(cases)} cases can be read"], inspections)
    summary = f"{name}: {len(inspections) - len(bad)} of {len(inspections)} cases without a problem"
    kinds = Counter(kind for inspection in bad for kind in {_kind(text) for text in inspection.problems})
    if bad:
        summary += " (" + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) + ")"
    if lost:
        summary += "; other files were not read, see above"
    return CheckReport(1 if bad or lost else 0, [*lines, summary], inspections)


def _lost_everywhere(name: str, root: str | Path | None) -> list[str]:
    """What the images of a folder are, of which none could be read."""
    folder = Path(root).expanduser() if root is not None else None
    if folder is None or not folder.is_dir():
        return []
    lost, spare = left_out(folder, (), pictures=name in ("images", "lgg"))
    return [printable(f"  not read: {text}") for text in [*lost, *spare]]


def _remarks(dataset: PatientDataset, cases: Sequence[Case], inspections: Sequence[Inspection]) -> list[str]:
    """What is worth knowing about the whole folder."""
    lines = [printable(f"note: {text}") for text in dataset.remarks]
    older = getattr(dataset, "older", None)
    if older is not None and older.describe():
        lines.append(f"note: {older.describe()}")
    shapes = Counter(inspection.shape for inspection in inspections if inspection.shape)
    if shapes:
        common = ", ".join(f"{'×'.join(map(str, shape))} ({count})" for shape, count in shapes.most_common(3))
        more = f" and {len(shapes) - 3} more" if len(shapes) > 3 else ""
        lines.append(f"note: shapes {common}{more}")
    voxels = Counter(inspection.voxel_mm for inspection in inspections if inspection.voxel_mm)
    if len(voxels) > 1:
        named = [f"{'×'.join(f'{side:g}' for side in size)} ({count})" for size, count in voxels.most_common()]
        common = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        lines.append(f"note: voxel sizes in mm (D×H×W) {common}: resample before you train")
    values = Counter(inspection.mask_labels for inspection in inspections if inspection.mask_labels)
    if values:
        lines.append("note: mask labels " + ", ".join(f"{' '.join(map(str, labels))} ({count})"
                                                      for labels, count in values.most_common(4)))
    labels = Counter(case.label for case in cases)
    classes = getattr(dataset, "classes", None)
    if set(labels) != {None}:
        meanings = {label: classes[label] if classes and label is not None else label for label in labels}
        parts = [f"{'unknown' if label is None else meanings[label]}: {labels[label]}"
                 for label in sorted(labels, key=lambda label: (label is None, label or 0))]
        lines.append("note: labels " + ", ".join(parts))
    if any(case.event is not None for case in cases):
        followed = [case for case in cases if case.event is not None and case.time is not None]
        lines.append(f"note: survival of {len(followed)} cases, {sum(bool(case.event) for case in followed)} deaths")
    if any(case.meta.get("patient_known") is False for case in cases):
        visits = "" if dataset.source in ("images", "medmnist3d") else " (what looks like a visit does not)"
        lines.append("note: the folder does not say which cases are of one patient: each counts as a patient"
                     f"{visits}, and a split may leak")
    if dataset.source in ("lgg", "images", "medmnist3d"):
        lines.append("note: the files carry no voxel size")
    return lines


def _kind(problem: str) -> str:
    """A word for the summary."""
    words = {"is not a mask": "with odd labels", "copy of": "with copied channels",
             "missing slices": "with missing slices", "missing": "incomplete",
             "no mask": "without masks", "empty mask": "with an empty mask", "NaN": "with NaN",
             "constant": "constant", "cannot": "damaged", "no file": "incomplete", "another patient": "duplicate",
             "label": "with odd labels", "mask values": "with odd labels", "affine": "on another grid",
             "shape": "on another grid", "size": "on another grid", "background": "with a misplaced mask",
             "several files": "ambiguous", "its header": "with a doubtful header"}
    return next((kind for word, kind in words.items() if word in problem), "with another problem")
