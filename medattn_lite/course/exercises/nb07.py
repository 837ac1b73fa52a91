"""Checks of notebook 07: Dice by region, exact attention block by block, blinkers that hide what is far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.keys_at_once import keys_at_once

EMPTY_HINT = "Where truth and answer are both empty, nothing was to be found and nothing was: 1, by the rule of BraTS."
KEYS_IN_TEST = 200
RUNNING_HINT = "Keep three things a query: the largest score so far, the sum of the exponentials, and the weighted sum."


@exercise("07-dice", title="Exercise 07.1, Dice by region")
def check_dice(dice: Callable[[Tensor, Tensor], Tensor]) -> Result:
    """Two masks (R, D, H, W) to (R,): Dice of each region, 1 where both are empty."""
    generator = torch.Generator().manual_seed(7)

    def case(*shape: int, empty: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        found, wanted = (torch.rand(shape, generator=generator) < share for share in (0.4, 0.3))
        for region in empty:
            found[region], wanted[region] = False, False
        return found, wanted

    one_missed = case(3, 4, 3, 5)
    one_missed[0][2] = False  # a region that was there and was not found: 0, not 1
    one_found = case(3, 4, 3, 5)
    one_found[1][1] = False  # a region that was not there and was found all the same: 0, not 1
    all_empty = case(2, 3, 2, 2, empty=(0, 1))
    equal = (one_found[0], one_found[0].clone())
    return compare_function(
        dice,
        reference=dice_by_region,
        cases=[case(3, 4, 3, 5), case(3, 2, 4, 3, empty=(2,)), one_missed, case(1, 6, 2, 2), one_found, all_empty,
               equal],
        mistakes=_dice_mistakes(),
        errors={"ZeroDivisionError": ("An empty region divides 0 by 0.", EMPTY_HINT)},
        what="your Dice",
        praise="One number a region, and an empty region that is left empty counts as right.",
        hint="2 · both / (found + wanted), each counted over all axes of space.",
    )


def dice_by_region(found: Tensor, wanted: Tensor) -> Tensor:
    """Two masks (R, D, H, W) to (R,); 1 where both are empty."""
    return _share(*_counted(found, wanted))


def _counted(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Twice the voxels in both, and the voxels of one plus those of the other, (R,) each."""
    both = (found & wanted).flatten(1).sum(1)
    return 2 * both, found.flatten(1).sum(1) + wanted.flatten(1).sum(1)


def _share(part: Tensor, whole: Tensor, *, empty: float = 1.0) -> Tensor:
    return torch.where(whole > 0, part / whole.clamp(min=1), torch.tensor(empty))


def _dice_mistakes() -> list[Mistake]:
    def iou(found: Tensor, wanted: Tensor, empty: float = 1.0) -> Tensor:
        return _share((found & wanted).flatten(1).sum(1), (found | wanted).flatten(1).sum(1), empty=empty)

    def plain(found: Tensor, wanted: Tensor) -> Tensor:
        twice, whole = _counted(found, wanted)
        return twice / whole

    def half(found: Tensor, wanted: Tensor) -> Tensor:
        twice, whole = _counted(found, wanted)
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
                "Count only voxels of the tumour: `found & wanted`."),
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
                "that is twice the union; the overlap is what both have", "`found & wanted`"),
        Mistake(lambda f, w: 1 - dice_by_region(f, w), "that is the loss, 1 − Dice"),
        Mistake(lambda f, w: dice_by_region(f, w).mean(),
                "that is the mean over the regions; keep one number a region", "Return the shape (R,)."),
    ]  # fmt: skip


@exercise("07-blocks", title="Exercise 07.2, exact attention in blocks of keys")
def check_blocks(attend: Callable[..., Tensor]) -> Result:
    """(B, N, f), (B, M, f), (B, M, f) and a block's size to (B, N, f), without a tensor of N × M numbers."""
    generator = torch.Generator().manual_seed(7)

    def case(n: int, m: int, block: int, *, loud: float = 1.0) -> tuple[Tensor, Tensor, Tensor, int]:
        query, key, value = (torch.randn(2, length, 4, generator=generator) for length in (n, m, m))
        return query * loud, key, value, block

    def far_below(direction: int) -> tuple[Tensor, Tensor, Tensor, int]:
        query, key, value, block = case(3, 11, 4)
        steps = torch.linspace(20, 40, 11)[:, None] if direction > 0 else torch.linspace(40, 20, 11)[:, None]
        return query.abs() + 20, -key.abs() - steps, value, block

    result = compare_function(
        attend,
        reference=attend_whole,
        # Loud ones overflow exp; the ragged last block and one block for all are there as well. In the last two all
        # scores lie far below 0, and fall or rise from block to block: a largest score that begins at 0 loses them.
        cases=[case(5, 9, 3), case(6, 10, 4, loud=3.0), case(4, 6, 8), case(5, 8, 4, loud=400.0), case(3, 7, 1),
               far_below(1), far_below(-1)],
        mistakes=_block_mistakes(),
        what="your context",
        praise="Exact, and never more than one block of the map in memory.",
        hint=RUNNING_HINT,
    )
    for block in (8, 32):
        met = keys_at_once(attend, block=block)
        if met is not None and met != block:
            raise NotYet(*_block_not_used(met, block))
    return result


