"""A cohort of phantom subjects for one task.

Subject `i` depends on the cohort's seed and on `i` alone: neither on the cohort's size nor on the
order in which subjects are looked at. What tells the classes apart is said in `draws`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from medattn_lite.data.dataset import Sample
from medattn_lite.data.phantom.disease_draws import CORRELATED, DECLARED, LABELS, REALISMS, TASKS, draw_disease
from medattn_lite.data.phantom.fields import stream, uniform
from medattn_lite.data.phantom.lesions import ball_ml
from medattn_lite.data.phantom.pathology import Glioma, Healthy, MSLesions
from medattn_lite.data.phantom.rendered import rendered
from medattn_lite.data.phantom.subject import Subject
from medattn_lite.data.phantom.survival import LOW_GRADE, draw_resection, draw_survival, log_risk
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas

_WHOLE = ("presence", "type", "survival", "source")  # tasks whose signal is the whole lesion
# noise and contrast relative to scanner A's, and blur in voxels: a second site, for testing on other images
SCANNERS = {"A": (1.0, 1.0, 0.0), "B": (1.8, 0.85, 0.35)}


class PhantomCohort:
    """Phantom subjects for a task; `cohort[i]` is a sample.

    Args:
        n: Number of subjects.
        task: One of `TASKS`; decides diseases and labels (`LABELS[task]` names them).
        shape: `(D, H, W)`, or `(H, W)` for one axial slice through the lesion.
        spacing_mm: Voxel size; None fits the head.
        contrasts: Sequences.
        seed: The cohort's seed.
        shortcut: Probability that the scanner mark goes with the label: 0 plants none, 0.5 plants
            it at random, 1 plants it on every subject of label 1 and on no other.
        difficulty: 0 (large lesions, strong contrast, little noise) to 1 (small, faint, noisy).
        realism: "matched", classes differ in the declared signal alone; or "clinical", with the
            correlations of the clinic, such as more oedema, mass effect and deaths in high grades.
        scanner: "A"; or "B", noisier, blurred and of less contrast: an external cohort.
        device: Where samples are rendered.

    Attributes:
        declared: Facts in `meta` in which the classes differ by construction; see `draws.DECLARED`.
        correlated: Those that `realism="clinical"` adds; empty in a matched cohort.
    """

    def __init__(
        self,
        n: int,
        *,
        task: str = "grade",
        shape: tuple[int, ...] = (96, 112, 96),
        spacing_mm: float | tuple[float, ...] | None = None,
        contrasts: tuple[str, ...] = ("t1", "t1ce", "t2", "flair"),
        seed: int = 0,
        shortcut: float = 0.0,
        difficulty: float = 0.3,
        realism: str = "matched",
        scanner: str = "A",
        device: str | torch.device = "cpu",
    ) -> None:
        if n < 1:
            raise UserError(f"n={n}: a cohort needs at least one subject")
        if task not in TASKS:
            raise UserError(f"task={task!r}: choose from {', '.join(TASKS)}")
        if realism not in REALISMS:
            raise UserError(f"realism={realism!r}: choose from {', '.join(REALISMS)}")
        if scanner not in SCANNERS:
            raise UserError(f"scanner={scanner!r}: choose from {', '.join(SCANNERS)}")
        for name, value in (("shortcut", shortcut), ("difficulty", difficulty)):
            if not 0 <= value <= 1:
                raise UserError(f"{name}={value}: give a number from 0 to 1")
        self.task, self.shape, self.spacing_mm, self.channels = task, tuple(shape), spacing_mm, tuple(contrasts)
        self.seed, self.shortcut, self.difficulty, self.device = int(seed), shortcut, difficulty, device
        self.class_names, self.realism, self.scanner = LABELS[task], realism, scanner
        self.declared = DECLARED[task]
        self.correlated = CORRELATED[task] if realism == "clinical" else ()
        self._cases = [self._case(index) for index in range(n)]

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> Sample:
        subject, label = self._cases[index]
        sample = self.render(subject)
        sample["label"] = label
        if self.task == "survival":
            outcome = self._outcome(subject)
            sample["time"], sample["event"] = outcome["time"], outcome["event"]
            sample["meta"]["oracle_risk"] = outcome["oracle_risk"]
        return sample

    def render(self, subject: Subject, *, soften: float = 0.0) -> Sample:
        """Any subject, such as a counterfactual of one, scanned as this cohort scans its own.

        Args:
            subject: Whom to scan.
            soften: Extra blur of the tissue, σ in voxels; see `Subject.render`.
        """
        noise, contrast, blur = SCANNERS[self.scanner]
        sample = rendered(
            subject,
            shape=self.shape,
            spacing_mm=self.spacing_mm,
            contrasts=self.channels,
            device=self.device,
            noise=(0.6 + 1.4 * self.difficulty) * noise,
            contrast=(1.1 - 0.45 * self.difficulty) * contrast,
            vessels=0.7 + 0.9 * self.difficulty,
            soften=max(soften, blur),
        )
        if self.task in _WHOLE:
            sample["signal"] = sample["signal"] | (sample["mask"] > 0)
        return sample

    def region(self, index: int) -> torch.Tensor:
        """Voxels `(D, H, W)` bool of a subject's disease, or of the glioma whose mass effect a healthy head shows.

        For comparing what lies *outside*: the same kind of region is left out in every class. `(H, W)` of a 2-D cohort.
        """
        return self._cases[index][0].region(self.shape, self.spacing_mm, self.device)

    @property
    def subjects(self) -> list[str]:
        """Subject ids, in order."""
        return [subject.subject_id for subject, _ in self._cases]

    @property
    def labels(self) -> list[int]:
        """Labels, in order."""
        return [label for _, label in self._cases]

    def subject(self, index: int) -> Subject:
        """The subject behind a sample, for counterfactuals."""
        return self._cases[index][0]

    def table(self) -> pandas.DataFrame:
        """One row per subject, without rendering: what was asked for, age, outcome, the oracle's risk."""
        import pandas

        rows = []
        for subject, label in self._cases:
            disease = subject.pathology
            row = {
                "subject": subject.subject_id,
                "source": "phantom",
                "pathology": disease.kind,
                "grade": {"high": "HGG", "low": "LGG"}.get(getattr(disease, "grade", ""), ""),
                "label": label,
                "diameter_mm": getattr(disease, "diameter_mm", float("nan")),
                "age_years": subject.person.age_years,
                "shortcut": subject.shortcut,
            }
            row |= _planned_volumes(subject)
            rows.append(row | self._outcome(subject) if disease.kind == "glioma" else row)
        return pandas.DataFrame(rows)

    def _outcome(self, subject: Subject) -> dict:
        planned = _planned_volumes(subject)
        risk = log_risk(
            age_years=subject.person.age_years,
            volume_ml=planned["whole_ml"],
            necrosis=planned["necrosis"],
            resection=subject.resection or draw_resection(subject.seed),
        )
        if self.realism == "clinical" and getattr(subject.pathology, "grade", "") == "low":
            risk += LOW_GRADE
        time, event = draw_survival(subject.seed, risk)
        return {"resection": subject.resection, "oracle_risk": risk, "time": time, "event": event}

    def _case(self, index: int) -> tuple[Subject, int]:
        random = stream(self.seed, "cohort", self.task, index)
        seed = int(torch.randint(2**31, (), generator=random))
        disease, label = draw_disease(self.task, self.realism, random, index, seed, self.difficulty)
        follows = uniform(random, 0, 1) < self.shortcut
        mark = self.shortcut > 0 and (label > 0) == follows
        subject = Subject(
            disease,
            seed,
            subject_id=f"phantom-{self.task}-{self.seed}-{index:04d}",
            shortcut=mark,
            resection=draw_resection(seed),
            age_years=uniform(random, 20.0, 64.0) if self.task == "ms" else None,
        )
        if self.task == "survival":
            label = int(self._outcome(subject)["event"])
        return subject, label


def _planned_volumes(subject: Subject) -> dict[str, float]:
    """Volumes a disease was asked to have (a rendered one agrees to within its voxels)."""
    disease = subject.pathology
    if isinstance(disease, MSLesions):
        return {} if disease.load_ml is None else {"whole_ml": disease.load_ml}
    if not isinstance(disease, Glioma):
        return {"whole_ml": 0.0} if isinstance(disease, Healthy) else {}
    oedema, necrosis, enhancement = disease.oedema, disease.necrosis, disease.enhancement
    assert oedema is not None and necrosis is not None and enhancement is not None, "a cohort draws all three"
    whole = ball_ml(disease.diameter_mm)
    core = whole * (1 - oedema)
    dead = core * necrosis
    return {
        "whole_ml": whole,
        "core_ml": core,
        "necrosis_ml": dead,
        "enhancing_ml": (core - dead) * enhancement,
        "necrosis": necrosis,
    }
