"""Checks of notebook 00: from a voxel to millimetres, from a mask to millilitres."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function

# Array indices (d, h, w) to x, y, z in mm: voxels of 1.5 × 1 × 2 mm, the head upright.
_STRAIGHT = np.array([[0, 0, 2.0, -90], [0, 1.0, 0, -120], [1.5, 0, 0, -70], [0, 0, 0, 1]])


def _tilted(seed: int) -> np.ndarray:
    """A head turned in space: a true rotation, so that voxels stay boxes; one axis may run backwards."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn * rng.uniform(0.6, 4.0, size=3)
    affine[:3, 3] = rng.uniform(-120, 120, size=3)
    return affine.round(4)


def _world(affine: np.ndarray, index: Sequence[int]) -> np.ndarray:
    return affine[:3, :3] @ np.asarray(index, dtype=float) + affine[:3, 3]


@exercise("00-millimetres", title="Exercise 00.1, from a voxel to millimetres")
def check_millimetres(voxel_to_mm: Callable[[np.ndarray, Sequence[int]], np.ndarray]) -> Result:
    """The learner's conversion for a straight and a tilted head."""
    try:
        voxel_to_mm(_STRAIGHT, (10, 20, 30))
    except ValueError as error:
        if "matmul" not in str(error) and "not aligned" not in str(error):
            raise
        raise NotYet("The affine has four columns, the index three numbers: they cannot be multiplied.",
                     "Put a 1 behind the index: np.array([d, h, w, 1.0]).") from None
    return compare_function(
        voxel_to_mm,
        reference=_world,
        cases=[(_STRAIGHT, (10, 20, 30)), (_STRAIGHT, (0, 0, 0)), (_tilted(1), (7, 50, 41)), (_tilted(2), (3, 0, 5))],
        mistakes=[
            Mistake(lambda a, i: a[:3, :3] @ np.asarray(i, dtype=float),
                    "the last column is missing: where voxel (0, 0, 0) lies",
                    "Put a 1 behind the index, so that the last column of the affine is added."),
            Mistake(lambda a, i: _world(a, i[::-1]), "the index is turned round to (w, h, d)",
                    "This affine takes the index as it is, (d, h, w); its rows do the turning."),
            Mistake(lambda a, i: _world(a, i)[::-1], "the result is turned round to (z, y, x)",
                    "The affine gives x, y, z in this order; leave it."),
            Mistake(lambda a, i: a @ np.array([*i, 1.0]), "the 1 at the end came along",
                    "x, y and z are the first three numbers: [:3]."),
            Mistake(lambda a, i: (np.array([*i, 1.0]) @ a)[:3], "you multiplied from the wrong side",
                    "The matrix stands on the left: affine @ vector."),
            Mistake(lambda a, i: _world(a, i).round(), "the place is rounded; it need not be a whole number",
                    "Return x, y and z as they come out."),
            Mistake(lambda a, i: (np.linalg.inv(a) @ np.array([*i, 1.0]))[:3],
                    "that is the way back, from millimetres to a voxel", "No inverse is needed: affine @ vector."),
            Mistake(lambda a, i: a[:3, :3] @ np.asarray(i, dtype=float) - a[:3, 3],
                    "the last column is taken away; it should be added",
                    "Put a 1 behind the index, and the matrix product adds it."),
            Mistake(lambda a, i: np.asarray(i, dtype=float) * np.linalg.norm(a[:3, :3], axis=0),
                    "voxel sizes alone: that is a distance from the corner, not a place in the head",
                    "The affine also knows where the corner lies and which way each axis runs."),
        ],
        what="the place",
        praise="The same place in every viewer in the world.",
        hint="np.array([d, h, w, 1.0]), then affine @ that, then the first three numbers.",
    )


def _voxel_mm3(affine: np.ndarray) -> float:
    return float(abs(np.linalg.det(affine[:3, :3])))


