"""Check of notebook 07: exact attention block by block, with no more than a block of keys at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.keys_at_once import keys_at_once

KEYS_IN_TEST = 200
RUNNING_HINT = "Keep three things per query: the largest score so far, the sum of exponentials, and the weighted sum."


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

    def variant(**options: Any) -> Callable[..., Tensor]:
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
