"""Checks of notebook 12: voxel sizes from an affine, and which scans are tested when patients are split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function


@exercise("12-sizes", title="Exercise 12.1, voxel sizes from an affine")
def check_sizes(sizes: Callable[[Any], Any]) -> Result:
    """An affine (4, 4) to the three voxel sizes in mm."""
    squares = lambda a: (a[:3, :3] ** 2).sum(0)  # noqa: E731
    return compare_function(
        sizes,
        reference=voxel_sizes,
        cases=[(_affine((1, 2, 3), 0.0),), (_affine((0.9, 0.9, 5), 0.4),), (_turned(_affine((3, 1, 2), 0.2)),)],
        mistakes=[
            Mistake(lambda a: np.diag(a)[:3], "you took the diagonal: a turned scan has its sizes elsewhere", COLUMN),
            Mistake(lambda a: abs(np.diag(a)[:3]), "you took the diagonal without its sign: a turned scan has its "
                    "sizes elsewhere", COLUMN),
            Mistake(lambda a: np.sqrt((a[:3, :3] ** 2).sum(1)), "those are the lengths of the rows: millimetres along "
                    "the axes of the room, not of the file", COLUMN),
            Mistake(squares, "the root is missing: those are squares", COLUMN),
            Mistake(lambda a: abs(a[:3, :3]).sum(0), "you added the parts of a step; its length is the root of the sum "
                    "of squares", COLUMN),
            Mistake(lambda a: abs(a[:3, :3]).max(0), "that is the largest part of each step, too short for an oblique "
                    "scan", COLUMN),
            Mistake(lambda a: np.sqrt((a[:3] ** 2).sum(0)), "the last column is no size: it is where the first voxel "
                    "lies", COLUMN),
        ],
        what="your sizes",
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


def _turned(affine: np.ndarray) -> np.ndarray:
    """The same scan with its axes in another order, the first of them backwards, as scanners do."""
    return affine @ np.array([[0, 0, -1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])


@exercise("12-split", title="Exercise 12.2, who is tested")
def check_split(tested: Callable[[Sequence[str], int], Any]) -> Result:
    """Patients of N scans and how many patients to test, to N times True or False."""
    visits = ["b", "b", "a", "c", "a", "b", "d"]
    return compare_function(
        tested,
        reference=tested_scans,
        cases=[(visits, 2), (["m", "k", "m", "k", "l"], 1), (["x", "y", "z"], 1)],
        mistakes=[
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


PATIENTS = "First choose patients, from `sorted(set(subjects))`. Then ask of every scan whether its patient is chosen."


def tested_scans(subjects: Sequence[str], n: int) -> list[bool]:
    """Which scans belong to the first n patients of the alphabet."""
    chosen = sorted(set(subjects))[:n]
    return [subject in chosen for subject in subjects]
