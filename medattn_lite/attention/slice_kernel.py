"""Slice attention with two projections instead of three, that keeps its input and its map and nothing else.

    (Wq x_i + bq) · (Wk x_j + bk)  =  (N x_i + c) · x_j + what is the same for every j,    N = Wkᵀ Wq, c = Wkᵀ bq
    A (Wv x + bv)                  =  Wv (A x) + bv,    since each row of A sums to 1

So one projection makes the queries, the keys are the features themselves (a softmax does not see what all keys
share), and the values are projected after they were mixed. Queries and mixed values are computed again in the backward
pass. The result is that of `slice_attention.py` up to rounding; `medattn study benchmarks --only rsa` measures what it
saves.

Paper: none; an implementation of Zhang et al. 2019, eq. 1 and 2.

Deviations: none. The map is not seen by hooks here, so the blocks come here only when nobody watches; not with so few
numbers that nothing is gained; and not below 32 bits, inside torch.compile or torch.func, which see through plain
operations only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

FEWEST = 8192  # numbers in the features; with fewer, the plain way takes as long


def attend_slices(x: Tensor, weights: tuple[Tensor, ...], beta: Tensor, dim: int, scale: float) -> Tensor:
    """x + β · A g(x) along one direction.

    Args:
        x: (B, C, D, H, W) or (B, C, H, W).
        weights: Wq, bq, Wk, bk, Wv, bv of the three projections, (C, C) and (C,).
        beta: a number.
        dim: dimension of x that the slices are stacked along.
        scale: factor of the dot products.

    Returns:
        the same shape as x.
    """
    return _SliceStep.apply(x, *weights, beta, dim, scale)


def fits_kernel(x: Tensor, weights: tuple[Tensor, ...]) -> bool:
    """Whether the kernel may take these: large, in full precision, and no transformation that looks through it."""
    transformed = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    full = x.dtype in (torch.float32, torch.float64) and all(part.dtype == x.dtype for part in weights)
    real = x.device.type != "meta"  # shapes alone: nothing to save
    return real and x.numel() >= FEWEST and full and not transformed and not torch.is_autocast_enabled(x.device.type)


class _SliceStep(torch.autograd.Function):
    """One direction. The gradient of its gradient is that of the formula, written out in `_plain_step`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *arguments: Any) -> Tensor:
        query_weight, query_bias, key_weight, _, value_weight, value_bias, beta, dim, scale = arguments
        query = _project(key_weight.T @ query_weight, x, key_weight.T @ query_bias)  # (B, C, …), N x + c
        affinity = torch.softmax(_products(query, x, dim) * scale, dim=-1)  # (B, S, S)
        mixed = _mix(affinity, x, dim)  # (B, C, …), A x
        result = _project(beta * value_weight, mixed, beta * value_bias, onto=x)  # (B, C, …)
        ctx.save_for_backward(x, affinity, *arguments[:7])
        ctx.dim, ctx.scale = dim, scale
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, affinity, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # a gradient of the gradient is asked for
            return *_plain_gradients(gradient, x, weights, ctx.dim, ctx.scale), None, None
        return *_gradients(gradient.contiguous(), x, affinity, weights, ctx.dim, ctx.scale), None, None


def _gradients(g: Tensor, x: Tensor, affinity: Tensor, weights: list[Tensor], dim: int, scale: float) -> list[Tensor]:
    """Of x, the six weights and β; `g` is that of the result."""
    query_weight, query_bias, key_weight, key_bias, value_weight, value_bias, beta = weights
    joined, shift = key_weight.T @ query_weight, key_weight.T @ query_bias  # N (C, C), c (C,)
    # What the values get.
    g_total = g.flatten(2).sum(dim=(0, 2))  # (C,)
    g_by_mixed = _outer(g, _mix(affinity, x, dim))  # (C, C), g (A x)ᵀ
    d_beta = (g_by_mixed * value_weight).sum() + g_total @ value_bias
    # What the map gets, and through it queries and keys.
    d_mixed = _project(beta * value_weight.T, g)  # (B, C, …)
    d_affinity = _products(d_mixed, x, dim)  # (B, S, S)
    d_scores = affinity * (d_affinity - (affinity * d_affinity).sum(dim=-1, keepdim=True)) * scale
    d_x = g + _mix(affinity.transpose(1, 2), d_mixed, dim)  # (B, C, …)
    del d_mixed, g
    d_x += _mix(d_scores.transpose(1, 2), _project(joined, x, shift), dim)  # as keys
    d_query = _mix(d_scores, x, dim)  # (B, C, …)
    d_x = _project(joined.T, d_query, onto=d_x, in_place=True)  # as queries
    d_joined, d_shift = _outer(d_query, x), d_query.flatten(2).sum(dim=(0, 2))  # (C, C), (C,)
    d_key_weight = query_weight @ d_joined.T + torch.outer(query_bias, d_shift)
    of_query = [key_weight @ d_joined, key_weight @ d_shift]
    return [d_x, *of_query, d_key_weight, torch.zeros_like(key_bias), beta * g_by_mixed, beta * g_total, d_beta]


