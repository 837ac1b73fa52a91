"""Checks of notebook 12: voxel sizes from an affine, who is tested, and which factors survive a correction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.compare_values import marks_of
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.exercises.nb12_holm import check_holm
from medattn_lite.course.sets import in_another_order
from medattn_lite.course.stubs import is_stub


@exercise("12-sizes", title="Exercise 12.1, voxel sizes from an affine")
def check_sizes(sizes: Callable[[Any], Any]) -> Result:
    """An affine (4, 4) to the three voxel sizes in mm."""
    squares = lambda a: (a[:3, :3] ** 2).sum(0)  # noqa: E731
    return compare_function(
        sizes,
        reference=voxel_sizes,
        cases=[(_affine((1, 2, 3), 0.0),), (_affine((0.9, 0.9, 5), 0.4),), (_turned(_affine((3, 1, 2), 0.2)),),
               (_oblique(1),), (_oblique(2),)],
        mistakes=[
            Mistake(lambda a: np.diag(a)[:3], "you took the diagonal: a turned scan has its sizes elsewhere", COLUMN),
            Mistake(lambda a: abs(np.diag(a)[:3]), "you took the diagonal without its sign: a turned scan has its "
                    "sizes elsewhere", COLUMN),
            Mistake(lambda a: np.sqrt((a[:3, :3] ** 2).sum(1)), "those are the lengths of the rows: millimetres along "
                    "the axes of the body, not of the file", COLUMN),
            Mistake(squares, "the root is missing: those are squares", COLUMN),
            Mistake(lambda a: abs(a[:3, :3]).sum(0), "you added the parts of a step; its length is the root of the sum "
                    "of squares", COLUMN),
            Mistake(lambda a: abs(a[:3, :3]).max(0), "that is the largest part of each step, too short for an oblique "
                    "scan", COLUMN),
            Mistake(lambda a: np.sqrt((a**2).sum(0)), "there are four lengths: the last column is where the first "
                    "voxel lies", "`affine[:3, :3]`."),
            Mistake(lambda a: np.prod(voxel_sizes(a)), "that is the volume of a voxel; its three sizes were asked for",
                    COLUMN),
            Mistake(lambda a: abs(np.linalg.det(a[:3, :3])), "that is the volume of a voxel; its three sizes were "
                    "asked for", COLUMN),
            Mistake(lambda a: abs(np.linalg.eigvals(a[:3, :3])), "those are eigenvalues, which a rotation changes",
                    COLUMN),
            Mistake(lambda a: np.linalg.svd(a[:3, :3])[1], "those are singular values: the right sizes, but sorted, "
                    "not in the order of the axes", COLUMN),
            Mistake(lambda a: np.sort(voxel_sizes(a)), "the sizes are sorted; keep the order of the file's axes",
                    COLUMN),
            Mistake(lambda a: voxel_sizes(a)[::-1], "the sizes are turned round; keep the order of the file's axes",
                    COLUMN),
            Mistake(lambda a: voxel_sizes(a) * 1000, "those are micrometres; millimetres were asked for", COLUMN),
            Mistake(lambda a: voxel_sizes(a).round(), "the sizes are rounded", "Return them as they come out."),
            Mistake(lambda a: np.full(3, np.cbrt(np.prod(voxel_sizes(a)))), "one size for all three axes: voxels are "
                    "rarely cubes", COLUMN),
            Mistake(lambda a: a[:3, :3].sum(0), "you added the parts of a step; its length is the root of the sum of "
                    "squares", COLUMN),
            Mistake(lambda a: np.sqrt((a[:3] ** 2).sum(0)), "the last column is not a size: it is where the first "
                    "voxel lies", COLUMN),
        ],
        what="your row of sizes",
        praise="Right for scans that are turned, mirrored and oblique.",
        hint=COLUMN,
    )  # fmt: skip


COLUMN = "One step along a file's axis moves you by that axis' column. Its length: the root of the sum of squares."


def voxel_sizes(affine: Any) -> Any:
    """An affine (4, 4) to three lengths in mm."""
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))


def _affine(size: Sequence[float], angle: float) -> np.ndarray:
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ np.diag(size), (-90.0, 110.0, -70.0)
    return affine


def _oblique(seed: int) -> np.ndarray:
    """A scan that lies any way in space: three sizes, and no number of the affine is one of them."""
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.4, 6.0, size=3)
    affine[:3, 3] = rng.uniform(-150, 150, size=3)
    return affine.round(5)


def _turned(affine: np.ndarray) -> np.ndarray:
    """The same scan with its axes in another order, the first of them backwards, as scanners do."""
    return affine @ np.array([[0, 0, -1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])


@exercise("12-split", title="Exercise 12.2, who is tested")
def check_split(tested: Callable[[Sequence[str], int], Any]) -> Result:
    """Patients of N scans and how many patients to test, to N times True or False."""
    visits = ["b", "b", "a", "c", "a", "b", "d"]
    rng = np.random.default_rng(12)
    many = [f"p{number:02d}" for number in rng.integers(0, 14, 40)]
    if isinstance(tested, FunctionType) and not is_stub(tested):
        _does_not_hang_on_a_set(tested, many)
    return compare_function(
        tested,
        reference=tested_scans,
        cases=[(visits, 2), (["m", "k", "m", "k", "l"], 1), (["x", "y", "z"], 1), (["q"], 1), (many, 5), (visits, 0),
               (["s10", "s9", "s10", "s1"], 2)],
        mistakes=[
            Mistake(lambda s, n: [p in sorted(set(s))[-n:] for p in s], "those are the last n of the alphabet",
                    "`sorted(set(subjects))[:n]`"),
            Mistake(lambda s, n: [p in sorted(set(s))[: n + 1] for p in s], "one patient too many is tested",
                    "`[:n]` gives n of them."),
            Mistake(lambda s, n: [p in sorted(set(s))[: n - 1] for p in s], "one patient too few is tested",
                    "`[:n]` gives n of them."),
            Mistake(lambda s, n: [p == sorted(set(s))[n - 1] for p in s], "only one patient is tested, the nth",
                    "`in sorted(set(subjects))[:n]`"),
            Mistake(lambda s, n: [p in sorted(set(s))[1 : n + 1] for p in s], "the first patient of the alphabet is "
                    "left out", "`[:n]` begins at the first."),
            Mistake(lambda s, n: sorted(set(s))[:n], "those are the patients; one True or False for each scan was "
                    "asked for", "`[subject in chosen for subject in subjects]`"),
            Mistake(lambda s, n: [i for i, p in enumerate(s) if p in sorted(set(s))[:n]], "those are the places of the "
                    "tested scans; one True or False for each scan was asked for",
                    "`[subject in chosen for subject in subjects]`"),
            Mistake(lambda s, n: [p for p in s if p in sorted(set(s))[:n]], "those are the tested scans' patients; one "
                    "True or False for each scan was asked for", "`[subject in chosen for subject in subjects]`"),
            Mistake(lambda s, n: [int(p in sorted(set(s))[:n]) for p in s], "the marks are numbers 1 and 0, and True "
                    "and False were asked for (as an index, numbers are places)",
                    "`subject in chosen` is True or False by itself."),
            Mistake(lambda s, n: [p in [q for q in sorted(set(s)) if s.count(q) > 1][:n] for p in s], "you chose among "
                    "patients with several visits only", PATIENTS),
            Mistake(lambda s, n: [p in sorted(set(s), key=s.count)[:n] for p in s], "you chose patients by how many "
                    "scans they have; take them in the order of the alphabet", PATIENTS),
            Mistake(lambda s, n: [p in sorted(set(s), key=lambda q: (len(q), q))[:n] for p in s], "you sorted by "
                    "length first; the alphabet puts s10 before s9", "`sorted(set(subjects))`."),
            Mistake(lambda s, n: [i < n for i in range(len(s))], "you counted scans: the first n rows, whoever they "
                    "are. One patient can be on both sides", PATIENTS),
            Mistake(lambda s, n: [i >= len(s) - n for i in range(len(s))], "you counted scans: the last n rows, "
                    "whoever they are. One patient can be on both sides", PATIENTS),
            Mistake(lambda s, n: [s.index(p) == i and p in sorted(set(s))[:n] for i, p in enumerate(s)],
                    "only one scan of each tested patient is tested; the others are trained on: a leak", PATIENTS),
            Mistake(lambda s, n: [p in sorted(s)[:n] for p in s], "you sorted the scans, not the patients: two of the "
                    "first n can be one person", "`sorted(set(subjects))` has every patient once."),
            Mistake(lambda s, n: [p in list(dict.fromkeys(s))[:n] for p in s], "you took patients in the order of the "
                    "table, which sites and dates decide; take them in the order of the alphabet here",
                    "`sorted(set(subjects))`."),
            Mistake(lambda s, n: [p not in sorted(set(s))[:n] for p in s], "you marked those to train on",
                    "True means tested."),
        ],
        what="your marks",
        praise="All scans of a patient are on one side.",
        hint=PATIENTS,
    )  # fmt: skip


def _does_not_hang_on_a_set(tested: Callable[..., Any], subjects: list[str]) -> None:
    """The same call twice, with sets in another order, as Python has them after another start."""
    marks = []
    for salt in ("one", "two"):
        with in_another_order(tested, salt):
            marks.append(marks_of(tested(list(subjects), 5)))
    if None not in marks and marks[0] != marks[1]:
        raise NotYet("Your choice depends on the order of a `set`, and Python orders the texts in a set anew at each "
                     "start: tomorrow other patients would be tested.",
                     "`sorted(set(subjects))` has one order for ever.")


PATIENTS = "First choose patients, from `sorted(set(subjects))`. Then ask of every scan whether its patient is chosen."


def tested_scans(subjects: Sequence[str], n: int) -> list[bool]:
    """Which scans belong to the first n patients of the alphabet."""
    chosen = sorted(set(subjects))[:n]
    return [subject in chosen for subject in subjects]


__all__ = ["check_holm", "check_sizes", "check_split", "tested_scans", "voxel_sizes"]
