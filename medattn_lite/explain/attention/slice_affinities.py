"""Slice×slice attention of one pass, and the voxel×voxel weights that its steps add up to.

Step i of recurrent slice attention is x ← (I + β_i A_i ⊗ G) x + constant, where A_i mixes the slices of one direction
and G, the matrix of the shared value projection, mixes channels. The A_i work on different axes and G is the same in
each, so with the maps held still the whole block is

    Π_i (I + β_i A_i ⊗ G)  =  Σ_S (Π_{i∈S} β_i) · (⊗_{i∈S} A_i) ⊗ G^|S|          S: the steps a path takes

A path that takes the steps S goes from voxel k to voxel q with weight Π_{i∈S} A_i[q_i, k_i], and only where q and k
agree along all other axes. Seen from one voxel: three lines (one step), three planes (two steps) and, by all three
steps, the whole volume, each an outer product of rows. Nothing of size N×N is ever needed.

    strength of a path    s_S = |Π β_i| · ‖G^|S|‖_F / √C          1 would be as strong as the skip connection
    weight of k for q     Σ_{S ≠ ∅} s_S Π_{i∈S} A_i[q_i, k_i],     divided by Σ s_S

Rows of A sum to 1, so each path's weights do as well, and its share s_S / Σ s is the same for every voxel. The skip
connection, S = ∅, is left out. Where only one path leads from k to q (they differ along all three axes), s_S A is
exactly the size (Frobenius norm ÷ √C) of the derivative of the context at q by the features at k, maps held; elsewhere
paths of several lengths meet and may cancel, and the sum is an upper bound.

Paper: Zhang et al. 2019, RSANet, figure 4 (one path of three steps). Deviations: the paper gives no such weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import SLICE_SLICE
from medattn_lite.attention.rsa import RecurrentSliceAttention
from medattn_lite.attention.slice_attention import PLANES, SliceAttention, SliceProjections
from medattn_lite.errors import UserError
from medattn_lite.explain.grids import Box, cell_of, count_in_cells, rows_on_image, summing_to_one, to_image_grid

PlanePath = tuple[str, ...]


@dataclass(frozen=True)
class SliceAffinities:
    """Which slices look at which in one block, for a batch of images.

    Attributes:
        layer: name of the block in the network.
        matrices: plane → (B, S, S) at the layer's resolution, in the order of the block's steps.
        strengths: path (planes in order) → its strength against the skip connection; see the module.
        grid: the layer's grid, (d, h, w).
        size: the image's grid, (D, H, W).
        box: where the layer's grid reaches in the image along each axis, see `layer_boxes.layer_box`.
    """

    layer: str
    matrices: dict[str, Tensor]
    strengths: dict[PlanePath, float]
    grid: tuple[int, ...]
    size: tuple[int, ...]
    box: Box

    kind = SLICE_SLICE

    @property
    def planes(self) -> tuple[str, ...]:
        """The directions, in the order of the block's steps."""
        return tuple(self.matrices)

    @property
    def shares(self) -> dict[PlanePath, float]:
        """Path → its share of all that the block adds; all 0 where every β is 0."""
        total = sum(self.strengths.values())
        return {path: strength / total if total else 0.0 for path, strength in self.strengths.items()}

    @property
    def shares_by_steps(self) -> dict[int, float]:
        """Number of steps, 1 to 3 → the share of all paths that take so many; all 0 where every β is 0."""
        shares: dict[int, float] = {}
        for path, share in self.shares.items():
            shares[len(path)] = shares.get(len(path), 0.0) + share
        return shares

    def on_image_slices(self) -> dict[str, Tensor]:
        """See `medattn_lite.explain.attention.affinities.slice_matrices`."""
        along = {plane: self._axis(plane) for plane in self.planes}
        return {plane: rows_on_image(matrix, self.size[along[plane]], self.box[along[plane]])
                for plane, matrix in self.matrices.items()}  # fmt: skip

    def looks_at(self, voxel: Sequence[int], *, path: str | PlanePath | None = None) -> Tensor:
        """See `medattn_lite.explain.attention.affinities.looks_at`; (B, D, H, W)."""
        place = cell_of(voxel, self.size, self.grid, self.box)
        start = torch.zeros(self._batch, *self.grid)
        cell: tuple[int | slice, ...] = (slice(None), *place)
        start[cell] = 1.0
        return self._spread(start, path)

    def received(self, voxels: Tensor | None = None, *, path: str | PlanePath | None = None) -> Tensor:
        """See `medattn_lite.explain.attention.affinities.received_attention`; (B, D, H, W)."""
        asking = count_in_cells(voxels, self._batch, self.size, self.grid, self.box)
        return self._spread(summing_to_one(asking), path)

    @property
    def _batch(self) -> int:
        return len(next(iter(self.matrices.values())))

    def _spread(self, asking: Tensor, path: str | PlanePath | None) -> Tensor:
        """What voxels that ask with weights (B, d, h, w) look at, together, on the image's grid."""
        shares = self.shares if path is None else {self._checked(path): 1.0}
        total = torch.zeros_like(asking)
        for steps, share in shares.items():
            weights = asking
            for plane in steps:
                axis = 1 + self._axis(plane)
                # The row of each asking slice, along this axis: w_k = Σ_q asking_q A_qk.
                moved = weights.movedim(axis, -1).flatten(1, -2)  # (B, others, S)
                shape = weights.movedim(axis, -1).shape
                weights = (moved @ self.matrices[plane]).reshape(shape).movedim(-1, axis)
            total = total + share * weights
        return summing_to_one(to_image_grid(total, self.size, box=self.box))

    def _axis(self, plane: str) -> int:
        return PLANES[len(self.size)][plane] - 2

    def _checked(self, path: str | PlanePath) -> PlanePath:
        wanted = {path} if isinstance(path, str) else set(path)
        planes = tuple(plane for plane in self.planes if plane in wanted)
        if not planes or len(planes) != len(wanted):
            raise UserError(f"{self.layer} has no path {path!r}; choose among its steps {', '.join(self.planes)}")
        return planes


def path_strengths(block: SliceAttention | RecurrentSliceAttention) -> dict[PlanePath, float]:
    """Path → |Π β| · ‖G^n‖_F / √C of a block, shortest paths first."""
    if isinstance(block, RecurrentSliceAttention):
        betas = {plane: float(beta.detach()) for plane, beta in zip(block.order, block.betas, strict=True)}
    else:
        betas = {block.affinity.plane: float(block.beta.detach())}
    strengths = {}
    for length in range(1, len(betas) + 1):
        size = _size_of_power(block.projections, length)
        for path in combinations(betas, length):
            strengths[path] = math.prod(abs(betas[plane]) for plane in path) * size
    return strengths


def _size_of_power(projections: SliceProjections, power: int) -> float:
    """‖G^power‖_F / √C; 1 without projections, where values are the features themselves."""
    if isinstance(projections.value, nn.Identity):
        return 1.0
    matrix = projections.value.weight.detach().double().cpu()  # (C, C)
    return float(torch.linalg.matrix_power(matrix, power).norm() / math.sqrt(len(matrix)))