def _block_not_used(met: int, block: int) -> tuple[str, str]:
    seen = f"The numbers are right, but with `block` = {block} and {KEYS_IN_TEST} keys"
    hint = "Inside the loop, multiply the queries with one block of keys: `key[:, start : start + block]`."
    if met >= KEYS_IN_TEST:
        return f"{seen} the scores of all keys were in memory at once.", hint
    if met == -(-KEYS_IN_TEST // block):
        return (f"{seen} your blocks have {met} keys: you made `block` blocks, and `block` is the number of keys in "
                "each.", "`key.split(block, dim=1)`, not `chunk`.")
    return f"{seen} the queries met {met} at a time: `block` is not used.", hint


def attend_whole(query: Tensor, key: Tensor, value: Tensor, block: int) -> Tensor:
    """Attention with its whole map; `block` is not used."""
    return (query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(dim=-1) @ value


def attend_in_blocks(query: Tensor, key: Tensor, value: Tensor, block: int, *, scale: float | None = None,
                     carry: tuple[str, ...] = ("total", "context"), shift: bool = True, ragged: bool = True,
                     divide: bool = True, lowest: float = -math.inf) -> Tensor:  # fmt: skip
    """Exact attention over blocks of keys, with the running largest score; every option takes one step away."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    top = torch.full_like(query[..., :1], lowest)
    total, context = torch.zeros_like(top), torch.zeros_like(query)
    last = key.shape[1] if ragged else max(1, key.shape[1] - block + 1)
    for start in range(0, last, block):
        scores = query @ key[:, start : start + block].transpose(1, 2) * scale  # (B, N, block)
        new_top = torch.maximum(top, scores.amax(-1, keepdim=True)) if shift else torch.zeros_like(top)
        weights, fade = (scores - new_top).exp(), (top - new_top).exp() if shift else torch.ones_like(top)
        total = total * (fade if "total" in carry else 1) + weights.sum(-1, keepdim=True)
        context = context * (fade if "context" in carry else 1) + weights @ value[:, start : start + block]
        top = new_top
    return context / total if divide else context


def _block_mistakes() -> list[Mistake]:
    def each_alone(query: Tensor, key: Tensor, value: Tensor, block: int) -> list[Tensor]:
        parts = zip(key.split(block, 1), value.split(block, 1), strict=True)
        return [attend_whole(query, own_key, own_value, block) for own_key, own_value in parts]

    def variant(**options: object) -> Callable[..., Tensor]:
        return lambda q, k, v, block: attend_in_blocks(q, k, v, block, **options)

    one_whole = "The shares of all keys sum to 1 together: divide once, at the end, by the sum over all blocks."
    fade = "When a block brings a larger score, what was added before must be multiplied by exp(old top − new top)."
    return [
        Mistake(lambda *a: torch.stack(each_alone(*a)).sum(0),
                "there is a softmax inside each block, so every block hands out a whole of its own", one_whole),
        Mistake(lambda *a: torch.stack(each_alone(*a)).mean(0),
                "you took the mean over the blocks: a block nobody looks at counts as much as any other", one_whole),
        Mistake(lambda *a: each_alone(*a)[-1], "only the last block is left", "Add up over the loop."),
        Mistake(variant(divide=False), "the sum of the exponentials is never divided by", one_whole),
        Mistake(variant(shift=False), "loud scores overflow: exp of some hundred is infinity, and infinity over "
                "infinity is NaN", "Take the largest score so far away before `exp`; only differences matter."),
        Mistake(variant(carry=()), "the largest score changes from block to block, and what was added before was not "
                "brought to the new one", fade),
        Mistake(variant(carry=("total",)), "the sum follows the new largest score, but the weighted values do not",
                fade),
        Mistake(variant(carry=("context",)), "the weighted values follow the new largest score, but the sum does not",
                fade),
        Mistake(variant(lowest=0.0), "the largest score begins at a number, and not at −∞: where all scores lie far "
                "below it, every exponential is 0, and 0 / 0 is NaN",
                "Begin with −∞: `torch.full_like(…, -math.inf)`."),
        Mistake(variant(lowest=-100.0), "the largest score begins at a number, and not at −∞: where all scores lie "
                "far below it, every exponential is 0, and 0 / 0 is NaN",
                "Begin with −∞: `torch.full_like(…, -math.inf)`."),
        Mistake(lambda q, k, v, block: attend_in_blocks(q, k, v, block, scale=1 / q.shape[-1]),
                "the scores are divided by f, not by √f", "f is `query.shape[-1]`."),
        Mistake(lambda q, k, v, block: torch.cat(each_alone(q, k, v, block), 1),
                "the blocks' answers are laid side by side; they belong to the same queries", one_whole),
        Mistake(lambda q, k, v, block: torch.cat([attend_whole(part, k, v, block) for part in q.split(block, 1)], 1),
                "you went over blocks of queries, with all keys at once", RUNNING_HINT),
        Mistake(variant(scale=1.0), "the scores are not divided by √f", "f is `query.shape[-1]`."),
        Mistake(lambda q, k, v, block: attend_in_blocks(q, k, v, block, scale=1 / math.sqrt(k.shape[1])),
                "the scores are divided by the root of the number of keys; it is the root of the channels",
                "f is `query.shape[-1]`."),
        Mistake(variant(ragged=False), "the last block is left out where it is shorter than the others",
                "`range(0, key.shape[1], block)`; a slice may reach beyond the end."),
    ]  # fmt: skip


@exercise("07-blinkers", title="Exercise 07.3, blinkers")
def check_blinkers(blinkers: Callable[[Tensor, int], Tensor]) -> Result:
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
        blinkers,
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
    """A grid (d, h, w) to (d, h, w, d, h, w): from each place to each place, the most steps along an axis."""
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
    """(B, d, h, w, d, h, w) to the same shape: keys at most `reach` steps away along each axis share the whole."""
    near = affinity * (_steps(affinity) <= reach)
    return near / near.sum(KEYS, keepdim=True).clamp(min=1e-9)
