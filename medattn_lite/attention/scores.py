"""Dot-product attention from its parts: scores → weights → context.

    e_i = score(s, h_i)        dot: sᵀh_i     scaled: sᵀh_i / √d     additive: vᵀ tanh(W s + U h_i)
    α   = softmax(e / T)
    a   = Σ_i α_i h_i

Papers: Bahdanau et al. 2015 (additive), Luong et al. 2015 (dot), Vaswani et al. 2017 (scaled,
multi-head). The survival deck uses the dot score and puts the context beside the decoder state,
v_t = [a_t ; s_t].

Deviations: a temperature T (1 in every paper) divides the scores, so that the softmax can be made
sharper or flatter. A query whose keys are all masked gets zero weights instead of NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import check_positive
from medattn_lite.attention.maps import QUERY_KEY, AttentionMap
from medattn_lite.attention.products import wide_product


class Attended(NamedTuple):
    """The three steps of one attention: scores (…, N), weights (…, N) and context (…, values)."""

    scores: Tensor
    weights: Tensor
    context: Tensor


def dot_scores(query: Tensor, keys: Tensor) -> Tensor:
    """Scores how well each key fits the query, sᵀh_i.

    Args:
        query: (d,) for one query, or (…, T, d) for T of them.
        keys: (N, d), or (…, N, d).

    Returns:
        (N,) or (…, T, N); of float16 in float32, which holds what 16 bits cannot.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import dot_scores
        >>> dot_scores(torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        tensor([1., 2., 3.])
    """
    _check_features("query", query, "keys", keys)
    return wide_product(query, keys.transpose(-2, -1))


def scaled_dot_scores(query: Tensor, keys: Tensor) -> Tensor:
    """Divides `dot_scores` by √d, which keeps their spread the same for every d (Vaswani et al. 2017).

    Example:
        >>> import torch
        >>> from medattn_lite.attention import scaled_dot_scores
        >>> scaled_dot_scores(torch.ones(4), torch.ones(2, 4))  # 4 / √4
        tensor([2., 2.])
    """
    return dot_scores(query, keys) / math.sqrt(query.shape[-1])


class AdditiveScores(nn.Module):
    """Scores by a small network, vᵀ tanh(W s + U h_i); query and keys may differ in width.

    Args:
        query_features: width of the query.
        key_features: width of the keys.
        hidden_features: width of the network in between.
    """

    def __init__(self, query_features: int, key_features: int, *, hidden_features: int = 32) -> None:
        super().__init__()
        self.query = nn.Linear(query_features, hidden_features, bias=False)
        self.key = nn.Linear(key_features, hidden_features, bias=True)
        self.score = nn.Linear(hidden_features, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """(…, T, d_q) and (…, N, d_k) to (…, T, N); a single query (d_q,) gives (N,)."""
        projected_query = self.query(query).unsqueeze(-2)  # (…, T, 1, hidden)
        projected_keys = self.key(keys)  # (…, N, hidden)
        if query.dim() > 1:
            projected_keys = projected_keys.unsqueeze(-3)  # (…, 1, N, hidden)
        hidden = torch.tanh(projected_query + projected_keys)  # (…, T, N, hidden)
        return self.score(hidden).squeeze(-1)  # (…, T, N)


def softmax_weights(scores: Tensor, *, temperature: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """Takes the softmax over the last axis: weights that are positive and sum to 1.

    Args:
        scores: (…, N).
        temperature: the scores are divided by it. Below 1 sharper, above 1 flatter.
        mask: bool, broadcastable to the scores; True keeps a key, False hides it.

    Raises:
        ValueError: the temperature is not above 0.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import softmax_weights
        >>> softmax_weights(torch.tensor([2.0, 0.0, 0.0]), mask=torch.tensor([True, True, False]))
        tensor([0.8808, 0.1192, 0.0000])
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; use a number above 0 (1 leaves the scores as they are)")
    scores = scores / temperature
    if mask is None:
        return torch.softmax(scores, dim=-1)
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
    nothing_to_see = ~mask.expand_as(scores).any(dim=-1, keepdim=True)
    return weights.masked_fill(nothing_to_see, 0.0)


SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"dot": dot_scores, "scaled": scaled_dot_scores}


