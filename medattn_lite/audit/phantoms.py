"""The audit of the phantom cohort: what is declared as the signal of each task, and one table over all tasks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medattn_lite.audit.measuring import SURVIVAL, measure
from medattn_lite.audit.run import EVERY_GROUP, REPEATS, Audit, audit_measured

if TYPE_CHECKING:
    from medattn_lite.data.phantom import PhantomCohort

SHAPE = (48, 56, 48)  # 3.7 mm: a head is rendered and measured in a fraction of a second

# facts that the audit computes from the mask, and the declared facts that they follow from
FOLLOWS = {
    "lesion volume (mL)": {"whole_ml"},
    "lesion count": {"count", "load_ml", "whole_ml"},
    "lesion compactness": {"roundness", "load_ml", "whole_ml"},
    "lesion elongation": {"roundness", "load_ml", "whole_ml"},
    **dict.fromkeys(("lesion site, height", "lesion site, back to front", "lesion site, side",
                     "lesion site, from the middle"), {"site", "load_ml"}),  # of many lesions: near the middle
    "lesion share of mask label 1": {"label1_ml"},
    "lesion share of mask label 2": {"label2_ml"},
    "lesion share of mask label 4": {"label4_ml"},
}

# declared facts that show outside the signal map: atrophy everywhere, mass effect around the tumour
SHOWN_OUTSIDE = ("age_years", "shift_mm")


def given_of(cohort: PhantomCohort) -> tuple[str, ...]:
    """Lists the declared facts that tissue outside the signal shows too; others are adjusted for them."""
    return tuple(name for name in SHOWN_OUTSIDE if name in cohort.declared)


def declared_of(cohort: PhantomCohort) -> tuple[str, ...]:
    """Lists the facts that are the signal of a cohort's task, in `meta` and among those that the audit computes."""
    declared = set(cohort.declared)
    return tuple(sorted(declared | {name for name, parents in FOLLOWS.items() if parents & declared}))


def audit_phantom(
    cohort: PhantomCohort, *, repeats: int = REPEATS, groups: Sequence[str] = EVERY_GROUP, seed: int = 0,
    progress: bool = True,
) -> Audit:  # fmt: skip
    """Audits a phantom cohort, with its declared signal listed apart.

    Declared facts that show outside the signal too (`given_of`) are taken as given.

    Args:
        cohort: 3-D or 2-D.
        repeats: on shuffled labels.
        groups: of statistics that models are asked about.
        seed: of folds, dealing and intervals; the subjects have the cohort's own.
        progress: show bars.
    """
    label = SURVIVAL if cohort.task == "survival" else cohort.task
    measured = measure(cohort, label=label, progress=progress)
    for row in measured.rows:  # the mask's own figures say the same as the phantom's
        for name in ("lesion volume (mL)", *(f"lesion share of mask label {value}" for value in (1, 2, 4))):
            if FOLLOWS[name] <= set(row.facts):
                row.facts.pop(name, None)
    return audit_measured(measured, declared=declared_of(cohort), given=given_of(cohort), repeats=repeats,
                          groups=groups, seed=seed, progress=progress)


def audit_all(
    *, n: int = 300, tasks: Sequence[str] | None = None, shape: tuple[int, ...] = SHAPE, repeats: int = REPEATS,
    groups: Sequence[str] = EVERY_GROUP, seed: int = 0, progress: bool = True,
) -> tuple[dict[str, Audit], dict[str, float]]:  # fmt: skip
    """Audits every phantom task.

    Args:
        n: subjects of each task.
        tasks: some of them; all if None.
        shape: `(D, H, W)`.
        repeats: on shuffled labels.
        groups: of statistics that models are asked about.
        seed: of the cohorts and of the analysis.
        progress: show bars.

    Returns:
        Task → audit, and task → seconds of processor time.
    """
    from medattn_lite.data.phantom import TASKS, PhantomCohort

    audits, seconds = {}, {}
    for task in tasks or TASKS:
        start = time.process_time()
        cohort = PhantomCohort(n, task=task, shape=shape, seed=seed)
        audits[task] = audit_phantom(cohort, repeats=repeats, groups=groups, seed=seed, progress=progress)
        seconds[task] = time.process_time() - start
    return audits, seconds
