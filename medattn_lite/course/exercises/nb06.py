"""Checks of notebook 06: what attention over voxels and slices costs, paths of three steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.exercises.nb06_examine import SLICE_BLOCKS, check_examine, findings_of, slice_attention

Pair = tuple[float, float]


@exercise("06-cost", title="Exercise 06.1, count the multiplications")
def check_cost(multiplications: Callable[..., Pair]) -> Result:
    """(C, D, H, W) to the multiplications of both products: (non-local, RSA)."""
    return compare_function(
        multiplications,
        reference=lambda c, d, h, w: (2 * c * (d * h * w) ** 2, 2 * c * d * h * w * (d + h + w)),
        cases=[(2, 3, 4, 5), (16, 3, 16, 20), (1, 2, 2, 7), (3, 9, 4, 1)],
        mistakes=[
            Mistake(lambda c, d, h, w: _turned(_right(c, d, h, w)), "your two numbers have changed places",
                    "Non-local first, RSA second."),
            Mistake(lambda c, d, h, w: _halves(_right(c, d, h, w)),
                    "you counted one of the two products: queries × keys, and then weights × values",
                    "Both products take the same number of multiplications."),
            Mistake(lambda c, d, h, w: (_right(c, d, h, w)[0], _right(c, d, h, w)[1] / 2),
                    "RSA has two products in each direction as well: you counted one of them"),
            Mistake(lambda c, d, h, w: (_right(c, d, h, w)[0] / 2, _right(c, d, h, w)[1]),
                    "non-local has two products as well: you counted one of them"),
            Mistake(lambda c, d, h, w: sum(_right(c, d, h, w)), "your function should return two numbers, non-local "
                    "first, not their sum", "`return non_local, rsa`"),
            Mistake(lambda c, d, h, w: _right(c, d, h, w)[0], "your function should return two numbers; one is missing",
                    "`return non_local, rsa`"),
            Mistake(lambda c, d, h, w: _right(c, d, h, w)[0] / _right(c, d, h, w)[1],
                    "that is their ratio; your function should return two numbers", "`return non_local, rsa`"),
            Mistake(lambda c, d, h, w: tuple(2 * each for each in _right(c, d, h, w)),
                    "you counted the additions as well (2 operations for each product): multiplications were asked for",
                    "a·b·c for (a, b) times (b, c)."),
            Mistake(lambda c, d, h, w: (_right(c, d, h, w)[0], 2 * c * (d * d + h * h + w * w) * (d * h * w)),
                    "in one direction of RSA, S² weights take C·N/S multiplications each, not C·N", "That is C·N·S."),
            Mistake(lambda c, d, h, w: (_right(c, d, h, w)[0], _right(c, d, h, w)[1] / 3),
                    "you took the mean over the three directions of RSA; they add up", "D + H + W."),
            Mistake(lambda c, d, h, w: (2 * c * (d * h * w) ** 2, 2 * c * d * h * w * (h + w)),
                    "you counted two directions of RSA; there are three", "D + H + W."),
            Mistake(lambda c, d, h, w: (2 * c * (h * w) ** 2, 2 * c * h * w * (d + h + w)),
                    "the depth is missing from the number of voxels", "N = D·H·W."),
            Mistake(lambda c, d, h, w: (2 * c * d * h * w, 2 * c * d * h * w * (d + h + w)),
                    "non-local has a weight for each PAIR of voxels: one factor N is missing", "(N, C) by (C, N)."),
            Mistake(lambda c, d, h, w: ((d * h * w) ** 2, d * d + h * h + w * w),
                    "that is the number of weights; each of them is the sum of many products",
                    "A weight of non-local takes C multiplications, one of RSA takes all numbers of a slice."),
            Mistake(lambda c, d, h, w: (2 * c * (d * h * w) ** 2, 2 * c * (d * d + h * h + w * w)),
                    "RSA's rows are longer than C: a slice has C numbers for each of its voxels",
                    "An axial slice is a row of C·H·W numbers."),
            Mistake(lambda c, d, h, w: (2 * (d * h * w) ** 2, 2 * d * h * w * (d + h + w)),
                    "the channels are missing: every voxel has C numbers", "Both counts grow with C."),
            Mistake(lambda c, d, h, w: (2 * c * (d * h * w) ** 2, 2 * c * d * h * w * d),
                    "you counted one direction of RSA; there are three", "D + H + W."),
            Mistake(lambda c, d, h, w: (2 * c * (d * h * w) ** 2, 2 * c * d * h * w * d * h * w),
                    "you multiplied the three directions; they come one after another, so they add up",
                    "D + H + W."),
            Mistake(lambda c, d, h, w: (2 * c * d * h * w, 2 * c * (d + h + w)),
                    "one factor N is missing: there is a weight for each PAIR", "How many rows has each matrix?"),
            Mistake(lambda c, d, h, w: (2 * c * c * (d * h * w) ** 2, 2 * c * c * d * h * w * (d + h + w)),
                    "C occurs once in each product; C² would be a convolution of size 1",
                    "Queries times keys sums over the channels once."),
        ],
        what="your pair",
        praise="And their ratio, N / (D + H + W), has no C in it.",
        hint="(a, b) times (b, c) takes a·b·c multiplications.",
    )  # fmt: skip


def _right(c: int, d: int, h: int, w: int) -> Pair:
    return 2 * c * (d * h * w) ** 2, 2 * c * d * h * w * (d + h + w)


def _turned(pair: Pair) -> Pair:
    return pair[1], pair[0]


def _halves(pair: Pair) -> Pair:
    return pair[0] / 2, pair[1] / 2


@exercise("06-three-steps", title="Exercise 06.2, three steps")
def check_three_steps(three_steps: Callable[..., Tensor]) -> Result:
    """Three slice×slice matrices and a voxel to what it looks at by three steps, (D, H, W)."""
    return compare_function(
        three_steps,
        reference=by_three_steps,
        cases=[_case(0, (2, 3, 4), (1, 2, 0)), _case(1, (4, 4, 4), (0, 3, 2)), _case(2, (3, 2, 5), (2, 0, 4)),
               _case(3, (5, 5, 5), (1, 1, 1))],
        mistakes=[
            Mistake(lambda c, s, a, v: _outer(a[:, v[0]], c[:, v[1]], s[:, v[2]]),
                    "you took columns: who looks at the voxel, not what it looks at",
                    "Row k of a matrix is what slice k looks at: `axial[d]`."),
            Mistake(lambda c, s, a, v: (a[v[0]][:, None, None] + c[v[1]][None, :, None] + s[v[2]][None, None, :]),
                    "you added the three rows; along a path weights multiply",
                    "A path that loses half at each of three steps keeps an eighth."),
            Mistake(lambda c, s, a, v: (a[v[0]][:, None, None] + c[v[1]][None, :, None] + s[v[2]][None, None, :]) / 3,
                    "you took the mean of the three rows; along a path weights multiply"),
            Mistake(lambda c, s, a, v: _outer(c[v[0]], s[v[1]], a[v[2]]),
                    "the matrices have changed places: coronal belongs to h, sagittal to w, axial to d",
                    "Axial slices are counted along D."),
            Mistake(lambda c, s, a, v: _outer(a[v[0]], s[v[1]], c[v[2]]),
                    "coronal and sagittal have changed places: coronal slices are counted along H"),
            Mistake(lambda c, s, a, v: torch.einsum("h,w,d->hwd", c[v[1]], s[v[2]], a[v[0]]),
                    "the numbers are right, but the axes come in the order H, W, D", "The volume is (D, H, W)."),
            Mistake(lambda c, s, a, v: _outer(a.diagonal(), c.diagonal(), s.diagonal()),
                    "you took the diagonals: how much each slice looks at itself"),
            Mistake(lambda c, s, a, v: _outer(a.mean(0), c.mean(0), s.mean(0)),
                    "you took the mean row: that is what all voxels look at, not this one"),
            Mistake(lambda c, s, a, v: by_three_steps(c, s, a, v) / by_three_steps(c, s, a, v).max(),
                    "you divided by the largest value; the volume should sum to 1, and does so of itself"),
            Mistake(lambda c, s, a, v: by_three_steps(c, s, a, v).softmax(0),
                    "there is a softmax too many: the rows are weights already"),
            Mistake(lambda c, s, a, v: _outer(a[v[0]], c[0], s[0]), "rows 0 of two matrices: the voxel's own row is "
                    "wanted in each", "`axial[d]`, `coronal[h]`, `sagittal[w]`."),
            Mistake(lambda c, s, a, v: _outer(a[v[0]], c[v[1]], s[v[2]].flip(0)), "the sagittal row is turned round"),
            Mistake(lambda c, s, a, v: a[v[0]][:, None, None] * c[v[1]][None, :, None] + s[v[2]][None, None, :],
                    "you added the last row; along a path weights multiply"),
            Mistake(lambda c, s, a, v: by_three_steps(c, s, a, v) ** (1 / 3), "you took the cube root: the weight of a "
                    "path is the product itself"),
            Mistake(lambda c, s, a, v: torch.minimum(torch.minimum(a[v[0]][:, None, None], c[v[1]][None, :, None]),
                                                     s[v[2]][None, None, :]),
                    "you took the smallest of the three weights; along a path they multiply"),
            Mistake(lambda c, s, a, v: by_three_steps(c, s, a, v)[v],
                    "that is one number, how much the voxel looks at itself; the whole volume is asked for"),
        ],
        what="your volume",
        praise="RSA's weights are a times table: three rows, and nothing else.",
        hint="One row of each matrix, then a product over three axes.",
    )


def _case(seed: int, size: tuple[int, int, int], voxel: tuple[int, int, int]) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(seed)
    axial, coronal, sagittal = (torch.rand(n, n, generator=generator).softmax(-1) for n in size)
    return coronal, sagittal, axial, voxel


def _outer(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return a[:, None, None] * b[None, :, None] * c[None, None, :]


def by_three_steps(coronal: Tensor, sagittal: Tensor, axial: Tensor, voxel: tuple[int, int, int]) -> Tensor:
    """(H, H), (W, W), (D, D) and (d, h, w) to (D, H, W): the product of the voxel's three rows."""
    d, h, w = voxel
    return _outer(axial[d], coronal[h], sagittal[w])


__all__ = ["SLICE_BLOCKS", "by_three_steps", "check_cost", "check_examine", "check_three_steps", "findings_of",
           "slice_attention"]
