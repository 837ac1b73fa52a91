"""Checks of notebook 01: softmax with a temperature, one decoder step, attention without a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from medattn_lite.attention import softmax_weights
from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function


def _numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ---- 01-weights -------------------------------------------------------------------------------------------------

_DIVIDE_FIRST = "(01.5) divides the scores by the temperature before exp; after that the rows must still sum to 1."


@exercise("01-weights", title="Exercise 01.1, softmax with a temperature")
def check_weights(weights_with_temperature: Callable[[Tensor, float], Tensor]) -> Result:
    """The learner's softmax on three batches of scores, at a cold, a warm and a hot temperature."""
    return compare_function(
        weights_with_temperature,
        reference=lambda scores, temperature: softmax_weights(scores, temperature=temperature),
        cases=[
            (_numbers(2, 3, 5, seed=1), 0.5),
            (_numbers(1, 4, 4, seed=2), 2.0),
            (_numbers(2, 1, 6, seed=3) - 2.0, 3.0),
            (_numbers(3, 2, 2, seed=4).relu(), 1.0),
            (_numbers(1, 3, 4, seed=5) * 4, 7.0),
        ],
        mistakes=[
            Mistake(lambda s, t: s.softmax(dim=-1), "the temperature is not used", _DIVIDE_FIRST),
            Mistake(lambda s, t: (s * t).softmax(dim=-1), "you multiplied by the temperature",
                    "Hot should be flat: dividing by a large number makes the differences small."),
            Mistake(lambda s, t: s.softmax(dim=-1) / t,
                    "you divided the weights by the temperature, so a row no longer sums to 1", _DIVIDE_FIRST),
            Mistake(lambda s, t: s.exp() / t / (s.exp() / t).sum(dim=-1, keepdim=True),
                    "you divided after exp, where the temperature cancels out", _DIVIDE_FIRST),
            Mistake(lambda s, t: (s / t).softmax(dim=1), "the sum runs over the queries (dim 1)",
                    "One row per query, one column per key: the shares of one query sum to 1, so sum over dim=-1."),
            Mistake(lambda s, t: (s / t).softmax(dim=0), "the sum runs over the batch (dim 0)",
                    "Each sentence has shares of its own: sum over the keys, dim=-1."),
            Mistake(lambda s, t: (s / t).exp() / (s / t).exp().sum(),
                    "you divided by one total for the whole tensor",
                    "Each query has shares of its own: sum over dim=-1 and keep the axis with keepdim=True."),
            Mistake(lambda s, t: (s / t).log_softmax(dim=-1), "these are logarithms of weights",
                    "Shares are positive and sum to 1: no logarithm."),
            Mistake(lambda s, t: (s / t).sigmoid(), "that is a sigmoid: each score by itself, and no row sums to 1",
                    "Divide each exponential by the sum of its row, (01.2)."),
            Mistake(lambda s, t: (s / t**0.5).softmax(dim=-1), "you divided by the root of the temperature",
                    "The root in (01.5) belongs to d, not to τ."),
            Mistake(lambda s, t: (s / (t * s.shape[-1] ** 0.5)).softmax(dim=-1),
                    "you divided by a root as well; only the temperature divides here",
                    "The √d of (01.5) is in the scores already: this function gets scores, not vectors."),
            Mistake(lambda s, t: (s - t).softmax(dim=-1), "you subtracted the temperature, which changes nothing",
                    _DIVIDE_FIRST),
            Mistake(lambda s, t: (s.softmax(dim=-1) / t).softmax(dim=-1), "there are two softmaxes", _DIVIDE_FIRST),
            Mistake(lambda s, t: (s.exp() / t).softmax(dim=-1), "the temperature divides after exp", _DIVIDE_FIRST),
            Mistake(lambda s, t: (-s / t).softmax(dim=-1), "the sign is turned: the lowest score gets most",
                    "exp of the score, not of minus the score."),
            Mistake(lambda s, t: 2 ** (s / t) / (2 ** (s / t)).sum(-1, keepdim=True), "that is 2 to the power, not exp",
                    "`(scores / temperature).exp()`"),
            Mistake(lambda s, t: (s / t).exp() / (s / t).exp().mean(dim=-1, keepdim=True),
                    "you divided by the mean of the row: its weights sum to N", "Divide by the sum."),
            Mistake(lambda s, t: (s / t).exp() / (s / t).exp().amax(dim=-1, keepdim=True),
                    "you divided by the largest of the row: it gets 1, and the row sums to more", "Divide by the sum."),
            Mistake(lambda s, t: (s / t).exp(), "the exponentials are not yet shares",
                    "Divide each row by its own sum, (01.2)."),
            Mistake(lambda s, t: (s / t) / (s / t).sum(dim=-1, keepdim=True), "exp is missing",
                    "Scores can be negative, and shares cannot: take exp first, (01.2)."),
        ],
        what="your table of weights",
        praise="Cold is sharp, hot is flat, and every row sums to 1.",
        hint="Two steps: exp of scores / temperature, then each row divided by its own sum.",
    )