def _cases() -> list[tuple[Tensor, np.ndarray]]:
    mask = torch.zeros(1, 8, 9, 10, dtype=torch.uint8)
    mask[0, 2:6, 2:7, 3:8] = 2  # oedema
    mask[0, 3:5, 3:6, 4:7] = 4  # enhancing tumour
    mask[0, 4, 4, 5] = 1  # necrosis
    lesion = torch.zeros(1, 6, 6, 6, dtype=torch.uint8)
    lesion[0, 1:4, 2:5, 1:5] = 1
    scattered = (np.random.default_rng(0).random((1, 5, 7, 6)) < 0.3) * np.array([0, 1, 2, 4, 3, 1])  # all labels
    return [(mask, _STRAIGHT), (lesion, _tilted(1)), (torch.as_tensor(scattered), _tilted(2)),
            (torch.zeros_like(lesion), _tilted(3))]  # fmt: skip


@exercise("00-volume", title="Exercise 00.2, the size of the tumour")
def check_volume(tumour_ml: Callable[[Tensor, np.ndarray], float]) -> Result:
    """The learner's volume for a mask with three labels and one with a single label."""
    return compare_function(
        tumour_ml,
        reference=lambda mask, affine: int((mask > 0).sum()) * _voxel_mm3(affine) / 1000,
        cases=_cases(),
        mistakes=[
            Mistake(lambda m, a: int(m.sum()) * _voxel_mm3(a) / 1000,
                    "you added up the labels, so that a voxel with label 4 counts four times",
                    "Count voxels: (mask > 0).sum()."),
            Mistake(lambda m, a: int((m > 0).sum()) * _voxel_mm3(a), "that is cubic millimetres",
                    "1 millilitre is 1000 cubic millimetres."),
            Mistake(lambda m, a: int((m > 0).sum()) * _voxel_mm3(a) / 1e6, "that is litres",
                    "1 millilitre is 1000 cubic millimetres."),
            Mistake(lambda m, a: int((m > 0).sum()), "that is a number of voxels",
                    "Each voxel has a size: voxel_mm3(affine)."),
            Mistake(lambda m, a: int((m > 0).sum()) / 1000, "every voxel counts as 1 mm³",
                    "Multiply by voxel_mm3(affine)."),
            Mistake(lambda m, a: int((m > 0).sum()) * _voxel_mm3(a) * 1000, "you multiplied by 1000; divide",
                    "1000 cubic millimetres are 1 millilitre."),
            Mistake(lambda m, a: int((m > 0).sum()) * float(a[0, 0] * a[1, 1] * a[2, 2]) / 1000,
                    "the numbers on the diagonal are not the size of a voxel: in this affine the axes are turned",
                    "voxel_mm3(affine) does it for any affine."),
            Mistake(lambda m, a: int((m > 0).sum()) * float(np.linalg.det(a[:3, :3])) / 1000,
                    "a volume cannot be negative: the determinant has a sign", "voxel_mm3(affine) takes it away."),
            Mistake(lambda m, a: int((m > 1).sum()) * _voxel_mm3(a) / 1000, "label 1 is not counted",
                    "Every label above 0 is tumour: mask > 0."),
            Mistake(lambda m, a: int((m == 1).sum()) * _voxel_mm3(a) / 1000, "only label 1 is counted",
                    "Every label above 0 is tumour: mask > 0."),
            Mistake(lambda m, a: int((m == 0).sum()) * _voxel_mm3(a) / 1000, "that is everything but the tumour",
                    "Label 0 is background: mask > 0."),
            Mistake(lambda m, a: sum(m.unique().tolist()) * _voxel_mm3(a) / 1000,
                    "you added up the labels that occur, each once", "Count voxels: (mask > 0).sum()."),
            Mistake(lambda m, a: int((m == 4).sum()) * _voxel_mm3(a) / 1000, "only label 4 is counted",
                    "Every label above 0 is tumour: mask > 0."),
            Mistake(lambda m, a: round(int((m > 0).sum()) * _voxel_mm3(a) / 1000), "the volume is rounded",
                    "Return it as it comes out."),
            Mistake(lambda m, a: int((m > 0).sum()) * float(a[:3, :3].sum()) / 1000,
                    "the sum of the affine's numbers is not the size of a voxel",
                    "voxel_mm3(affine) does it for any affine."),
            Mistake(lambda m, a: m.numel() * _voxel_mm3(a) / 1000, "that is the volume of the whole picture",
                    "Count only where the mask is above 0."),
        ],
        what="the volume",
        praise="Voxels counted, millilitres out.",
        hint="Number of voxels above 0, times the size of one, divided by 1000.",
    )