def attend(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    score: str | Callable[[Tensor, Tensor], Tensor] = "dot",
    temperature: float = 1.0,
    mask: Tensor | None = None,
) -> Attended:
    """Computes scores, weights and context in one call, and returns all three to be looked at.

    Args:
        query: (d,) or (…, T, d).
        keys: (N, d) or (…, N, d).
        values: (N, v) or (…, N, v); what is averaged.
        score: "dot", "scaled", or a function such as an `AdditiveScores`.
        temperature: see `softmax_weights`.
        mask: see `softmax_weights`.

    Raises:
        ValueError: the score has another name, or keys and values differ in number.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import attend
        >>> query, keys = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> attended = attend(query, keys, values=torch.tensor([[10.0], [20.0]]))
        >>> attended.weights
        tensor([[0.7311, 0.2689]])
        >>> attended.context
        tensor([[12.6894]])
    """
    if isinstance(score, str) and score not in SCORES:
        raise ValueError(f"unknown score {score!r}; use {', '.join(map(repr, SCORES))} or a function")
    if keys.shape[-2] != values.shape[-2]:
        raise ValueError(f"{keys.shape[-2]} keys but {values.shape[-2]} values; give one value for each key")
    scores = (SCORES[score] if isinstance(score, str) else score)(query, keys)  # (…, T, N)
    weights = softmax_weights(scores, temperature=temperature, mask=mask)  # (…, T, N)
    context = weights.to(values.dtype) @ values  # (…, T, v)
    return Attended(scores, weights, context)


class AttentionWeights(AttentionMap):
    """Softmax of the scores as a module, so that the weights can be captured.

    Args:
        axes: names of the map's dimensions.
        score: "dot", "scaled", or a module such as `AdditiveScores`, whose parameters it then owns.
        temperature: see `softmax_weights`.
    """

    def __init__(self, *, axes: tuple[str, ...], score: str | nn.Module = "dot", temperature: float = 1.0) -> None:
        super().__init__(kind=QUERY_KEY, axes=axes)
        if isinstance(score, str) and score not in SCORES:
            raise ValueError(f"unknown score {score!r}; use {', '.join(map(repr, SCORES))} or a module")
        self.score = SCORES[score] if isinstance(score, str) else score
        self.temperature = temperature

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """(…, T, d) and (…, N, d) to weights (…, T, N)."""
        scores = self.score(query, keys)
        return softmax_weights(scores, temperature=self.temperature, mask=mask).to(keys.dtype)


class Seq2SeqAttention(nn.Module):
    """Attention of a decoder over the encoder's states, as in the survival deck: v_t = [a_t ; s_t].

    Args:
        features: width d of encoder and decoder states.
        score: "dot" (the deck), "scaled" or "additive".
        temperature: see `softmax_weights`.
        hidden_features: width of the additive score's network; unused by the others.
    """

    def __init__(
        self, features: int, *, score: str = "dot", temperature: float = 1.0, hidden_features: int = 32
    ) -> None:
        super().__init__()
        check_positive("features", features)
        self.features = features
        scorer = AdditiveScores(features, features, hidden_features=hidden_features) if score == "additive" else score
        self.weights = AttentionWeights(
            axes=("batch", "decoder step", "encoder step"), score=scorer, temperature=temperature
        )

    def forward(self, decoder_states: Tensor, encoder_states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Puts each decoder state's context in front of it.

        Args:
            decoder_states: s, (B, T, d).
            encoder_states: h, (B, N, d).
            mask: bool (B, N); False hides a padded encoder step.

        Returns:
            (B, T, 2d): the context a_t, then the decoder state s_t.
        """
        if mask is not None:
            mask = mask.unsqueeze(1)  # (B, 1, N)
        weights = self.weights(decoder_states, encoder_states, mask)  # (B, T, N)
        context = weights @ encoder_states  # (B, T, d)
        return torch.cat([context, decoder_states], dim=-1)  # (B, T, 2d)


def _check_features(first: str, a: Tensor, second: str, b: Tensor) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"{first} has {a.shape[-1]} features and {second} have {b.shape[-1]}; "
            "a dot product needs the same number (or use AdditiveScores)"
        )
