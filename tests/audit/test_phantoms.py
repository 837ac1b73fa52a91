"""The phantom audited: matched cohorts leak nothing, and what breaks them is caught by the same audit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import wilcoxon

from medattn_lite.audit import PlantedLeak, audit_measured, declared_of, given_of, measure, phantoms
from medattn_lite.data.phantom import PhantomCohort, Subject, healthy, metastases
from medattn_lite.data.phantom import metastases_and_meningiomas as masses
from medattn_lite.data.phantom.anatomy import forget
from medattn_lite.data.phantom.geometry import make_grid
from medattn_lite.data.phantom.lesions import draw_site
from medattn_lite.data.phantom.scanner import stamp_mark
from medattn_lite.data.transforms import normalise

SMALL = {"shape": (20, 24, 20), "contrasts": ("t1", "flair"), "seed": 1}
ASKED = {"groups": ("sharpness",), "repeats": 8, "progress": False}


def audit_of(cohort: PhantomCohort, samples: object = None):
    measured = measure(cohort if samples is None else samples, label=cohort.task, progress=False)
    return audit_measured(measured, declared=declared_of(cohort), given=given_of(cohort), **ASKED)


@pytest.mark.parametrize("task", ["grade", "source"])
def test_a_matched_cohort_tells_its_label_by_the_declared_signal_alone(task: str) -> None:
    cohort = PhantomCohort(48, task=task, **SMALL)
    samples = [cohort[at] for at in range(len(cohort))]
    audit = audit_of(cohort, samples)
    assert audit.leaks == [], audit
    assert audit.by_verdict("declared")[0].low > 0.6  # the label can be told, by what is declared
    blurred = audit_of(cohort, PlantedLeak(samples, "blur"))
    assert any("sharpness" in finding.name for finding in blurred.leaks)  # and the same audit would have seen a blur


@pytest.mark.parametrize(("task", "facts"), [("grade", {"oedema_share", "core_ml"}), ("source", {"count", "whole_ml"})])
def test_a_clinical_cohort_is_found_to_leak(task: str, facts: set[str]) -> None:
    cohort = PhantomCohort(60, task=task, realism="clinical", **SMALL)
    measured = measure(cohort, label=task, progress=False)
    audit = audit_measured(measured, declared=declared_of(cohort), groups=(), progress=False)
    assert facts <= {finding.name for finding in audit.leaks}


def parts(subject: Subject) -> int:
    """Connected parts of a whole lesion; corners touch."""
    labels = subject.lesions(make_grid((40, 46, 40), 4.0)).label.numpy()
    return ndimage.label(labels > 0, np.ones((3, 3, 3)))[1]


def test_oedema_around_a_metastasis_is_as_ragged_as_around_a_glioma(monkeypatch: pytest.MonkeyPatch) -> None:
    """With oedema that follows the smoother border of a metastasis, its number of parts told the source: AUC 0.66."""
    cohort, rows, solid = PhantomCohort(80, task="source", **SMALL), [], masses._solid_mass
    for at in range(0, len(cohort), 2):  # one person, and two tumours that differ in their core alone
        subject = cohort.subject(at)
        one = subject.pathology
        other = metastases(count=1, diameter_mm=one.diameter_mm * (1 - one.oedema) ** (1 / 3), necrosis=0.3,
                           oedema=one.oedema / (1 - one.oedema), site=draw_site(subject.seed, "glioma"),
                           mass_effect=one.mass_effect)
        other = replace(subject, pathology=other)
        row = [parts(subject), parts(other)]
        with monkeypatch.context() as smooth:
            smooth.setattr(masses, "_solid_mass", lambda *arguments: solid(*arguments[:9]))
            rows.append([*row, parts(other)])
        forget()
    glioma, metastasis, smoother = np.array(rows).T
    assert wilcoxon(glioma, metastasis, zero_method="zsplit").pvalue > 0.05, (glioma.mean(), metastasis.mean())
    assert wilcoxon(glioma, smoother, zero_method="zsplit").pvalue < 0.01, (glioma.mean(), smoother.mean())


def test_facts_that_show_outside_the_signal_are_given_where_they_are_declared() -> None:
    by_task = {task: given_of(PhantomCohort(1, task=task, **SMALL)) for task in ("grade", "ms", "type", "survival")}
    assert by_task == {"grade": (), "ms": (), "type": ("shift_mm",), "survival": ("age_years", "shift_mm")}
    cohort = PhantomCohort(30, task="survival", **SMALL)
    audit = phantoms.audit_phantom(cohort, groups=(), progress=False)
    assert audit.settings["given"] == ["age_years", "shift_mm"]
    assert next(finding for finding in audit.findings if finding.name == "age_years").verdict == "declared"
    assert any("given age_years, shift_mm" in line for line in audit.lines)


@pytest.mark.parametrize("contrasts", [("t1", "t1ce", "t2", "flair"), ("t2",)])
def test_the_scanner_mark_looks_the_same_whatever_the_disease(contrasts: tuple[str, ...]) -> None:
    cohort = PhantomCohort(6, task="grade", shape=(32, 36, 32), contrasts=contrasts, seed=3)
    grid, seen = make_grid(cohort.shape, None), []
    for at in range(len(cohort)):
        subject = cohort.subject(at)
        for one in (subject, replace(subject, pathology=healthy())):
            marked, where = stamp_mark(cohort.render(one)["image"], grid, contrasts)
            seen.append(normalise(marked)[:, where].amax(1))  # as a network sees it
        forget()
    assert torch.stack(seen).std(0).max() < 0.02 and torch.stack(seen).mean() > 0.3
