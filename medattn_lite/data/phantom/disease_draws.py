"""Which disease the subjects of a cohort have, and what tells one class from the other.

`realism="matched"` (the default): the classes of a task differ in what `DECLARED` names and in nothing
else. Everything else about a lesion is drawn in one order, before the class is looked at: volume, share
of oedema, mass effect, margin, site. A healthy head has the mass effect of a glioma it does not have.
`realism="clinical"`: the correlations of the clinic stay in. `CORRELATED` names them; they make a task
easier, and a network that uses them has not seen the declared signal.
"""

from __future__ import annotations

import torch

from medattn_lite.data.phantom.fields import uniform
from medattn_lite.data.phantom.lesions import draw_site
from medattn_lite.data.phantom.ms import draw_load
from medattn_lite.data.phantom.pathology import Pathology, glioma, healthy, meningioma, metastases, ms_lesions

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
REALISMS = ("matched", "clinical")

_COMPOSITION = ("enhancing_ml", "necrosis_ml", "label1_ml", "label4_ml")
_WHOLE = ("whole_ml", "core_ml", "label2_ml", "oedema_share", "count", "roundness", *_COMPOSITION)
# task → facts of `meta` in which its classes differ by construction. They lie inside the signal map, but for three of
# survival and type: age shows as atrophy everywhere, mass effect around the tumour, and resection in no picture.
DECLARED: dict[str, tuple[str, ...]] = {
    "grade": _COMPOSITION,
    "segmentation": _COMPOSITION,
    "presence": _WHOLE,
    "source": ("roundness", *_COMPOSITION),
    "type": (*_WHOLE, "site", "shift_mm"),
    "ms": ("load_ml", "whole_ml", "label1_ml", "periventricular"),
    "survival": ("age_years", "resection", "shift_mm", *_WHOLE),
}
# the same for what `realism="clinical"` adds, outside the signal map or beside it
CORRELATED: dict[str, tuple[str, ...]] = {
    "grade": ("oedema_share", "core_ml", "label2_ml", "shift_mm", "roundness"),
    "segmentation": ("oedema_share", "core_ml", "label2_ml", "shift_mm", "roundness"),
    "presence": ("shift_mm",),
    "source": ("whole_ml", "core_ml", "label2_ml", "oedema_share", "count", "shift_mm", "site"),
    "type": (),
    "ms": (),
    "survival": (),
}


def draw_disease(
    task: str, realism: str, random: torch.Generator, index: int, seed: int, difficulty: float
) -> tuple[Pathology, int]:
    """The disease of a cohort's subject and its label; of survival, the label is drawn with the outcome.

    Args:
        task: One of `TASKS`.
        realism: One of `REALISMS`.
        random: The subject's stream.
        index: The subject's number: classes alternate.
        seed: The subject's seed.
        difficulty: 0 (large lesions) to 1 (small ones).
    """
    if task == "ms":
        load = draw_load(seed)
        return ms_lesions(load_ml=load), int(load >= 10)
    second = index % 2 == 1
    draw = _matched if realism == "matched" else _clinical
    if task == "type":
        kind = ("healthy", "glioma", "metastasis", "meningioma")[index % 4]
        return draw(kind, None, random, seed, difficulty), index % 4
    if task == "presence":
        return draw("glioma" if second else "healthy", None, random, seed, difficulty), int(second)
    if task == "source":
        kind, grade = ("metastasis", None) if second else ("glioma", "high")
        return draw(kind, grade, random, seed, difficulty, alone=True), int(second)
    return draw("glioma", "high" if second else "low", random, seed, difficulty), int(second)


def _diameter(random: torch.Generator, difficulty: float) -> float:
    """Whole-tumour diameter in mm."""
    low, high = 40.0 - 18.0 * difficulty, 74.0 - 16.0 * difficulty
    return uniform(random, low, high)


def _core_shares(random: torch.Generator, grade: str | None) -> tuple[str, float, float]:
    """Grade (drawn where None), enhancement and necrosis of a glioma; the same random numbers for both grades."""
    high = (uniform(random, 0, 1) < 0.5) if grade is None else grade == "high"
    unusual, dead, living = (uniform(random, 0, 1) for _ in range(3))
    if not high:
        return "low", (0.02 + 0.10 * living if unusual < 0.2 else 0.0), 0.0
    if unusual < 0.04:
        return "high", 0.05 + 0.10 * living, 0.02
    return "high", 0.7 + 0.3 * living, 0.05 + 0.55 * dead


def _matched(
    kind: str, grade: str | None, random: torch.Generator, seed: int, difficulty: float, *, alone: bool = False
) -> Pathology:
    """A disease whose volume, oedema, mass effect, margin and site do not depend on its kind.

    Args:
        kind: "healthy", "glioma", "metastasis" or "meningioma".
        grade: Of a glioma; None draws it.
        random: The subject's stream.
        seed: The subject's seed.
        difficulty: See `draw_disease`.
        alone: The margin is always sharp, so that a glioma has the oedema that a metastasis has.
    """
    diameter = _diameter(random, difficulty)
    oedema, mass_effect = uniform(random, 0.2, 0.6), uniform(random, 0.15, 0.40)
    diffuse = uniform(random, 0, 1) < 0.5
    grade, enhancement, necrosis = _core_shares(random, grade)
    core_mm = diameter * (1 - oedema) ** (1 / 3)
    if kind == "metastasis":
        return metastases(count=1, diameter_mm=core_mm, oedema=oedema / (1 - oedema), site=draw_site(seed, "glioma"),
                          necrosis=0.05 + 0.55 * uniform(random, 0, 1), mass_effect=mass_effect)  # fmt: skip
    if kind == "meningioma":
        return meningioma(diameter_mm=core_mm, oedema=oedema / (1 - oedema), mass_effect=mass_effect)
    tumour = glioma(grade=grade, diameter_mm=diameter, enhancement=enhancement, necrosis=necrosis, oedema=oedema,
                    mass_effect=mass_effect, margin="diffuse" if diffuse and not alone else "sharp")  # fmt: skip
    return healthy(displaced_by=tumour) if kind == "healthy" else tumour


def _clinical(
    kind: str, grade: str | None, random: torch.Generator, seed: int, difficulty: float, *, alone: bool = False
) -> Pathology:
    """A disease as in the clinic: see `CORRELATED`. Arguments as in `_matched`."""
    if kind == "healthy":
        return healthy()
    if kind == "metastasis":
        count = 1 + int(6 * uniform(random, 0, 1) ** 1.5)
        return metastases(count=count, diameter_mm=uniform(random, 14.0, 34.0) * (1.1 - 0.4 * difficulty))
    if kind == "meningioma":
        return meningioma(diameter_mm=uniform(random, 20.0, 52.0) * (1.1 - 0.3 * difficulty))
    diameter = _diameter(random, difficulty)
    grade, enhancement, necrosis = _core_shares(random, grade)
    oedema = uniform(random, 0.35, 0.7) if grade == "high" else uniform(random, 0.1, 0.45)
    return glioma(grade=grade, diameter_mm=diameter, enhancement=enhancement, necrosis=necrosis, oedema=oedema)
