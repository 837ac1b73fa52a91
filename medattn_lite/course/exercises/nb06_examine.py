"""Check of notebook 06: a test of slice attention that finds wrong blocks without knowing the right one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function

Attend = Callable[[Tensor, Tensor, Tensor, int], Tensor]
FINDINGS = ("depends on the batch", "changes a constant", "changes in a mirror", "nothing found")
_NEAR = 1e-3  # differences up to this are rounding
_MIRROR = "Compare `attend(query.flip(axis), key.flip(axis), value.flip(axis), axis)` with the result, flipped."
_CONSTANT = "`value` of ones must come out as ones: a weighted mean of ones is 1."
_ALONE = "Compare `attend(query[:1], key[:1], value[:1], axis)` with the first image of the whole result."


def slice_attention(query: Tensor, key: Tensor, value: Tensor, axis: int, *, softmax: int = -1, move: bool = True,
                    scale: float | None = 1.0, first: float = 0.0, only: int = 0, centred: bool = False) -> Tensor:
    """Computes attention between slices, right or with one mistake.

    Args:
        query, key, value: (B, C, D, H, W).
        axis: 2, 3 or 4.
        softmax: axis of the softmax over the scores (B, S, S).
        move: bring the slices back to their axis at the end; without, the result has the right shape and wrong places.
        scale: of the scores; None divides by the root of the numbers in a slice.
        first: is added to every score of the first slice, so that places are no longer alike.
        only: the mistake is made along this axis alone; 0 makes it along each.
        centred: takes the mean of the batch away from the features of queries and keys.

    Returns:
        (B, C, D, H, W)
    """
    if only not in (0, axis):
        return slice_attention(query, key, value, axis)
    if centred:
        query, key = query - query.mean(0), key - key.mean(0)
    moved = value.movedim(axis, 1).shape
    rows = [part.movedim(axis, 1).flatten(2) for part in (query, key, value)]  # 3 × (B, S, C·…)
    scores = rows[0] @ rows[1].mT * (rows[0].shape[-1] ** -0.5 if scale is None else scale)  # (B, S, S)
    scores[..., 0] += first
    mixed = scores.softmax(softmax) @ rows[2]  # (B, S, C·…)
    return mixed.reshape(moved).movedim(1, axis) if move else mixed.reshape(value.shape)


SLICE_BLOCKS: Mapping[str, Attend] = MappingProxyType({
    "softmax over the queries": partial(slice_attention, softmax=1),
    "softmax over the batch": partial(slice_attention, softmax=0),
    "no movedim on the way back": partial(slice_attention, move=False),
    "the first slice is preferred": partial(slice_attention, first=3.0),
    "divided by √numbers": partial(slice_attention, scale=None),
})  # fmt: skip


@exercise("06-examine", title="Exercise 06.3, a test that finds wrong blocks")
def check_examine(examine: Callable[[Attend], str]) -> Result:
    """A block of slice attention to the first of four findings that holds."""
    # Right ones first: an alarm about one of them is worse than a fault that is missed.
    wrong_ones = [block for name, block in SLICE_BLOCKS.items() if name != "divided by √numbers"]
    blocks = [slice_attention, _by_einsum, SLICE_BLOCKS["divided by √numbers"], *wrong_ones,
              partial(slice_attention, centred=True)]  # fmt: skip
    wrongs = ({"softmax": 1}, {"move": False}, {"first": 3.0}, {"centred": True})
    blocks += [partial(slice_attention, only=axis, **wrong) for axis in (2, 3, 4) for wrong in wrongs]
    by = partial(partial, findings_of)
    return compare_function(
        examine,
        reference=findings_of,
        cases=[(block,) for block in blocks],
        mistakes=[
            Mistake(lambda a: FINDINGS[3], "it says \"nothing found\" of every block, so it cannot fail",
                    "A test is worth what it can find: try it on a wrong block first."),
            Mistake(lambda a: "right", "that is not one of the four findings: a test shows faults, it does not show "
                    "that a block is right", "Return \"nothing found\"."),
            Mistake(by(exact=True), "it calls right blocks wrong: sums in another order differ in their last digits, "
                    "and ones must become ones, a mean and not a sum",
                    "`torch.allclose(one, other, atol=1e-3)` in place of `torch.equal`."),
            *[Mistake(by(axes=axes), "it tries some of the axes only: a fault along another one is missed",
                      "`for axis in (2, 3, 4):`") for axes in ((2,), (3,), (4,), (2, 3), (3, 4), (2, 4))],
            Mistake(by(rules=(1, 2, 3)), "it never compares an image alone with the same image among others; a batch "
                    "of one image has no others", _ALONE),
            Mistake(by(rules=(0, 2, 3)), "it never looks whether a row's weights sum to 1", _CONSTANT),
            Mistake(by(rules=(0, 1, 3)), "it never mirrors: a block that puts slices in wrong places, or prefers "
                    "one, is missed", _MIRROR),
            Mistake(by(rules=(0, 3)), "it asks one of the three questions; two are missing", _CONSTANT),
            Mistake(by(rules=(1, 3)), "it asks one of the three questions; two are missing", _MIRROR),
            Mistake(by(rules=(2, 3)), "it asks one of the three questions; two are missing", _CONSTANT),
            Mistake(by(rules=(1, 0, 2, 3)), "a block may break two of the rules: the batch is asked about first",
                    "The order is that of the four findings."),
            Mistake(by(rules=(2, 1, 0, 3)), "a block may break several rules: the findings have an order, and the "
                    "mirror comes last", "The order is that of the four findings."),
            Mistake(by(mirrored="input"), "its mirror is half a mirror: queries, keys and values are mirrored, and "
                    "what they give is compared with the mirrored result", _MIRROR),
            Mistake(by(mirrored="value"), "its mirror is half a mirror: it turns the values alone", _MIRROR),
            Mistake(by(mirrored="other axis"), "it mirrors along an axis that is not the slices': the slices keep "
                    "their places, and nothing is tested", _MIRROR),
            Mistake(by(spread=0.01), "your numbers are so small that all weights are alike, and a wrong softmax "
                    "gives the same", "`0.3 * torch.randn(…)`"),
            Mistake(by(spread=10.0), "your numbers are so large that each slice looks at one alone, whatever is wrong "
                    "with its weights", "`0.3 * torch.randn(…)`"),
            Mistake(by(constant="sum"), "ones are compared with the number of slices: weights that sum to 1 make a "
                    "mean, not a sum", _CONSTANT),
            Mistake(by(against_reference=True), "it compares with the formula itself, so it calls every other scale "
                    "wrong; ask for properties that each such block must have", "Three questions, none of which needs "
                    "the right result."),
        ],
        what="your finding",
        praise="It found each fault by what must hold, without knowing the right result. Where no rule is broken, it "
               "found nothing, which is not the same as right.",
        hint="For each axis: alone as in the batch? Ones stay ones? Mirrored as the mirror says? Else nothing found.",
    )  # fmt: skip


def findings_of(
    attend: Attend, *, axes: tuple[int, ...] = (2, 3, 4), rules: tuple[int, ...] = (0, 1, 2, 3), exact: bool = False,
    mirrored: str = "both", constant: str = "mean", against_reference: bool = False,
    spread: float = 0.3,
) -> str:  # fmt: skip
    """Tests a block of slice attention: returns the first of `FINDINGS` that holds; options make a worse test.

    Args:
        attend: query, key, value (B, C, D, H, W) and an axis to (B, C, D, H, W).
        axes: that are tried.
        rules: places in `FINDINGS`, in the order in which they are tried.
        exact: take rounding for a fault.
        mirrored: "both", input and result; or "input", "value", "other axis".
        constant: what ones must become: "mean" is 1, "sum" the number of slices.
        against_reference: compare with the right block in place of the mirror.
        spread: standard deviation of the inputs; tiny ones make all weights alike, large ones make each slice look at
            one alone.
    """
    generator = torch.Generator().manual_seed(6)
    query, key, value = (spread * torch.randn(2, 4, 3, 5, 6, generator=generator) for _ in range(3))

    def differ(left: Tensor, right: Tensor) -> bool:
        return not (torch.equal(left, right) if exact else torch.allclose(left, right, atol=_NEAR))

    def breaks(rule: int, axis: int) -> bool:
        out = attend(query, key, value, axis)
        if rule == 0:
            return differ(attend(query[:1], key[:1], value[:1], axis), out[:1])
        if rule == 1:
            ones = torch.ones_like(value)
            return differ(attend(query, key, ones, axis), ones * (1 if constant == "mean" else value.shape[axis]))
        if against_reference:
            return differ(slice_attention(query, key, value, axis), out)
        along = 2 + (axis - 1) % 3 if mirrored == "other axis" else axis
        turned = (query, key) if mirrored == "value" else (query.flip(along), key.flip(along))
        return differ(attend(*turned, value.flip(along), axis), out if mirrored == "input" else out.flip(along))

    return FINDINGS[next(rule for rule in rules if rule == 3 or any(breaks(rule, axis) for axis in axes))]


def _by_einsum(query: Tensor, key: Tensor, value: Tensor, axis: int) -> Tensor:
    q, k, v = (part.movedim(axis, 2) for part in (query, key, value))  # (B, C, S, …)
    scores = torch.einsum("bcsxy,bctxy->bst", q, k)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    weights = weights / weights.sum(-1, keepdim=True)
    return torch.einsum("bst,bctxy->bcsxy", weights, v).movedim(2, axis)
