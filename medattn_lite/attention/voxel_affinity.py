"""How much each place of one feature map looks at each place of another: the voxel×voxel map.

    A_ij = softmax_j(q_iᵀ k_j)        or  q_iᵀ k_j / N  without the softmax

Shared by the non-local block (Wang et al. 2018) and the global fusion of the dual fusion paper. The map
keeps the grid of the queries and the grid of the keys as axes of their own, so that the row of one
voxel is a picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from medattn_lite.attention.dimensions import SPATIAL_AXES, check_spatial_dims
from medattn_lite.attention.maps import VOXEL_VOXEL, AttentionMap


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
        scores = query_tokens @ key_tokens  # (B, N, M)
        if self.scaled:
            scores = scores / math.sqrt(query.shape[1])
        affinity = torch.softmax(scores, dim=-1) if self.softmax else scores / scores.shape[-1]
        return affinity.reshape(query.shape[0], *query.shape[2:], *key.shape[2:])


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