# ---- 01-decoder-step --------------------------------------------------------------------------------------------


def _decoder_step(
    state: Tensor,
    words: Tensor,
    real: Tensor,
    *,
    scale: bool | str = True,
    masked: str = "before",
    axis: int = -1,
    fill: float = 0.0,
    mix: str = "weighted",
    order: str = "context first",
) -> Tensor:
    """The right answer and, by one option changed, each of the usual wrong ones."""
    words = words * real[..., None] if masked == "words gone" else words
    scores = state[:, None] @ words.transpose(-2, -1)  # (B, 1, N)
    if scale:
        width, count = state.shape[-1], words.shape[1]
        scores = scores / {"by d": width, "by √N": count**0.5}.get(str(scale), width**0.5)
    if masked == "before":
        scores = scores.masked_fill(~real[:, None], float("-inf"))
    elif masked == "inverted":
        scores = scores.masked_fill(real[:, None], float("-inf"))
    elif masked == "number":
        scores = scores.masked_fill(~real[:, None], fill)
    elif masked == "words zeroed":
        scores = scores * real[:, None]
    weights = torch.softmax(scores, dim=axis)
    if masked == "after":
        weights = weights * real[:, None]
    if mix == "weighted":
        context = (weights @ words).squeeze(1)
    elif mix == "best":
        context = words[torch.arange(len(words)), weights[:, 0].argmax(-1)]
    elif mix == "sum":
        context = (words * real[..., None]).sum(dim=1)
    else:
        context = (words * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
    if order == "context only":
        return context
    if order == "added":
        return context + state
    return torch.cat([state, context] if order == "state first" else [context, state], dim=-1)


def _wrong(**options: Any) -> Callable[..., Tensor]:
    return lambda state, words, real: _decoder_step(state, words, real, **options)


_BEFORE_SOFTMAX = "exp(−∞) = 0: fill the scores of padding with float('-inf') before softmax."


@exercise("01-decoder-step", title="Exercise 01.2, one step of a decoder")
def check_decoder_step(decoder_step: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Result:
    """The learner's step on two batches, with a different number of real words in each sentence."""
    lengths = (torch.tensor([5, 3, 4]), torch.tensor([2, 6]), torch.tensor([1]), torch.tensor([3, 3, 2, 1]))
    cases = []
    for seed, (length, d) in enumerate(zip(lengths, (8, 5, 4, 6), strict=True)):
        n = int(length.max())
        words = _numbers(len(length), n, d, seed=10 + seed)
        cases.append((_numbers(len(length), d, seed=20 + seed), words, torch.arange(n) < length[:, None]))
    # A sentence in which every real word gets a very low score: then a fill of −20 or −1000 is still attention.
    state, words, real = cases[0]
    cases.append((-60 * words[:, 0].sign() * 10, words.abs() * words[:, :1].sign() + 0.1 * words, real))
    # Padding may stand anywhere, and hold any number.
    scattered = real[:, torch.tensor([2, 4, 0, 3, 1])]
    cases.append((state, torch.where(scattered[..., None], words, torch.tensor(7.0)), scattered))
    return compare_function(
        decoder_step,
        reference=_decoder_step,
        cases=cases,
        mistakes=[
            Mistake(_wrong(order="state first"), "the state comes before the context",
                    "The deck's order is [a ; s]: the context first. A layer learns one order only."),
            Mistake(_wrong(order="context only"), "only the context comes back, without the state",
                    "torch.cat([context, state], dim=-1) gives (B, 2d)."),
            Mistake(_wrong(order="added"), "context and state are added, not laid side by side",
                    "Concatenate: torch.cat([context, state], dim=-1). A sum cannot be taken apart again."),
            Mistake(_wrong(scale=False), "the scores are not divided by √d",
                    "This exercise wants scaled scores: / state.shape[-1] ** 0.5, before softmax."),
            Mistake(_wrong(scale="by d"), "the scores are divided by d, not by √d", "/ state.shape[-1] ** 0.5"),
            Mistake(_wrong(scale="by √N"), "the scores are divided by √N, from the number of words",
                    "d is the length of a vector: / state.shape[-1] ** 0.5"),
            Mistake(_wrong(masked="no"), "padding gets attention: `real` is not used", _BEFORE_SOFTMAX),
            Mistake(_wrong(masked="inverted"), "the mask is upside down: you look at the padding only",
                    "masked_fill fills where its mask is True; `real` is True at real words, so pass ~real."),
            Mistake(_wrong(masked="number"), "a score of 0 is not weight 0", _BEFORE_SOFTMAX),
            Mistake(_wrong(masked="words zeroed"), "you set words or scores of padding to 0, and a score of 0 is not "
                    "weight 0", _BEFORE_SOFTMAX),
            Mistake(_wrong(masked="words gone"), "you set the words of padding to 0; a score of 0 is not weight 0",
                    _BEFORE_SOFTMAX),
            *[Mistake(_wrong(masked="number", fill=fill),
                      "your fill is low, but not −∞: where real words score lower still, padding wins",
                      _BEFORE_SOFTMAX) for fill in (-1.0, -5.0, -10.0, -20.0, -50.0, -100.0)],
            Mistake(_wrong(mix="best"), "the context is the one word with the highest score",
                    "(01.3) is a weighted sum: weights @ words."),
            Mistake(_wrong(masked="after"), "you masked after softmax, so the real words' weights sum to less than 1",
                    _BEFORE_SOFTMAX),
            Mistake(_wrong(masked="no", axis=1), "softmax runs over the queries, the one row of dim 1",
                    "The keys are the last axis: softmax(dim=-1)."),
            Mistake(_wrong(masked="before", axis=1), "softmax runs over the queries, the one row of dim 1",
                    "The keys are the last axis: softmax(dim=-1)."),
            Mistake(_wrong(masked="before", axis=0), "softmax runs over the batch (dim 0)",
                    "The keys are the last axis: softmax(dim=-1)."),
            Mistake(_wrong(mix="sum"), "the context is a plain sum of the words",
                    "(01.3) is a weighted sum: weights @ words."),
            Mistake(_wrong(mix="mean"), "the context is the plain mean of the words",
                    "(01.3) is a weighted sum: weights @ words. Are the weights used?"),
        ],
        what="what your step returns",
        praise="Context beside state, and nothing looked up in the padding.",
        hint="Four steps: scaled scores, −∞ at padding, softmax over the keys, then [context ; state].",
    )


# ---- 01-uniform -------------------------------------------------------------------------------------------------


@exercise("01-uniform", title="Exercise 01.3, take the choice away")
def check_uniform(uniform_weights: Callable[[Tensor], Tensor]) -> Result:
    """The learner's ablation on scores of two shapes."""
    return compare_function(
        uniform_weights,
        reference=lambda scores: torch.full_like(scores, 1 / scores.shape[-1]),
        cases=[(_numbers(2, 3, 5, seed=31),), (_numbers(1, 4, 7, seed=32),), (_numbers(4, 2, 2, seed=33).relu(),),
               (torch.full((3, 1, 6), float("-inf")),)],
        mistakes=[
            Mistake(torch.ones_like, "a row of ones sums to N, not to 1", "Each of N keys gets 1 / N."),
            Mistake(torch.zeros_like, "all weights are 0, so the context is always 0",
                    "No choice is not no look: each of N keys gets 1 / N."),
            Mistake(lambda s: torch.full_like(s, 1 / s.shape[1]), "you divided by the number of queries T",
                    "The shares of one query run over the keys: N is scores.shape[-1]."),
            Mistake(lambda s: torch.full_like(s, 1 / s.shape[0]), "you divided by the size of the batch",
                    "The shares of one query run over the keys: N is scores.shape[-1]."),
            Mistake(lambda s: torch.full_like(s, 1 / s.numel()), "you divided by the number of all scores",
                    "Each row sums to 1 on its own: N is scores.shape[-1]."),
            Mistake(lambda s: s / s.shape[-1], "you divided the scores themselves",
                    "The ablation takes the choice away: every key gets the same, whatever its score."),
            Mistake(lambda s: s / s.sum(-1, keepdim=True), "you divided the scores by their sum: they still choose",
                    "Every key gets the same, whatever its score."),
            Mistake(lambda s: s.mean(-1, keepdim=True).expand_as(s), "that is the mean score, not a share",
                    "Every number 1 / N, whatever the scores."),
            Mistake(lambda s: torch.eye(s.shape[1], s.shape[2]).expand_as(s), "each query looks at one key alone",
                    "Each of N keys gets 1 / N."),
            Mistake(lambda s: torch.full_like(s, 1 / s.shape[1] / s.shape[2]), "you divided by T as well",
                    "Each row sums to 1 on its own."),
            Mistake(lambda s: s.softmax(dim=-1), "these weights still depend on the scores",
                    "The ablation takes the choice away: every key gets the same, whatever its score."),
            Mistake(lambda s: torch.full(s.shape[-1:], 1 / s.shape[-1]), "one row came back, not one for each query",
                    "Give back the shape of `scores`: (B, T, N)."),
        ],
        what="your table of weights",
        praise="Equal shares. Now train with them.",
        hint="Give back the shape of `scores`, every number 1 / N.",
    )
