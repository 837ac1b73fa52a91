"""Check of notebook 09: a fair score for a plane."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function

FAIR_HINT = "In each slice with signal: (mass on the signal / mass in the head) ÷ (signal voxels / head voxels)."


@exercise("09-planes", title="Exercise 09.3, a fair score for a plane")
def check_planes(score: Callable[[Tensor, Tensor, Tensor, int], float]) -> Result:
    """A map, the signal, the head and an axis to the mean over slices of mass over chance."""
    generator = torch.Generator().manual_seed(9)
    cases = []
    for axis in (0, 1, 2):
        values = torch.randn(5, 6, 7, generator=generator)
        head = torch.zeros(5, 6, 7, dtype=torch.bool)
        head[1:, 1:5, :6] = torch.rand(4, 4, 6, generator=generator) > 0.3
        signal = torch.zeros_like(head)
        signal[2:4, 2:4, 1:4] = True
        signal &= head
        cases.append((values, signal, head, axis))
    silent = cases[0][0].clone()
    silent[2] = -1.0
    cases.append((silent, cases[0][1], cases[0][2], 0))
    whole = torch.ones(2, 2, 2, dtype=torch.bool)
    spot = torch.zeros_like(whole)
    spot[0, 0, 0] = True
    small = torch.tensor([[[3.0, 1.0], [-1.0, 2.0]], [[5.0, 0.0], [1.0, 1.0]]])
    cases = [(small, spot, whole, axis) for axis in (0, 2)] + cases
    cases.append((torch.ones(5, 6, 7), *cases[2][1:]))  # an even map: 1
    cases.append((small * 1e-3, spot, whole, 1))  # small values are values
    return compare_function(
        score,
        reference=fair_mass,
        cases=cases,
        errors={"ZeroDivisionError": ("A slice without signal, or without a positive value, divides by 0.",
                                      "Skip slices without signal; append 0.0 where nothing positive is in the head.")},
        mistakes=[
            Mistake(lambda *case: _over(case, lambda p, s, h: _fair(p, s, h) if (p * h).sum() else float("nan")),
                    "slices in which the map has no positive value give NaN; they are misses, and count 0",
                    "Append 0.0 for them."),
            Mistake(lambda *case: _over(case, lambda p, s, h: _even(p, s, h) / max(_share(p, s, h), 1e-9)),
                    "the fraction stands upside down: the map's mass is above the line", FAIR_HINT),
            Mistake(lambda *case: _over(case, lambda p, s, h: _share(p, s, h) - _even(p, s, h)),
                    "you subtracted what an even map gets; divide by it", FAIR_HINT),
            Mistake(lambda v, s, h, axis: _over((v.abs(), s, h, axis), _fair), "absolute values: what speaks against "
                    "counts as if it spoke for", "`.clamp(min=0)`"),
            Mistake(lambda v, s, h, axis: _over((v, s, h, axis), _fair, total=True), "that is the sum over the slices; "
                    "their mean was asked for", "`sum(ratios) / len(ratios)`"),
            Mistake(lambda v, s, h, axis: _over((v, s, h, axis), lambda p, s, h: _share(p, s, h) * float(h.sum())),
                    "you divided by one part of chance only: signal voxels over head voxels", FAIR_HINT),
            Mistake(lambda *case: _over(case, lambda p, s, h: _share(p, s, h)),
                    "that is the mass alone: it is not divided by what an even map gets", FAIR_HINT),
            Mistake(lambda v, s, h, axis: _share(v.clamp(min=0), s, h) / (float((s & h).sum()) / float(h.sum())),
                    "you scored the whole volume at once; the plane does not matter then", "Slice by slice."),
            Mistake(lambda *case: _over(case, _share) / _over(case, _even),
                    "you divided the means; divide in each slice, then take the mean", FAIR_HINT),
            Mistake(lambda *case: _over(case, lambda p, s, h: _share(p, s, torch.ones_like(h)) / _even(p, s, h)),
                    "the map's mass outside the head is counted", "Multiply the positive values by the head."),
            Mistake(lambda *case: _over(case, lambda p, s, h: _share(p, s, h) / float(s.float().mean())),
                    "chance is counted over the whole slice; outside the head nothing can be relevant", FAIR_HINT),
            Mistake(lambda *case: _over(case, _fair, signed=True), "negative values are added up too",
                    "`.clamp(min=0)`"),
            Mistake(lambda *case: _over(case, _fair, empty=True),
                    "slices without signal are counted as 0: a small tumour gets a low score by that alone",
                    "Only slices that show signal."),
            Mistake(lambda *case: _over(case, _fair, drop=True),
                    "slices in which the map has no positive value are left out; they are misses, and count 0",
                    "Append 0.0 for them."),
            Mistake(lambda v, s, h, axis: fair_mass(v, s, h, 2 - axis), "the axes are counted from the other end",
                    "Axis 0 is D: axial slices."),
            Mistake(lambda v, s, h, axis: fair_mass(v, s, h, 0), "`axis` is not used: these are always axial slices",
                    "`values.select(axis, index)`"),
        ],
        what="your score",
        praise="An even map gets 1 in every plane: now planes can be compared.",
        hint=FAIR_HINT,
    )  # fmt: skip


def fair_mass(values: Tensor, signal: Tensor, head: Tensor, axis: int) -> float:
    """Averages, over slices with signal, a map's mass on the signal divided by a uniform map's."""
    return _over((values, signal, head, axis), _fair)


def _share(positive: Tensor, signal: Tensor, head: Tensor) -> float:
    total = float((positive * head).sum())
    return float((positive * (signal & head)).sum()) / total if total else 0.0


def _even(positive: Tensor, signal: Tensor, head: Tensor) -> float:
    return float((signal & head).sum()) / float(head.sum())


def _fair(positive: Tensor, signal: Tensor, head: Tensor) -> float:
    return _share(positive, signal, head) / _even(positive, signal, head)


def _over(case: tuple, score: Callable[[Tensor, Tensor, Tensor], float], *, signed: bool = False, empty: bool = False,
          drop: bool = False, total: bool = False) -> float:  # fmt: skip
    values, signal, head, axis = case
    scores = []
    for index in range(values.shape[axis]):
        plane, there, inside = (volume.select(axis, index) for volume in (values, signal, head))
        if not bool((there & inside).any()):
            scores += [0.0] if empty else []
            continue
        positive = plane if signed else plane.clamp(min=0)
        if drop and float((positive * inside).sum()) == 0:
            continue
        scores.append(score(positive, there, inside))
    return sum(scores) / (1 if total else len(scores))
