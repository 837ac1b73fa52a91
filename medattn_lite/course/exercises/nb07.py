"""Checks of notebook 07: Dice by region, exact attention block by block, weights for near places only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.exercises.nb07_blocks import check_blocks

EMPTY_HINT = "Where truth and answer are both empty, nothing was to be found and nothing was: 1, by the rule of BraTS."


@exercise("07-dice", title="Exercise 07.1, Dice by region")
def check_dice(dice: Callable[[Tensor, Tensor], Tensor]) -> Result:
    """Two masks (R, D, H, W) to (R,): Dice of each region, 1 where both are empty."""
    generator = torch.Generator().manual_seed(7)

    def case(*shape: int, empty: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        predicted, wanted = (torch.rand(shape, generator=generator) < share for share in (0.4, 0.3))
        for region in empty:
            predicted[region], wanted[region] = False, False
        return predicted, wanted

    one_missed = case(3, 4, 3, 5)
    one_missed[0][2] = False  # a region that was there and was not found: 0, not 1
    one_found = case(3, 4, 3, 5)
    one_found[1][1] = False  # a region that was not there and was found all the same: 0, not 1
    all_empty = case(2, 3, 2, 2, empty=(0, 1))
    equal = (one_found[0], one_found[0].clone())
    single = torch.zeros(3, 2, 2, 2, dtype=torch.bool)  # one voxel: found alone, wanted alone, and both
    found_alone, wanted_alone = single.clone(), single.clone()
    found_alone[[0, 2], 0, 1, 1], wanted_alone[[1, 2], 0, 1, 1] = True, True
    return compare_function(
        dice,
        reference=dice_by_region,
        cases=[case(3, 4, 3, 5), case(3, 2, 4, 3, empty=(2,)), one_missed, case(1, 6, 2, 2), one_found, all_empty,
               equal, (found_alone, wanted_alone)],
        mistakes=_dice_mistakes(),
        errors={"ZeroDivisionError": ("An empty region divides 0 by 0.", EMPTY_HINT)},
        what="your Dice",
        praise="One number per region, and an empty region that is left empty counts as right.",
        hint="2 · both / (predicted + wanted), each counted over all axes of space.",
    )


def dice_by_region(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Two masks (R, D, H, W) to (R,); 1 where both are empty."""
    return _share(*_counted(predicted, wanted))


