"""Wrong answers that learners of notebook 07 give, and what the check must say of each."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _both(predicted: Tensor, wanted: Tensor) -> Tensor:
    return (predicted & wanted).sum(dim=(1, 2, 3))


def _sizes(predicted: Tensor, wanted: Tensor) -> Tensor:
    return predicted.sum(dim=(1, 2, 3)) + wanted.sum(dim=(1, 2, 3))


def nan_where_empty(predicted, wanted):
    return 2 * _both(predicted, wanted) / _sizes(predicted, wanted)


def zero_where_empty(predicted, wanted):
    return 2 * _both(predicted, wanted) / (_sizes(predicted, wanted) + 1e-8)


def intersection_over_union(predicted, wanted):
    union = (predicted | wanted).sum(dim=(1, 2, 3))
    return torch.where(union > 0, _both(predicted, wanted) / union, 1.0)


def intersection_over_union_with_nan(predicted, wanted):
    return _both(predicted, wanted) / (predicted | wanted).sum(dim=(1, 2, 3))


def no_factor_two(predicted, wanted):
    sizes = _sizes(predicted, wanted)
    return torch.where(sizes > 0, _both(predicted, wanted) / sizes, 1.0)


def no_factor_two_with_nan(predicted, wanted):
    return _both(predicted, wanted) / _sizes(predicted, wanted)


def voxels_that_agree(predicted, wanted):
    return (predicted == wanted).float().mean(dim=(1, 2, 3))


def all_regions_together(predicted, wanted):
    return 2 * (predicted & wanted).sum() / (predicted.sum() + wanted.sum())


def recall(predicted, wanted):
    return _both(predicted, wanted) / wanted.sum(dim=(1, 2, 3)).clamp(min=1)


def precision(predicted, wanted):
    return _both(predicted, wanted) / predicted.sum(dim=(1, 2, 3)).clamp(min=1)


def the_loss(predicted, wanted):
    sizes = _sizes(predicted, wanted)
    return 1 - torch.where(sizes > 0, 2 * _both(predicted, wanted) / sizes, 1.0)


def mean_of_regions(predicted, wanted):
    sizes = _sizes(predicted, wanted)
    return torch.where(sizes > 0, 2 * _both(predicted, wanted) / sizes, 1.0).mean()


def _blocks(key: Tensor, value: Tensor, block: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(key.split(block, dim=1), value.split(block, dim=1), strict=True))


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])


def softmax_in_each_block_summed(query, key, value, block):
    return sum(_scores(query, k).softmax(-1) @ v for k, v in _blocks(key, value, block))


def softmax_in_each_block_averaged(query, key, value, block):
    parts = [_scores(query, k).softmax(-1) @ v for k, v in _blocks(key, value, block)]
    return sum(parts) / len(parts)


def last_block_only(query, key, value, block):
    for k, v in _blocks(key, value, block):
        context = _scores(query, k).softmax(-1) @ v
    return context


def no_maximum(query, key, value, block):
    total, context = 0.0, 0.0
    for k, v in _blocks(key, value, block):
        weights = _scores(query, k).exp()
        total, context = total + weights.sum(-1, keepdim=True), context + weights @ v
    return context / total


def _running(query, key, value, block, *, fade_total=True, fade_context=True, divide=True, scale=None):
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    top, total, context = torch.full_like(query[..., :1], -torch.inf), 0.0, 0.0
    for k, v in _blocks(key, value, block):
        scores = query @ k.transpose(1, 2) * scale
        highest = torch.maximum(top, scores.amax(-1, keepdim=True))
        weights, fade = (scores - highest).exp(), (top - highest).exp()
        total = (total * fade if fade_total else total) + weights.sum(-1, keepdim=True)
        context = (context * fade if fade_context else context) + weights @ v
        top = highest
    return context / total if divide else context


def maximum_forgotten(query, key, value, block):
    return _running(query, key, value, block, fade_total=False, fade_context=False)


def values_not_brought_along(query, key, value, block):
    return _running(query, key, value, block, fade_context=False)


def sum_not_brought_along(query, key, value, block):
    return _running(query, key, value, block, fade_total=False)


def never_divided(query, key, value, block):
    return _running(query, key, value, block, divide=False)


def not_scaled(query, key, value, block):
    return _running(query, key, value, block, scale=1.0)


def scaled_by_the_keys(query, key, value, block):
    return _running(query, key, value, block, scale=1 / math.sqrt(key.shape[1]))


def whole_blocks_only(query, key, value, block):
    end = max(block, key.shape[1] // block * block)
    return _running(query, key[:, :end], value[:, :end], block)


def the_whole_map(query, key, value, block):
    return _scores(query, key).softmax(-1) @ value


def blocks_of_queries(query, key, value, block):
    return torch.cat([_scores(part, key).softmax(-1) @ value for part in query.split(block, dim=1)], dim=1)


def _steps(affinity: Tensor) -> Tensor:
    places = torch.stack(torch.meshgrid(*[torch.arange(n) for n in affinity.shape[1:4]], indexing="ij"), dim=-1)
    return (places[:, :, :, None, None, None] - places).abs().amax(dim=-1)


def _near(affinity: Tensor, reach: int) -> Tensor:
    return torch.where(_steps(affinity) <= reach, affinity, 0.0)


def not_shared_anew(affinity, reach):
    return _near(affinity, reach)


def the_far_ones(affinity, reach):
    far = affinity * (_steps(affinity) > reach)
    return far / far.sum(dim=(4, 5, 6), keepdim=True)


def the_far_ones_without_nan(affinity, reach):
    far = affinity * (_steps(affinity) > reach)
    return far / far.sum(dim=(4, 5, 6), keepdim=True).clamp(min=1e-9)


def strictly_nearer(affinity, reach):
    near = affinity * (_steps(affinity) < reach)
    return near / near.sum(dim=(4, 5, 6), keepdim=True)


def shared_among_queries(affinity, reach):
    near = _near(affinity, reach)
    return near / near.sum(dim=(1, 2, 3), keepdim=True)


def shared_by_all(affinity, reach):
    near = _near(affinity, reach)
    return near / near.sum()


def last_axis_only(affinity, reach):
    near = _near(affinity, reach)
    return near / near.sum(dim=-1, keepdim=True)


def second_softmax(affinity, reach):
    return _near(affinity, reach).flatten(4).softmax(dim=-1).reshape(affinity.shape)


def own_weights_lost(affinity, reach):
    mask = (_steps(affinity) <= reach).float().expand_as(affinity)
    return mask / mask.sum(dim=(4, 5, 6), keepdim=True)


def minus_infinity(affinity, reach):
    return affinity.masked_fill(_steps(affinity) > reach, -torch.inf)


def unchanged(affinity, reach):
    return affinity


WRONG_ANSWERS = {
    "07-dice": [
        (nan_where_empty, "NaN: 0 divided by 0"),
        (zero_where_empty, "left empty gets 0"),
        (intersection_over_union, "intersection over the union"),
        (intersection_over_union_with_nan, "intersection over the union"),
        (no_factor_two, "factor 2 is missing"),
        (no_factor_two_with_nan, "factor 2 is missing"),
        (voxels_that_agree, "background included"),
        (all_regions_together, "one number for all regions"),
        (recall, "too much costs nothing"),
        (precision, "what is missed costs nothing"),
        (the_loss, "1 − Dice"),
        (mean_of_regions, "mean over the regions"),
    ],
    "07-blocks": [
        (softmax_in_each_block_summed, "softmax inside each block"),
        (softmax_in_each_block_averaged, "mean over the blocks"),
        (last_block_only, "only the last block"),
        (no_maximum, "overflow"),
        (maximum_forgotten, "changes from block to block"),
        (values_not_brought_along, "weighted values do not"),
        (sum_not_brought_along, "the sum does not"),
        (never_divided, "never divided"),
        (not_scaled, "not divided by √f"),
        (scaled_by_the_keys, "root of the number of keys"),
        (whole_blocks_only, "last block is left out"),
        (the_whole_map, "in memory at once"),
        (blocks_of_queries, "in memory at once"),
    ],
    "07-near-places": [
        (not_shared_anew, "no longer sums to 1"),
        (the_far_ones, "kept the far places"),
        (the_far_ones_without_nan, "kept the far places"),
        (strictly_nearer, "are lost"),
        (shared_among_queries, "sum over the queries"),
        (shared_by_all, "all weights together"),
        (last_axis_only, "last axis only"),
        (second_softmax, "second softmax"),
        (own_weights_lost, "own weights are lost"),
        (minus_infinity, "before a softmax"),
        (unchanged, "as they were"),
    ],
}
