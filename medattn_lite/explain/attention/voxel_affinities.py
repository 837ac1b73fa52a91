"""Voxel×voxel attention of one pass, row by row: non-local blocks and the global fusion of dual fusion.

    A_qk = softmax_k(q_qᵀ k_k)

The block's queries and keys are kept, never the N×N matrix: a row is made when it is asked for, by the block's own
`VoxelAffinity`. So dual fusion over every voxel, whose matrix would not fit, can be looked at as well.

Places. A query is the layer's voxel that the image's voxel lies in, as `layer_cells` tells. A row lies on the grid of
the keys. Where a non-local block has pooled them by 2 in plane, each weight is first given back in equal
parts to the voxels it was the maximum over; an odd axis has a last one that no key was made from, and it gets 0.
Then it goes to the image's grid by `to_image_grid`, and where it comes from a softmax, it is made to sum to 1 again.

Paper: Wang et al. 2018, "Non-local neural networks", figure 3 shows rows of the matrix.
Deviations: for dual fusion with a token grid, the row is that of the token the voxel lies in; the network itself mixes
the results of neighbouring tokens linearly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medattn_lite.attention.maps import VOXEL_VOXEL
from medattn_lite.attention.slice_attention import PLANES
from medattn_lite.attention.voxel_affinity import VoxelAffinity
from medattn_lite.errors import UserError
from medattn_lite.explain.grids import Box, cell_of, count_in_cells, rows_on_image, summing_to_one, to_image_grid

MOST_WEIGHTS = 2**24  # weights in memory at once while rows are averaged: 64 MiB


@dataclass(frozen=True)
class VoxelAffinities:
    """Who looks at whom in one block, for a batch of images.

    Attributes:
        layer: name of the block in the network.
        affinity: the module that makes weights from queries and keys.
        query: (B, C, d, h, w), without d in 2-D.
        key: (B, C, d', h', w').
        grid: the grid that the keys' weights are given back to, (d, h, w).
        size: the image's grid, (D, H, W).
        box: where the layer's grid reaches in the image along each axis, see `layer_boxes.layer_box`.
    """

    layer: str
    affinity: VoxelAffinity
    query: Tensor
    key: Tensor
    grid: tuple[int, ...]
    size: tuple[int, ...]
    box: Box

    kind = VOXEL_VOXEL

    @property
    def planes(self) -> tuple[str, ...]:
        """The directions that its slices can be looked at along."""
        return tuple(PLANES[len(self.size)])

    @property
    def sums_to_one(self) -> bool:
        """Whether rows come from a softmax; otherwise they have signs."""
        return self.affinity.softmax

    def row(self, voxel: Sequence[int]) -> Tensor:
        """The weights of one of the image's voxels, (B, d, h, w) on the layer's grid."""
        place = cell_of(voxel, self.size, tuple(self.query.shape[2:]), self.box)
        cell = (slice(None), slice(None), *(slice(index, index + 1) for index in place))
        query = self.query[cell]  # (B, C, 1, 1, 1)
        with torch.no_grad():
            weights = self.affinity(query, self.key)  # (B, 1, 1, 1, d', h', w')
        return self._given_back(weights.reshape(len(query), *self.key.shape[2:]))

    def looks_at(self, voxel: Sequence[int], *, path: object = None) -> Tensor:
        """See `medattn_lite.explain.attention.affinities.looks_at`; (B, D, H, W)."""
        self._check_path(path)
        return self._on_image(self.row(voxel))

    def received(self, voxels: Tensor | None = None, *, path: object = None) -> Tensor:
        """See `medattn_lite.explain.attention.affinities.received_attention`; (B, D, H, W)."""
        self._check_path(path)
        asking = count_in_cells(voxels, len(self.query), self.size, tuple(self.query.shape[2:]), self.box)
        return self._on_image(self._mean_row(asking))

    def on_image_slices(self) -> dict[str, Tensor]:
        """Plane → (B, S, S): how the voxels of slice i look, in the mean, at slice j; see `slice_matrices`."""
        matrices = {}
        for plane, axis in PLANES[len(self.size)].items():
            length, extent, slices = self.size[axis - 2], self.box[axis - 2], self.query.shape[axis]
            rows = []
            for index in range(slices):
                asking = torch.zeros(len(self.query), *self.query.shape[2:])
                asking.select(axis - 1, index).fill_(1.0)
                rows.append(self._mean_row(asking).movedim(axis - 1, 1).flatten(2).sum(2))  # (B, s)
            matrices[plane] = rows_on_image(torch.stack(rows, dim=1), length, extent, softmax=self.sums_to_one)
        return matrices

    def _mean_row(self, asking: Tensor) -> Tensor:
        """The mean of the rows of queries with weights (B, …) on their grid; (B, d, h, w), made part by part."""
        batch, channels = self.query.shape[:2]
        share = summing_to_one(asking.to(self.query)).flatten(1)  # (B, N)
        present = share.amax(0).nonzero()[:, 0]
        keys = math.prod(self.key.shape[2:])
        flat = self.query.flatten(2)  # (B, C, N)
        total = flat.new_zeros(batch, keys)
        ones = (1,) * (len(self.size) - 1)
        for part in present.split(max(1, MOST_WEIGHTS // (batch * keys))):
            with torch.no_grad():
                rows = self.affinity(flat[:, :, part].reshape(batch, channels, len(part), *ones), self.key)
            total += torch.einsum("bn,bnk->bk", share[:, part], rows.reshape(batch, len(part), keys))
        return self._given_back(total.reshape(batch, *self.key.shape[2:])).float().cpu()

    def _given_back(self, weights: Tensor) -> Tensor:
        """Weights of pooled keys (B, d', h', w') in equal parts on the voxels they came from, (B, d, h, w)."""
        for axis, (have, want) in enumerate(zip(self.key.shape[2:], self.grid, strict=True), start=1):
            if have != want:
                weights = weights.repeat_interleave(2, dim=axis) / 2
                missing = list(weights.shape)
                missing[axis] = want - weights.shape[axis]
                weights = torch.cat([weights, weights.new_zeros(missing)], dim=axis)
        return weights

    def _on_image(self, weights: Tensor) -> Tensor:
        values = to_image_grid(weights.float().cpu(), self.size, box=self.box)
        return summing_to_one(values) if self.sums_to_one else values

    def _check_path(self, path: object) -> None:
        if path is not None:
            raise UserError(f"{self.layer} looks at all voxels at once and has no paths; leave path={path!r} out")