def _counted(predicted: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Twice the voxels in both, and the voxels of one plus those of the other, (R,) each."""
    both = (predicted & wanted).flatten(1).sum(1)
    return 2 * both, predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1)


def _share(part: Tensor, whole: Tensor, *, empty: float = 1.0) -> Tensor:
    return torch.where(whole > 0, part / whole.clamp(min=1), torch.tensor(empty))


def _dice_mistakes() -> list[Mistake]:
    def iou(predicted: Tensor, wanted: Tensor, empty: float = 1.0) -> Tensor:
        return _share((predicted & wanted).flatten(1).sum(1), (predicted | wanted).flatten(1).sum(1), empty=empty)

    def plain(predicted: Tensor, wanted: Tensor) -> Tensor:
        twice, whole = _counted(predicted, wanted)
        return twice / whole

    def half(predicted: Tensor, wanted: Tensor) -> Tensor:
        twice, whole = _counted(predicted, wanted)
        return _share(twice / 2, whole)

    def of_one(of: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda f, w: (f & w).flatten(1).sum(1) / of(f, w).flatten(1).sum(1).clamp(min=1)

    return [
        Mistake(plain, "an empty region gives NaN: 0 divided by 0", EMPTY_HINT),
        Mistake(lambda f, w: _share(*_counted(f, w), empty=0.0), "an empty region that was left empty gets 0",
                EMPTY_HINT),
        Mistake(iou, "that is the intersection over the union (IoU), another score",
                "Dice divides twice the intersection by the sum of both sizes."),
        Mistake(lambda f, w: iou(f, w, math.nan), "that is the intersection over the union (IoU), another score",
                "Dice divides twice the intersection by the sum of both sizes."),
        Mistake(half, "the factor 2 is missing: a perfect answer would get one half",
                "The intersection is counted once in each of the two sizes."),
        Mistake(lambda f, w: plain(f, w) / 2, "the factor 2 is missing, and an empty region gives NaN", EMPTY_HINT),
        Mistake(lambda f, w: (f == w).float().flatten(1).mean(1),
                "that is the share of voxels that agree, background included: an empty answer would score high",
                "Count only voxels of the tumour: `predicted & wanted`."),
        Mistake(lambda f, w: 2 * (f & w).sum() / (f.sum() + w.sum()),
                "that is one number for all regions together: large regions decide",
                "`flatten(1)` lays space in one row and keeps the regions; sum over axis 1."),
        Mistake(of_one(lambda f, w: w), "that is the share of the truth that was found: too much costs nothing",
                "Divide by the sum of both sizes."),
        Mistake(of_one(lambda f, w: f), "that is the share of the answer that is right: what is missed costs nothing",
                "Divide by the sum of both sizes."),
        Mistake(lambda f, w: torch.where(w.flatten(1).any(1), dice_by_region(f, w), torch.tensor(1.0)),
                "where the truth is empty you give 1, whatever was found: what is found there is all wrong, and gets 0",
                "1 only where both are empty: ask whether the *sum* of the sizes is 0."),
        Mistake(lambda f, w: torch.where(f.flatten(1).any(1), dice_by_region(f, w), torch.tensor(1.0)),
                "where the answer is empty you give 1, though a region was missed: that is 0",
                "1 only where both are empty: ask whether the *sum* of the sizes is 0."),
        Mistake(lambda f, w: torch.where(f.flatten(1).any(1) & w.flatten(1).any(1), dice_by_region(f, w),
                                         torch.tensor(1.0)),
                "where one of the two is empty you give 1; that is 0, and 1 only where both are", EMPTY_HINT),
        Mistake(lambda f, w: torch.where(f.flatten(1).any(1) & w.flatten(1).any(1), dice_by_region(f, w),
                                         torch.tensor(0.0)),
                "an empty region that was left empty gets 0", EMPTY_HINT),
        *[Mistake(lambda f, w, eps=eps: (_counted(f, w)[0] + eps) / (_counted(f, w)[1] + eps),
                  "a smoothing term was added above and below the line: the empty region is right, all others are not",
                  "`torch.where(sizes > 0, 2 * both / sizes, 1.0)` changes the empty ones only.")
          for eps in (1.0, 0.1, 0.01, 0.001)],
        *[Mistake(lambda f, w, eps=eps: _counted(f, w)[0] / (_counted(f, w)[1] + eps),
                  "a small number below the line avoids 0 / 0, and gives an empty region 0 instead of 1", EMPTY_HINT)
          for eps in (1.0, 1e-3, 1e-8)],
        Mistake(lambda f, w: _share(2 * (f & w).sum(0).flatten(), (f.sum(0) + w.sum(0)).flatten()),
                "you added up the regions and kept the places", "`flatten(1)`, then `sum(1)`."),
        Mistake(lambda f, w: _share(2 * (f | w).flatten(1).sum(1), _counted(f, w)[1]),
                "that is twice the union; the overlap is what both have", "`predicted & wanted`"),
        Mistake(lambda f, w: 1 - dice_by_region(f, w), "that is the loss, 1 − Dice"),
        Mistake(lambda f, w: dice_by_region(f, w).mean(),
                "that is the mean over the regions; keep one number per region", "Return the shape (R,)."),
    ]  # fmt: skip


@exercise("07-near-places", title="Exercise 07.3, near places only")
def check_near_places(near_places: Callable[[Tensor, int], Tensor]) -> Result:
    """(B, d, h, w, d, h, w) and a reach to the same shape: far keys get 0, the others share the whole."""
    generator = torch.Generator().manual_seed(7)

    def case(batch: int, grid: tuple[int, int, int], reach: int) -> tuple[Tensor, int]:
        scores = torch.randn(batch, math.prod(grid), math.prod(grid), generator=generator)
        return scores.softmax(-1).reshape(batch, *grid, *grid), reach

    def kept(affinity: Tensor, reach: int) -> Tensor:
        return affinity * (_steps(affinity) <= reach)

    def nearer(affinity: Tensor, reach: int, least: float = 0.0) -> Tensor:
        near = affinity * (_steps(affinity) < reach)
        return near / near.sum(KEYS, keepdim=True).clamp(min=least)

    one_whole = "Each query hands out one whole: divide by the sum over its keys, axes 4, 5 and 6, with keepdim=True."
    nothing_left = "With reach 0 a query keeps its own place: `<=`, not `<`."
    return compare_function(
        near_places,
        reference=near_only,
        cases=[case(1, (3, 2, 2), 0), case(2, (2, 3, 4), 1), case(1, (4, 3, 3), 2), case(1, (1, 5, 2), 3),
               case(1, (2, 2, 2), 9)],
        mistakes=[
            Mistake(kept, "the far weights are gone, and the rest no longer sums to 1", one_whole),
            Mistake(lambda a, r: (far := a * (_steps(a) > r)) / far.sum(KEYS, keepdim=True),
                    "you kept the far places and took the near ones away", "Keep where `steps_apart(…) <= reach`."),
            Mistake(lambda a, r: (far := a * (_steps(a) > r)) / far.sum(KEYS, keepdim=True).clamp(min=1e-9),
                    "you kept the far places and took the near ones away", "Keep where `steps_apart(…) <= reach`."),
            Mistake(nearer, "places exactly `reach` steps away are lost", nothing_left),
            Mistake(lambda a, r: nearer(a, r, 1e-9), "places exactly `reach` steps away are lost", nothing_left),
            Mistake(lambda a, r: kept(a, r) / kept(a, r).sum((1, 2, 3), keepdim=True),
                    "you divided by the sum over the queries; it is the keys that share one whole", one_whole),
            Mistake(lambda a, r: kept(a, r) / kept(a, r).sum(),
                    "you divided by the sum of all weights together; each query has a whole of its own", one_whole),
            Mistake(lambda a, r: kept(a, r) / kept(a, r).sum(-1, keepdim=True),
                    "you divided by the sum over the last axis only", "The keys have three axes: 4, 5 and 6."),
            Mistake(lambda a, r: kept(a, r).flatten(4).softmax(-1).reshape(a.shape),
                    "a second softmax gives the far places weight again: exp(0) is 1",
                    "These are weights already. Divide by their sum."),
            Mistake(lambda a, r: near_only(torch.ones_like(a), r),
                    "all near places count alike: the network's own weights are lost",
                    "Multiply the weights by the mask, then divide."),
            Mistake(lambda a, r: a.masked_fill(_steps(a) > r, -math.inf),
                    "−∞ takes a score away before a softmax; these are weights, after it", "Use 0, then divide."),
            Mistake(lambda a, r: (near := a * (_steps(a, "sum") <= r)) / near.sum(KEYS, keepdim=True),
                    "you added up the steps along the axes; the reach counts along each axis by itself",
                    "`steps_apart(…)` has the largest of the three."),
            Mistake(lambda a, r: (near := a * (_steps(a, "root") <= r)) / near.sum(KEYS, keepdim=True),
                    "you measured the straight distance; the reach counts along each axis by itself",
                    "`steps_apart(…)` has the largest of the three."),
            Mistake(lambda a, r: near_only(a, r + 1), "places one step too far are kept", "`<= reach`"),
            Mistake(lambda a, r: near_only(a, 1), "`reach` is not used: you kept the nearest neighbours",
                    "`steps_apart(…) <= reach`"),
            Mistake(lambda a, r: kept(a, r) / kept(a, r).amax(KEYS, keepdim=True),
                    "you divided by the largest weight; the sum should be 1", one_whole),
            Mistake(lambda a, r: kept(a, r) / (_steps(a) <= r).sum((3, 4, 5))[..., None, None, None],
                    "you divided by the number of near places; the weights' own sum is wanted", one_whole),
            Mistake(lambda a, r: a, "these are the weights as they were"),
        ],
        what="your affinity",
        praise="Each query still hands out one whole, to its neighbours only.",
        hint=one_whole,
    )  # fmt: skip


KEYS = (4, 5, 6)


def steps_apart(grid: Sequence[int]) -> Tensor:
    """Counts the most steps along an axis from each place of a grid (d, h, w) to each other: (d, h, w, d, h, w)."""
    places = torch.stack(torch.meshgrid(*[torch.arange(n) for n in grid], indexing="ij"), dim=-1)  # (d, h, w, 3)
    return (places[:, :, :, None, None, None] - places).abs().amax(dim=-1)


def _steps(affinity: Tensor, measure: str = "largest") -> Tensor:
    grid = affinity.shape[1:4]
    if measure == "largest":
        return steps_apart(grid).to(affinity.device)
    places = torch.stack(torch.meshgrid(*[torch.arange(n) for n in grid], indexing="ij"), dim=-1)
    away = (places[:, :, :, None, None, None] - places).abs()
    return away.sum(-1) if measure == "sum" else (away**2).sum(-1).sqrt()


def near_only(affinity: Tensor, reach: int) -> Tensor:
    """Restricts (B, d, h, w, d, h, w) to keys at most `reach` steps away along each axis, which share the whole."""
    near = affinity * (_steps(affinity) <= reach)
    return near / near.sum(KEYS, keepdim=True).clamp(min=1e-9)


__all__ = ["check_near_places", "check_blocks", "check_dice", "dice_by_region", "near_only", "steps_apart"]
