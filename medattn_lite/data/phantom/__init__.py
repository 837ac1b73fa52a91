"""The phantom cohort: synthetic brains with diseases, exact masks and known truth.

`Subject(glioma(grade="high", diameter_mm=32), seed=3).render()` is a scan;
`PhantomCohort(200, task="grade")` is a data set. Everything is synthetic and says so.
"""

from __future__ import annotations

from medattn_lite.data.phantom.cohort import PhantomCohort
from medattn_lite.data.phantom.disease_draws import LABELS, REALISMS, TASKS
from medattn_lite.data.phantom.pathology import (
    Glioma,
    Healthy,
    Meningioma,
    Metastases,
    MSLesions,
    glioma,
    healthy,
    meningioma,
    metastases,
    ms_lesions,
)
from medattn_lite.data.phantom.subject import Subject
from medattn_lite.data.phantom.survival import AGE, RESECTIONS, true_survival

__all__ = [
    "AGE",
    "LABELS",
    "REALISMS",
    "RESECTIONS",
    "TASKS",
    "Glioma",
    "Healthy",
    "MSLesions",
    "Meningioma",
    "Metastases",
    "PhantomCohort",
    "Subject",
    "glioma",
    "healthy",
    "meningioma",
    "metastases",
    "ms_lesions",
    "true_survival",
]
