"""Two public tables of patients with glioma as numbers for Cox's model: UCSF-PDGM with radiomics, and TCGA's.

Traps that are taken care of, and counted in `left_out`:

- UCSF-PDGM lists 501 scans of 495 patients: six patients come twice under two names. The first scan is kept.
- a death without a day, follow-up of 0 days or less, a redacted patient: left out.
- "Treated primary GBM" in TCGA was sampled at a recurrence but counts its days from the first diagnosis; until then
  these patients could not die. They are left out.
- MGMT is unknown for one in six, more often in low grades: it has a column of its own for "unknown".
- grade, IDH, MGMT and the extent of resection are known only after surgery, so age and sex are a set of their own:
  what a radiologist knows before.
- columns written after follow-up began (tumour status, new events, cause of death) are never read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medattn_lite.data.readers.csv_tables import column, number, read_csv, text
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

RADIOMICS = "radiomics"  # stands for all image features within a set
GLIOBLASTOMA = "glioblastoma, IDH wild type"


@dataclass(frozen=True)
class PatientTable:
    """Patients, their follow-up and what is known of them.

    Attributes:
        name: of the source.
        subjects: N patients, each once.
        time: (N,) days.
        event: (N,) bool, True for death.
        values: name → (N,) numbers, NaN where missing.
        radiomics: (N, R) image features; R is 0 where there are none.
        sets: name → names of values (or "radiomics") that one model uses.
        comparisons: pairs of sets, first minus second.
        groups: name → (N,) group of each patient, "" where unknown.
        left_out: reason → patients.
    """

    name: str
    subjects: tuple[str, ...]
    time: np.ndarray
    event: np.ndarray
    values: Mapping[str, np.ndarray]
    radiomics: np.ndarray
    sets: Mapping[str, tuple[str, ...]]
    comparisons: tuple[tuple[str, str], ...]
    groups: Mapping[str, np.ndarray]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def only(self, name: str, keep: np.ndarray, left_out: str) -> PatientTable:
        """The patients with `keep` (N,) bool; values that no longer differ are left out of the sets."""
        values = {key: column[keep] for key, column in self.values.items()}
        differ = {key for key, column in values.items() if len(np.unique(column[np.isfinite(column)])) > 1} | {
            RADIOMICS
        }
        sets = {key: tuple(part for part in parts if part in differ) for key, parts in self.sets.items()}
        sets = {key: parts for key, parts in sets.items() if parts}
        return replace(
            self, name=name, subjects=tuple(np.array(self.subjects)[keep].tolist()), time=self.time[keep],
            event=self.event[keep], values=values, radiomics=self.radiomics[keep], sets=sets,
            comparisons=tuple(pair for pair in self.comparisons if set(pair) <= set(sets)
                              and set(sets[pair[0]]) != set(sets[pair[1]])),
            groups={key: groups[keep] for key, groups in self.groups.items()},
            left_out={**self.left_out, left_out: int((~keep).sum())},
        )  # fmt: skip

    def matrix(self, parts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(N, K) of a set, and (K,) bool, which of them are image features."""
        named = [self.values[part] for part in parts if part != RADIOMICS]
        images = self.radiomics if RADIOMICS in parts else self.radiomics[:, :0]
        columns = np.column_stack([*named, images])
        return columns, np.arange(columns.shape[1]) >= len(named)


def read_ucsf(path: Path) -> PatientTable:
    """UCSF-PDGM's clinical columns and radiomics.

    Raises:
        UserError: the table cannot be read, or lacks a column.
    """
    frame = read_csv(path)
    cells = _Cells(frame, path)
    death, days = cells.numbers("1-dead 0-alive"), cells.numbers("OS")
    age, sex, grade = cells.numbers("Age at MRI"), cells.texts("Sex"), cells.numbers("WHO CNS Grade")
    idh, mgmt, resection = cells.texts("IDH"), cells.texts("MGMT status"), cells.texts("EOR")
    diagnosis = cells.texts("Final pathologic diagnosis (WHO 2021)")
    methylated = _coded(mgmt, {"positive": 1.0, "negative": 0.0})
    mutant = np.where(idh == "", np.nan, (idh != "wildtype").astype(float))
    identities = [
        str(values) for values in zip(sex, age, diagnosis, cells.texts("MGMT index"), idh, days, death, strict=True)
    ]
    table = PatientTable(
        name="UCSF-PDGM",
        subjects=tuple(cells.texts("ID").tolist()),
        time=days,
        event=death == 1,
        values={
            "age (10 years)": age / 10, "male": _coded(sex, {"M": 1.0, "F": 0.0}),
            "grade 3": _is(grade, 3), "grade 4": _is(grade, 4), "IDH mutation": mutant,
            "MGMT methylated": methylated, "MGMT unknown": np.isnan(methylated).astype(float),
            "gross total resection": _coded(resection, {"GTR": 1.0, "STR": 0.0, "biopsy": 0.0}),
            "biopsy only": _coded(resection, {"GTR": 0.0, "STR": 0.0, "biopsy": 1.0}),
        },
        radiomics=np.column_stack([cells.numbers(name) for name in frame.columns if name.startswith("original_")]),
        sets={
            "age and sex": (before := ("age (10 years)", "male")),
            "clinical": (clinical := (*before, "grade 3", "grade 4", "IDH mutation", "MGMT methylated", "MGMT unknown",
                                      "gross total resection", "biopsy only")),
            "radiomics": (RADIOMICS,), "age, sex and radiomics": (*before, RADIOMICS),
            "clinical and radiomics": (*clinical, RADIOMICS),
        },
        comparisons=(
            ("radiomics", "age and sex"), ("age, sex and radiomics", "age and sex"), ("radiomics", "clinical"),
            ("clinical and radiomics", "clinical"),
        ),
        groups={
            "grade": np.array([f"grade {value:.0f}" if math.isfinite(value) else "" for value in grade]),
            "IDH": np.where(np.isnan(mutant), "", np.where(mutant == 1, "mutant", "wild type")),
            "diagnosis": diagnosis,
            "MGMT": np.where(np.isnan(methylated), "", np.where(methylated == 1, "methylated", "unmethylated")),
        },
    )  # fmt: skip
    first = np.array([identities.index(identity) == row for row, identity in enumerate(identities)])
    table = table.only(table.name, first, "second scan of a patient")
    return table.only(table.name, np.isfinite(table.time) & (table.time > 0), "no days of follow-up")


