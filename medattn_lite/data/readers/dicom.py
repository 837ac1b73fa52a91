"""What lies in a folder of DICOM files: patients, studies and series, read from the headers alone.

    study = find_series("DICOM_DIR")
    for series in study.series: print(series.line())

A series is one stack of slices, or one multi-frame file, and becomes one volume (`readers/dicom_import.py`).
Reading is pydicom's; the extra `dicom` brings it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medattn_lite.data.files import existing_folder
from medattn_lite.data.readers.csv_tables import natural
from medattn_lite.data.readers.find_files import holds, walk
from medattn_lite.data.readers.nifti_folders import contrast_of
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable
from medattn_lite.optional import optional

_HEADERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality",
            "StudyDate", "StudyTime", "Rows", "Columns", "NumberOfFrames", "ImageType", "PixelSpacing",
            "SliceThickness", "SpacingBetweenSlices", "ContrastBolusAgent", "BurnedInAnnotation", "Manufacturer",
            "ManufacturerModelName", "MagneticFieldStrength", "RepetitionTime", "EchoTime", "InversionTime",
            "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber")  # fmt: skip
_IDENTIFYING = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate", "StudyTime")
FEWEST = 4  # slices of a volume: fewer are a localizer or a screen


@dataclass(frozen=True)
class Series:
    """One series of a study.

    Attributes:
        number: of this listing, from 1, by which it is chosen.
        patient: from 1, in the order of the patients' identifiers; the identifier itself is not kept.
        visit: from 1, in the order of the studies' dates.
        visits: how many studies the patient has.
        files: its files.
        facts: header values of the first file that do not identify anybody, by DICOM keyword.
        slices: files, or frames of a multi-frame file.
    """

    number: int
    patient: int
    visit: int
    visits: int
    files: tuple[Path, ...]
    facts: dict[str, Any] = field(repr=False)
    slices: int

    @property
    def name(self) -> str:
        """Contrast, as the description tells it, or else the modality; such as "flair", "t1ce" or "ct"."""
        words = str(self.facts.get("SeriesDescription", ""))
        contrast = contrast_of(Path(words.replace("/", "_"))) if words else None
        if contrast == "t1" and self.facts.get("ContrastBolusAgent"):
            return "t1ce"
        return contrast or str(self.facts.get("Modality") or "image").lower()

    @property
    def not_a_volume(self) -> str:
        """Why this is not a volume, in words; "" where it may be one."""
        words = self.facts.get("ImageType") or ()
        kind = {str(word).upper() for word in ((words,) if isinstance(words, str) else words)}
        if not self.facts.get("Rows"):
            return f"no image but {self.facts.get('Modality') or 'another object'}"
        if "LOCALIZER" in kind or "PROJECTION IMAGE" in kind:
            return "a localizer"
        return f"{self.slices} slices, fewer than {FEWEST}" if self.slices < FEWEST else ""

    def line(self) -> str:
        """One line of the list that a user chooses from."""
        visit = f" visit {self.visit}" if self.visits > 1 else ""
        size = f"{self.facts.get('Columns')}×{self.facts.get('Rows')}×{self.slices}" if self.facts.get("Rows") else "—"
        why = f"; left out: {self.not_a_volume}" if self.not_a_volume else ""
        words = self.facts.get("SeriesDescription") or "no description"
        return printable(f"{self.number:>3}  patient {self.patient}{visit}  {self.facts.get('Modality', '?')}  {size}  "
                         f"{words}  → {self.name}{why}")


@dataclass(frozen=True)
class Study:
    """What a folder of DICOM files holds.

    Attributes:
        series: in the order of patient, visit and series number.
        remarks: what is worth knowing, in words: files that are not DICOM, patients without an identifier, …
    """

    series: tuple[Series, ...]
    remarks: tuple[str, ...] = ()

    def chosen(self, numbers: Sequence[int] = ()) -> list[Series]:
        """The series of these numbers; without any, all that may be a volume.

        Raises:
            UserError: a number that is not in the list, or nothing that may be a volume.
        """
        known = {series.number: series for series in self.series}
        unknown = [number for number in numbers if number not in known]
        if unknown:
            raise UserError(f"no series {unknown[0]}: there are 1 to {len(known)} (--list shows them)")
        series = [known[number] for number in dict.fromkeys(numbers)] if numbers else [
            series for series in self.series if not series.not_a_volume]  # fmt: skip
        if not series:
            raise UserError("no series may be a volume: " + "; ".join(series.line().strip() for series in self.series))
        return series


def find_series(root: str | Path) -> Study:
    """Patients, studies and series of a folder, from the headers.

    Args:
        root: the folder; files are found below it whatever they are called.

    Raises:
        UserError: no such folder, no DICOM file in it, or pydicom is not installed.
    """
    pydicom = optional("pydicom")
    folder = existing_folder(root, "DICOM files")
    series: dict[tuple[str, str, str], list[tuple[Path, dict[str, Any]]]] = {}
    others: list[Path] = []
    nameless = 0
    for path in walk(folder):
        facts = _headers(pydicom, path)
        if facts is None:
            others += [path] if path.name.upper() != "DICOMDIR" else []
            continue
        nameless += not facts["PatientID"]
        who = str(facts["PatientID"] or f"study {facts['StudyInstanceUID']}")
        key = who, str(facts["StudyInstanceUID"]), str(facts["SeriesInstanceUID"])
        series.setdefault(key, []).append((path, facts))
    if not series:
        raise UserError(f"no DICOM file in {folder}, which holds {holds(folder)}: name the folder that a scanner or "
                        "archive exported")
    return Study(tuple(_numbered(series)), tuple(_remarks(others, nameless, series)))


def _headers(pydicom: Any, path: Path) -> dict[str, Any] | None:
    """Header values by keyword; None for what is not a DICOM object with a series."""
    try:
        content = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_HEADERS))
        facts = {name: getattr(content, name, None) for name in _HEADERS}
        facts |= {name: _whole(facts[name]) for name in ("SeriesNumber", "NumberOfFrames")}
    except Exception:  # noqa: BLE001 - damaged files fail in ways of their own; they are counted, and named
        return None
    return facts if facts["SeriesInstanceUID"] else None


def _whole(value: Any) -> int | None:
    """A header's number; the first where there are several, None where there is none."""
    first = value if value is None or isinstance(value, (str, int, float)) else next(iter(value), None)
    try:
        return None if first is None else int(first)
    except (TypeError, ValueError):
        return None


