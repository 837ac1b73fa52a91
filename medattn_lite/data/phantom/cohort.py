"""A cohort of phantom subjects for one task.

Subject `i` depends on the cohort's seed and on `i` alone: neither on the cohort's size nor on the
order in which subjects are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from medattn_lite.data.phantom.fields import stream, uniform
from medattn_lite.data.phantom.lesions import ball_ml
from medattn_lite.data.phantom.ms import draw_load
from medattn_lite.data.phantom.pathology import Pathology, glioma, healthy, meningioma, metastases, ms_lesions
from medattn_lite.data.phantom.subject import Subject
from medattn_lite.data.phantom.survival import draw_resection, draw_survival, log_risk
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas

TASKS = ("grade", "presence", "source", "type", "segmentation", "ms", "survival")
LABELS = {
    "grade": ("LGG", "HGG"),
    "presence": ("no tumour", "tumour"),
    "source": ("primary", "metastasis"),
    "type": ("no tumour", "glioma", "metastasis", "meningioma"),
    "segmentation": ("LGG", "HGG"),
    "ms": ("under 10 mL", "10 mL or more"),
    "survival": ("censored", "death seen"),
}


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
        device: Where samples are rendered.
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
        device: str | torch.device = "cpu",
    ) -> None:
        if n < 1:
            raise UserError(f"n={n}: a cohort needs at least one subject")
        if task not in TASKS:
            raise UserError(f"task={task!r}: choose from {', '.join(TASKS)}")
        for name, value in (("shortcut", shortcut), ("difficulty", difficulty)):
            if not 0 <= value <= 1:
                raise UserError(f"{name}={value}: give a number from 0 to 1")
        self.task, self.shape, self.spacing_mm, self.channels = task, tuple(shape), spacing_mm, tuple(contrasts)
        self.seed, self.shortcut, self.difficulty, self.device = int(seed), shortcut, difficulty, device
        self.class_names = LABELS[task]
        self._cases = [self._case(index) for index in range(n)]

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> dict:
        subject, label = self._cases[index]
        sample = self.render(subject)
        sample["label"] = label
        if self.task == "survival":
            outcome = self._outcome(subject)
            sample["time"], sample["event"] = outcome["time"], outcome["event"]
            sample["meta"]["oracle_risk"] = outcome["oracle_risk"]
        return sample

    def render(self, subject: Subject) -> dict:
        """Any subject, such as a counterfactual of one, scanned as this cohort scans its own."""
        return subject.render(
            shape=self.shape,
            spacing_mm=self.spacing_mm,
            contrasts=self.channels,
            device=self.device,
            noise=0.6 + 1.4 * self.difficulty,
            contrast=1.1 - 0.45 * self.difficulty,
            vessels=0.7 + 0.9 * self.difficulty,
        )

    @property
    def with_signal(self) -> bool:
        """Samples know where their signal is."""
        return True

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
        """One row a subject, without rendering: what was asked for, age, outcome, the oracle's risk."""
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
            row |= _asked_volumes(subject)
            rows.append(row | self._outcome(subject) if disease.kind == "glioma" else row)
        return pandas.DataFrame(rows)

    def _outcome(self, subject: Subject) -> dict:
        planned = _asked_volumes(subject)
        risk = log_risk(
            age_years=subject.person.age_years,
            volume_ml=planned["whole_ml"],
            necrosis=planned["necrosis"],
            resection=subject.resection,
        )
        time, event = draw_survival(subject.seed, risk)
        return {"resection": subject.resection, "oracle_risk": risk, "time": time, "event": event}

    def _case(self, index: int) -> tuple[Subject, int]:
        random = stream(self.seed, "cohort", self.task, index)
        seed = int(torch.randint(2**31, (), generator=random))
        disease, label = self._disease(random, index, seed)
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

    def _disease(self, random: torch.Generator, index: int, seed: int) -> tuple[Pathology, int]:
        if self.task == "ms":
            load = draw_load(seed)
            return ms_lesions(load_ml=load), int(load >= 10)
        if self.task == "type":
            return (lambda _: healthy(), self._glioma, self._metastases, self._meningioma)[index % 4](random), index % 4
        second = index % 2 == 1
        if self.task == "presence":
            return (self._glioma(random) if second else healthy()), int(second)
        if self.task == "source":
            return (self._metastases(random) if second else self._glioma(random, "high")), int(second)
        if self.task == "survival":
            return self._glioma(random, "high"), 1  # replaced by the event once the outcome is drawn
        return self._glioma(random, "high" if second else "low"), int(second)

    def _diameter(self, random: torch.Generator) -> float:
        """Whole-tumour diameter in mm, drawn alike for every grade."""
        low, high = 40.0 - 18.0 * self.difficulty, 74.0 - 16.0 * self.difficulty
        return uniform(random, low, high)

    def _glioma(self, random: torch.Generator, grade: str | None = None) -> Pathology:
        diameter = self._diameter(random)  # before anything that depends on the grade
        grade = grade or ("high" if uniform(random, 0, 1) < 0.5 else "low")
        unusual = uniform(random, 0, 1)
        if grade == "high":
            necrosis = uniform(random, 0.05, 0.6)
            enhancement = uniform(random, 0.05, 0.15) if unusual < 0.04 else uniform(random, 0.7, 1.0)
            necrosis = 0.02 if unusual < 0.04 else necrosis
            return glioma(grade="high", diameter_mm=diameter, enhancement=enhancement, necrosis=necrosis,
                          oedema=uniform(random, 0.35, 0.7))  # fmt: skip
        enhancement = uniform(random, 0.02, 0.12) if unusual < 0.2 else 0.0
        return glioma(grade="low", diameter_mm=diameter, enhancement=enhancement, necrosis=0.0,
                      oedema=uniform(random, 0.1, 0.45))  # fmt: skip

    def _metastases(self, random: torch.Generator) -> Pathology:
        count = 1 + int(6 * uniform(random, 0, 1) ** 1.5)
        return metastases(count=count, diameter_mm=uniform(random, 14.0, 34.0) * (1.1 - 0.4 * self.difficulty))

    def _meningioma(self, random: torch.Generator) -> Pathology:
        return meningioma(diameter_mm=uniform(random, 20.0, 52.0) * (1.1 - 0.3 * self.difficulty))


def _asked_volumes(subject: Subject) -> dict[str, float]:
    """Volumes a disease was asked to have (a rendered one agrees to within its voxels)."""
    disease = subject.pathology
    if disease.kind == "ms":
        return {"whole_ml": disease.load_ml}
    if disease.kind != "glioma":
        return {"whole_ml": 0.0} if disease.kind == "healthy" else {}
    whole = ball_ml(disease.diameter_mm)
    core = whole * (1 - disease.oedema)
    dead = core * disease.necrosis
    return {
        "whole_ml": whole,
        "core_ml": core,
        "necrosis_ml": dead,
        "enhancing_ml": (core - dead) * disease.enhancement,
        "necrosis": disease.necrosis,
    }
