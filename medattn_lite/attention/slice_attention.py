"""Slice attention (SA): every slice becomes a weighted sum of all slices along one direction.

    A_ij = softmax_j(θ(M)_i · φ(M)_j)          eq. 1; slices as rows of C·H·W numbers
    M'   = β · A g(M) + M                       eq. 2; β starts at 0, so the block starts as the identity

Paper: Zhang et al. 2019, "RSANet: recurrent slice-wise attention network for multiple sclerosis lesion
segmentation"; the authors' code decides where the text is open. `rsa.py` runs it in all directions.

Readings, each with its option:
- `projections`: eq. 1 uses M itself for θ, φ and g; the authors' code has three 1×1×1 convolutions
  (default). Without them the map is the identity matrix to float precision, and SA(x) = (1 + β) x.
- `scaled`: neither text nor code divides by √(C·H·W) (default False). Unscaled maps saturate: their
  largest weight is close to 1.
- the paper calls β α, and α appears at the other summand in the text of figure 4; eq. 2 and the code agree.

Deviations: 2-D from the same class, where the slices are rows or columns. The 1×1×1 convolutions are
written as linear maps of the channels, which they are: with unscaled scores in the hundreds, the last bit
of a score decides the sixth digit of the result, and a matrix product rounds alike on any number of threads. Where
nobody watches the map, `slice_kernel.py` computes the same with fewer projections, up to rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import check_feature_map, check_positive, check_spatial_dims
from medattn_lite.attention.maps import SLICE_SLICE, AttentionMap, has_hooks
from medattn_lite.attention.products import wide_product
from medattn_lite.attention.slice_kernel import attend_slices, fits_kernel

# Name of a direction → the dimension of (B, C, D, H, W) or (B, C, H, W) that its slices are stacked along.
PLANES = {2: {"rows": 2, "columns": 3}, 3: {"axial": 2, "coronal": 3, "sagittal": 4}}


class SliceAffinity(AttentionMap):
    """Affinity of every slice with every slice; its output is the map (B, S, S).

    Args:
        plane: "axial" (along D), "coronal" (along H) or "sagittal" (along W); in 2-D "rows" or "columns".
        spatial_dims: 2 or 3.
        scaled: divide the dot products by the root of the numbers in a slice.

    Raises:
        ValueError: an unknown plane.
    """

    def __init__(self, plane: str, *, spatial_dims: int = 3, scaled: bool = False) -> None:
        check_spatial_dims(spatial_dims)
        if plane not in PLANES[spatial_dims]:
            raise ValueError(f"unknown plane {plane!r}; in {spatial_dims}-D use {', '.join(PLANES[spatial_dims])}")
        super().__init__(kind=SLICE_SLICE, axes=("batch", f"query {plane} slice", f"key {plane} slice"))
        self.plane = plane
        self.dim = PLANES[spatial_dims][plane]
        self.scaled = scaled

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Two (B, C, D, H, W) to (B, S, S); row i says which slices j slice i looks at."""
        query_rows = self._rows(query)  # (B, S, C·H·W), M₂ of the paper
        key_columns = self._columns(key)  # (B, C·H·W, S), M₁
        scores = wide_product(query_rows, key_columns)  # (B, S, S)
        if self.scaled:
            scores = scores * self.scale(query)
        return torch.softmax(scores, dim=-1).to(query.dtype)

    def scale(self, features: Tensor) -> float:
        """Factor of the dot products of slices of these features."""
        return 1 / math.sqrt(features.shape[1:].numel() / features.shape[self.dim]) if self.scaled else 1.0

    def gather(self, affinity: Tensor, values: Tensor) -> Tensor:
        """Weighted sums of the slices of `values` (B, C, D, H, W), in the same shape."""
        mixed = affinity @ self._rows(values)  # (B, S, C·H·W), A M₃
        slices_first = values.movedim(self.dim, 1).shape
        return mixed.reshape(slices_first).movedim(1, self.dim)

    def _rows(self, features: Tensor) -> Tensor:
        return features.movedim(self.dim, 1).flatten(2)

    def _columns(self, features: Tensor) -> Tensor:
        return features.movedim(self.dim, -1).flatten(1, -2)


class ChannelProjection(nn.Linear):
    """1×1 (×1) convolution as a linear map of the channels; the same weights serve 2-D and 3-D."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, …) to (B, C_out, …)."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class SliceProjections(nn.Module):
    """θ, φ and g: query, key and value of the slices by 1×1×1 convolutions, or the features as they are.

    Args:
        channels: C.
        projections: False for the paper's literal eq. 1.
    """

    def __init__(self, channels: int, *, projections: bool = True) -> None:
        super().__init__()
        check_positive("channels", channels)
        self.query = ChannelProjection(channels, channels) if projections else nn.Identity()
        self.key = ChannelProjection(channels, channels) if projections else nn.Identity()
        self.value = ChannelProjection(channels, channels) if projections else nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, D, H, W) to three of the same shape."""
        return self.query(x), self.key(x), self.value(x)

    def weights(self) -> tuple[Tensor, ...] | None:
        """Weight and bias of θ, φ and g; None where they are something else, or a hook would miss their use."""
        layers = [layer for layer in (self.query, self.key, self.value) if type(layer) is ChannelProjection]
        if len(layers) < 3 or any(has_hooks(layer) for layer in (*layers, self)):
            return None
        return tuple(part for layer in layers for part in (layer.weight, layer.bias))


def attend_along(affinity_of: SliceAffinity, projections: SliceProjections, beta: Tensor, x: Tensor) -> Tensor:
    """One step of slice attention, x + β · A g(x).

    Args:
        affinity_of: makes the map along its plane; where nobody watches it, the map stays inside a kernel.
        projections: θ, φ and g.
        beta: a number.
        x: (B, C, D, H, W) or (B, C, H, W).

    Returns:
        the same shape as x.
    """
    weights = projections.weights()
    if weights is not None and not affinity_of.is_watched and fits_kernel(x, weights):
        return attend_slices(x, weights, beta, affinity_of.dim, affinity_of.scale(x))
    query, key, value = projections(x)  # 3 × (B, C, D, H, W)
    affinity = affinity_of(query, key)  # (B, S, S)
    context = affinity_of.gather(affinity, value)  # (B, C, D, H, W)
    return x + beta * context


class SliceAttention(nn.Module):
    """Slice attention along one direction, the SA block.

    Args:
        channels: C, channels of the input and the output.
        plane: direction; see `SliceAffinity`. "axial" by default, "rows" in 2-D.
        spatial_dims: 2 or 3.
        projections: False for the paper's literal eq. 1.
        scaled: divide the dot products by the root of the numbers in a slice.

    Raises:
        ValueError: an unknown plane.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import SliceAttention
        >>> SliceAttention(8, plane="coronal")(torch.randn(1, 8, 4, 6, 6)).shape
        torch.Size([1, 8, 4, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        *,
        plane: str | None = None,
        spatial_dims: int = 3,
        projections: bool = True,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        self.channels, self.spatial_dims = channels, spatial_dims
        plane = next(iter(PLANES[spatial_dims])) if plane is None else plane
        self.projections = SliceProjections(channels, projections=projections)
        self.affinity = SliceAffinity(plane, spatial_dims=spatial_dims, scaled=scaled)
        self.beta = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        check_feature_map(x, channels=self.channels, spatial_dims=self.spatial_dims)
        return attend_along(self.affinity, self.projections, self.beta, x)
