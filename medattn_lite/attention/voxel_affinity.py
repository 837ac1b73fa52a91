"""How much each place of one feature map looks at each place of another: the voxel×voxel map.

    A_ij = softmax_j(q_iᵀ k_j)        or  q_iᵀ k_j / N  without the softmax

Shared by the non-local block (Wang et al. 2018) and the global fusion of the dual fusion paper. The map
keeps the grid of the queries and the grid of the keys as axes of their own, so that the row of one
voxel is a picture.

`attend_voxels` gives the weighted sums without building the map (memory-efficient kernel of torch), for when nobody
looks at it; the result is the same up to rounding.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from medattn_lite.attention.dimensions import SPATIAL_AXES, check_spatial_dims
from medattn_lite.attention.maps import VOXEL_VOXEL, AttentionMap
from medattn_lite.attention.products import wide_product


class VoxelAffinity(AttentionMap):
    """Affinity of every query voxel with every key voxel.

    Args:
        spatial_dims: 2 or 3.
        softmax: True for weights that sum to 1 over the keys; False for dot products divided by
            the number of keys.
        scaled: whether the dot products are divided by √C.
    """

    def __init__(self, *, spatial_dims: int = 3, softmax: bool = True, scaled: bool = False) -> None:
        check_spatial_dims(spatial_dims)
        space = SPATIAL_AXES[spatial_dims]
        axes = ("batch", *(f"query {axis}" for axis in space), *(f"key {axis}" for axis in space))
        super().__init__(kind=VOXEL_VOXEL, axes=axes)
        self.softmax = softmax
        self.scaled = scaled

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """(B, C, D, H, W) and (B, C, D', H', W') to (B, D, H, W, D', H', W')."""
        query_tokens = query.flatten(2).transpose(1, 2)  # (B, N, C)
        key_tokens = key.flatten(2)  # (B, C, M)
        scores = wide_product(query_tokens, key_tokens)  # (B, N, M)
        if self.scaled:
            scores = scores / math.sqrt(query.shape[1])
        affinity = torch.softmax(scores, dim=-1) if self.softmax else scores / scores.shape[-1]
        return affinity.to(query.dtype).reshape(query.shape[0], *query.shape[2:], *key.shape[2:])


def gather_context(affinity: Tensor, values: Tensor) -> Tensor:
    """Weighted sum of the values, y_i = Σ_j A_ij v_j.

    Args:
        affinity: (B, D, H, W, D', H', W') from a `VoxelAffinity`.
        values: (B, C, D', H', W').

    Returns:
        (B, C, D, H, W).
    """
    batch, channels, *key_grid = values.shape
    query_grid = affinity.shape[1 : affinity.dim() - len(key_grid)]
    weights = affinity.reshape(batch, math.prod(query_grid), math.prod(key_grid))  # (B, N, M)
    tokens = values.flatten(2).transpose(1, 2)  # (B, M, C)
    context = weights @ tokens  # (B, N, C)
    return context.transpose(1, 2).reshape(batch, channels, *query_grid)


def attend_voxels(affinity: VoxelAffinity, query: Tensor, key: Tensor, values: Tensor) -> Tensor:
    """y_i = Σ_j A_ij v_j: by the map where somebody watches it or it has no softmax, else by the fused kernel.

    Args:
        affinity: makes the map, or says how.
        query: (B, C, D, H, W).
        key: (B, C, D', H', W').
        values: (B, C_v, D', H', W').

    Returns:
        (B, C_v, D, H, W).
    """
    if affinity.is_watched or not affinity.softmax:
        return gather_context(affinity(query, key), values)
    scale = 1 / math.sqrt(query.shape[1]) if affinity.scaled else 1.0
    q, k, v = (_as_one_head(features) for features in (query, key, values))  # 3 × (B, 1, N, C)
    needs_gradient = torch.is_grad_enabled() and any(part.requires_grad for part in (q, k, v))
    if needs_gradient and not _is_transformed():
        context = _FusedAttention.apply(q, k, v, scale)  # (B, 1, N, C_v)
    else:
        context = F.scaled_dot_product_attention(q, k, v, scale=scale)  # (B, 1, N, C_v)
    return context.transpose(2, 3).reshape(values.shape[0], values.shape[1], *query.shape[2:])


def _as_one_head(features: Tensor) -> Tensor:
    """(B, C, D, H, W) to (B, 1, N, C), contiguous: otherwise torch takes the kernel that builds the (N, N) matrix."""
    return features.flatten(2).transpose(1, 2).unsqueeze(1).contiguous()


def _is_transformed() -> bool:
    """Whether torch.compile or torch.func is at work, which handle the kernel but no Python function around it."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


class _FusedAttention(torch.autograd.Function):
    """torch's fused attention, whose own gradient has no gradient; where one is asked for, the formula's is taken."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, values: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(query, key, values)
        ctx.scale = scale
        with torch.enable_grad():  # keeps what the kernel's own backward needs
            ctx.leaves = [part.detach().requires_grad_() for part in (query, key, values)]
            q, k, v = ctx.leaves
            ctx.output = F.scaled_dot_product_attention(q, k, v, scale=scale)
        return ctx.output.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        leaves, output = ctx.leaves, ctx.output
        if torch.is_grad_enabled():  # a gradient of the gradient is asked for
            leaves = query, key, values = [part.view_as(part) for part in ctx.saved_tensors]
            output = torch.softmax(query @ key.transpose(-2, -1) * ctx.scale, dim=-1) @ values
        gradients = torch.autograd.grad(
            output, leaves, gradient, retain_graph=True, create_graph=torch.is_grad_enabled(), allow_unused=True
        )
        return *gradients, None