def _plain_gradients(g: Tensor, x: Tensor, weights: list[Tensor], dim: int, scale: float) -> tuple[Tensor | None, ...]:
    """The same from the formula, itself differentiable."""
    leaves = [part.view_as(part) for part in (x, *weights)]
    result = _plain_step(leaves, dim, scale)
    return torch.autograd.grad(result, leaves, g, create_graph=True, allow_unused=True)


def _plain_step(leaves: list[Tensor], dim: int, scale: float) -> Tensor:
    x, query_weight, query_bias, key_weight, key_bias, value_weight, value_bias, beta = leaves
    query, key = _project(query_weight, x, query_bias), _project(key_weight, x, key_bias)
    affinity = torch.softmax(_products(query, key, dim) * scale, dim=-1)
    return x + beta * _mix(affinity, _project(value_weight, x, value_bias), dim)


def _project(
    weight: Tensor, x: Tensor, bias: Tensor | None = None, *, onto: Tensor | None = None, in_place: bool = False
) -> Tensor:
    """W x + b for every voxel, (B, C, …) to (B, C, …), added to `onto`."""
    features = x.flatten(2)  # (B, C, N)
    weights = weight.expand(len(x), -1, -1)  # (B, C, C)
    if onto is None:
        result = torch.bmm(weights, features)  # (B, C, N)
    elif in_place:
        result = onto.flatten(2).baddbmm_(weights, features)
    else:
        result = torch.baddbmm(onto.flatten(2), weights, features)
    if bias is not None:
        add: Callable[..., Tensor] = torch.add if torch.is_grad_enabled() else Tensor.add_
        result = add(result, bias[:, None])
    return result.reshape(x.shape)


def _outer(first: Tensor, second: Tensor) -> Tensor:
    """Σ over images and voxels of first × second, (C, C)."""
    return torch.bmm(first.flatten(2), second.flatten(2).transpose(1, 2)).sum(dim=0)


def _products(first: Tensor, second: Tensor, dim: int) -> Tensor:
    """Dot products of all slices of one with all slices of the other, (B, S, S)."""
    count, after = first.shape[dim], first.shape[dim + 1 :].numel()
    if after == 1:  # slices are columns already
        return first.flatten(1, -2).transpose(1, 2) @ second.flatten(1, -2)
    if count > after:  # the partial products below would outgrow the features
        rows = [part.movedim(dim, 1).flatten(2) for part in (first, second)]
        return rows[0] @ rows[1].transpose(1, 2)
    blocks = [part.reshape(part.shape[:dim].numel(), count, after) for part in (first, second)]  # 2 × (B·C·…, S, …)
    partial = torch.bmm(blocks[0], blocks[1].transpose(1, 2))  # (B·C·…, S, S)
    return partial.reshape(len(first), first.shape[1:dim].numel(), count, count).sum(dim=1)


def _mix(weights: Tensor, values: Tensor, dim: int) -> Tensor:
    """Weighted sums of slices, Σ_j w_ij v_j, in the shape of the values."""
    count, after = values.shape[dim], values.shape[dim + 1 :].numel()
    if after == 1:
        return (values.flatten(1, -2) @ weights.transpose(1, 2)).reshape(values.shape)
    blocks = values.reshape(len(values), values.shape[1:dim].numel(), count, after)  # (B, C·…, S, …)
    return torch.matmul(weights.unsqueeze(1), blocks).reshape(values.shape)
