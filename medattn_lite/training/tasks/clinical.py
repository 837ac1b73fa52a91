"""Clinical values beside the images: read from what a sample says of its patient, standardised on training patients.

    phantom   age, gross total resection, biopsy only
    lgg       age, grade 3, IDH mutation
    BraTS     age, high grade, gross total resection
    nifti     columns age, grade (G2, G3, LGG, HGG), idh and resection (GTR, STR, biopsy) of the table; bids likewise

Only values that are known before follow-up begins. What is missing is set to the training patients' mean, 0 once
standardised. A value that is the same for all, or known for nobody, is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.optional import optional

GRADE_ORDER = ("LGG", "G2", "G3", "HGG")
HIGH_GRADES = {"G2": 0.0, "G3": 1.0, "LGG": 0.0, "HGG": 1.0}
RESECTIONS = {"GTR": "gross total", "gross total": "gross total", "STR": "subtotal", "subtotal": "subtotal",
              "biopsy": "biopsy"}  # fmt: skip
COLUMNS = {"age": ("ageyears", "age"), "grade": ("grade",), "idh": ("idh", "idhstatus"),
           "resection": ("resection", "extentofresection")}  # fmt: skip
OURS = ("time", "event", "outline", "case", "voxelsizemm", "patientknown", "severalfiles", "notfound", "session",
        "part", "class", "classes", "row")
RIDGE = 0.01  # keeps Cox's weights finite where a value separates the deaths


def clinical_values(meta: Mapping[str, Any]) -> dict[str, float]:
    """Reads by name, in any spelling (`Age`, `age_years`), what a sample's `meta` says; NaN where nothing is known."""
    known = {key: next((meta[name] for plain in names for name in meta if _plain(name) == plain), None)
              for key, names in COLUMNS.items()}  # fmt: skip
    age, grade = known["age"], known["grade"]
    idh, resection = str(known["idh"] or ""), RESECTIONS.get(str(known["resection"]))
    return {
        "age": math.nan if age is None else float(age),
        "high grade": HIGH_GRADES.get(str(grade), math.nan),
        "IDH mutation": {"w": 0.0, "m": 1.0}.get(idh[:1].lower(), math.nan),
        "gross total resection": math.nan if resection is None else float(resection == "gross total"),
        "biopsy only": math.nan if resection is None else float(resection == "biopsy"),
    }


def not_used(facts: Sequence[Mapping[str, Any]]) -> str:
    """One line about the columns of a user's table that no clinical value comes from; "" where there are none."""
    taken = {plain for names in COLUMNS.values() for plain in names}
    others = dict.fromkeys(str(name) for patient_facts in facts for name, value in patient_facts.items()
                           if value is not None and _plain(name) not in taken and _plain(name) not in OURS)  # fmt: skip
    return "" if not others else (f"columns that are not clinical values of this recipe: {', '.join(others)}; it knows "
                                  f"{', '.join(COLUMNS)}")


def _plain(name: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def clinical_table(rows: Sequence[Mapping[str, float]]) -> tuple[tuple[str, ...], np.ndarray]:
    """Collects names and values, (N, K), of what differs between patients."""
    names = [name for name in rows[0] if len({row[name] for row in rows if math.isfinite(row[name])}) > 1]
    return tuple(names), np.array([[row[name] for name in names] for row in rows], dtype=float).reshape(len(rows), -1)


def of_highest_grade(facts: Sequence[Mapping[str, Any]]) -> list[int]:
    """Rows of the highest grade that there is among the patients' `meta`.

    Raises:
        UserError: no grade is known.
    """
    grades = [
        GRADE_ORDER.index(patient_facts["grade"]) if patient_facts.get("grade") in GRADE_ORDER else -1
        for patient_facts in facts
    ]
    if max(grades) < 0:
        raise UserError("no patient's grade is known: use grades=all")
    return [row for row, grade in enumerate(grades) if grade == max(grades)]


def standardised(values: np.ndarray, train: np.ndarray) -> Tensor:
    """Standardises values by the training rows' mean and spread; 0 where missing.

    Args:
        values: (N, K), NaN where missing.
        train: rows to learn from.

    Returns:
        (N, K) float32.
    """
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values[train])
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values[train], 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (values[train] - mean) ** 2, 0).sum(axis=0) / count)
        scores = (values - mean) / np.where(spread > 0, spread, 1)
    return torch.from_numpy(np.nan_to_num(scores)).float()


class ClinicalCox(nn.Module):
    """Cox's model of clinical values, fitted by scikit-survival instead of steps along gradients.

    Args:
        features: clinical values per patient.
        image: a trained network whose log risk is one more value, or None.
    """

    def __init__(self, features: int, image: nn.Module | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features + (image is not None)), requires_grad=False)
        self.image = image

    def fit(self, clinical: Tensor, time: np.ndarray, event: np.ndarray) -> None:
        """Sets the weights by Cox's likelihood with a small ridge; they stay 0 without a death."""
        optional("sksurv")
        from sksurv.linear_model import CoxPHSurvivalAnalysis
        from sksurv.util import Surv

        if not event.any() or not len(self.weight):
            return
        fitted = CoxPHSurvivalAnalysis(alpha=RIDGE * len(time), ties="efron").fit(
            clinical.double().numpy(), Surv.from_arrays(event, time)
        )
        self.weight.copy_(torch.from_numpy(fitted.coef_))

    def forward(self, clinical: Tensor) -> Tensor:
        """(B, K) values, the image's log risk last if there is one, to log risks (B, 1)."""
        return clinical @ self.weight[:, None]  # (B, 1)