def read_tcga(path: Path) -> PatientTable:
    """The TCGA clinical data resource's LGG and GBM.

    Raises:
        UserError: as `read_ucsf`.
    """
    frame = read_csv(path)
    cells = _Cells(frame, path)
    days, death = cells.numbers("OS.time"), cells.numbers("OS")
    age = cells.numbers("age_at_initial_pathologic_diagnosis")
    kind, histology = cells.texts("type"), cells.texts("histological_type")
    grade = np.where(kind == "GBM", "GBM", cells.texts("histological_grade"))
    grade = np.where(np.isin(grade, ["G2", "G3", "GBM"]), grade, "")
    table = PatientTable(
        name="TCGA",
        subjects=tuple(cells.texts("bcr_patient_barcode").tolist()),
        time=days,
        event=death == 1,
        values={
            "age (10 years)": age / 10, "male": _coded(cells.texts("gender"), {"MALE": 1.0, "FEMALE": 0.0}),
            "grade 3": _coded(grade, {"G2": 0.0, "G3": 1.0, "GBM": 0.0}),
            "glioblastoma": _coded(grade, {"G2": 0.0, "G3": 0.0, "GBM": 1.0}),
            "oligodendroglioma": (histology == "Oligodendroglioma").astype(float),
            "oligoastrocytoma": (histology == "Oligoastrocytoma").astype(float),
        },
        radiomics=np.zeros((len(frame), 0)),
        sets={
            "age and sex": (before := ("age (10 years)", "male")),
            "grade": (graded := ("grade 3", "glioblastoma")),
            "age, sex and grade": (*before, *graded),
            "age, sex, grade and histology": (*before, *graded, "oligodendroglioma", "oligoastrocytoma"),
        },
        comparisons=(
            ("age, sex and grade", "age and sex"), ("age, sex and grade", "grade"),
            ("age, sex, grade and histology", "age, sex and grade"),
        ),
        groups={"grade": grade, "type": kind},
    )  # fmt: skip
    redacted, treated = cells.texts("Redaction") != "", histology == "Treated primary GBM"
    for reason, left_out in (("redacted", redacted), ("treated before the sample", treated & ~redacted)):
        gone = np.array(cells.texts("bcr_patient_barcode"))[left_out]
        table = table.only(table.name, ~np.isin(table.subjects, gone), reason)
    return table.only(table.name, np.isfinite(table.time) & (table.time > 0), "no days of follow-up")


class _Cells:
    """Columns of a table by name, as numbers or texts."""

    def __init__(self, frame: pd.DataFrame, path: Path) -> None:
        self.frame, self.path = frame, path

    def _column(self, name: str) -> list:
        name_in_table = column(self.frame, [name])
        if name_in_table is None:
            raise UserError(f"{self.path} has no column {name!r}: is it the right table?")
        return self.frame[name_in_table].tolist()

    def numbers(self, name: str) -> np.ndarray:
        numbers = [number(cell) for cell in self._column(name)]
        return np.array(
            [math.nan if number_or_none is None else number_or_none for number_or_none in numbers], dtype=float
        )

    def texts(self, name: str) -> np.ndarray:
        return np.array([text(cell) or "" for cell in self._column(name)])


def _is(values: np.ndarray, wanted: float) -> np.ndarray:
    return np.where(np.isnan(values), np.nan, (values == wanted).astype(float))


def _coded(words: np.ndarray, codes: Mapping[str, float]) -> np.ndarray:
    return np.array([codes.get(word, math.nan) for word in words.tolist()], dtype=float)