def _numbered(files_by_series: dict[tuple[str, str, str], list[tuple[Path, dict[str, Any]]]]) -> list[Series]:
    patients = {
        who: number for number, who in enumerate(sorted({key[0] for key in files_by_series}, key=natural), start=1)
    }
    visits: dict[str, dict[str, int]] = {}
    for who in patients:
        dates = {study: (str(rows[0][1]["StudyDate"] or ""), str(rows[0][1]["StudyTime"] or ""), study)
                 for (owner, study, _), rows in files_by_series.items() if owner == who}  # fmt: skip
        visits[who] = {
            study: number for number, study in enumerate(sorted(dates, key=lambda study: dates[study]), start=1)
        }
    ordered = sorted(files_by_series.items(), key=lambda item: (patients[item[0][0]], visits[item[0][0]][item[0][1]],
                                                                item[1][0][1]["SeriesNumber"] or 0, item[0][2]))
    result = []
    for number, ((who, study, _), rows) in enumerate(ordered, start=1):
        facts = {name: value for name, value in rows[0][1].items() if name not in _IDENTIFYING}
        frames = rows[0][1]["NumberOfFrames"] or 1
        result.append(Series(number, patients[who], visits[who][study], len(visits[who]),
                             tuple(path for path, _ in rows), facts, frames if len(rows) == 1 else len(rows)))
    return result


def _remarks(others: Sequence[Path], nameless: int, files_by_series: dict[tuple[str, str, str], Any]) -> list[str]:
    lines = []
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in
                          Counter(path.suffix.lower() or "without a suffix" for path in others).most_common(3))
        lines.append(f"{len(others)} files are not DICOM and are not read ({kinds}), such as {others[0].name}")
    if nameless:
        lines.append(f"{nameless} files name no patient: each of their studies counts as a patient")
    if any(
        str(facts["BurnedInAnnotation"] or "").upper() == "YES"
        for rows in files_by_series.values()
        for _, facts in rows
    ):
        lines.append("a header says that text is burned into pictures: names may stand in the voxels, look at them")
    return lines
