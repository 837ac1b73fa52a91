"""Recurrent slice attention (RSA): slice attention along every direction in turn, with shared projections.

    for each direction i:   x ← x + β_i · A_i(θ(x), φ(x)) g(x)          θ, φ, g shared, β_i its own, from 0

After the three steps every voxel has seen every other one, at a cost of D² + H² + W² weights instead of
the (D·H·W)² of a non-local block.

Paper: Zhang et al. 2019, "RSANet: recurrent slice-wise attention network for multiple sclerosis lesion
segmentation". See `slice_attention.py` for one step and its readings.

- `order`: the text runs sagittal, coronal, axial; the authors' code coronal, sagittal, axial (default).
  The order changes the result.
- θ, φ, g are applied again to the updated x in each step, as in the authors' code.

Deviations: 2-D from the same class, along rows and then columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medattn_lite.attention.dimensions import check_feature_map, check_spatial_dims
from medattn_lite.attention.slice_attention import SliceAffinity, SliceProjections, attend_along

DEFAULT_ORDER = {2: ("rows", "columns"), 3: ("coronal", "sagittal", "axial")}
PAPER_ORDER = ("sagittal", "coronal", "axial")


class RecurrentSliceAttention(nn.Module):
    """Recurrent slice attention, the RSA block.

    Args:
        channels: C, channels of the input and the output.
        order: the directions in turn, each once; None for the authors' code.
        spatial_dims: 2 or 3.
        projections: False for the paper's literal eq. 1, without convolutions.
        scaled: divide the dot products by the root of the numbers in a slice.

    Raises:
        ValueError: an unknown or repeated direction.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import RecurrentSliceAttention
        >>> RecurrentSliceAttention(8)(torch.randn(1, 8, 4, 6, 6)).shape
        torch.Size([1, 8, 4, 6, 6])
    """

    def __init__(
        self,
        channels: int,
        *,
        order: tuple[str, ...] | None = None,
        spatial_dims: int = 3,
        projections: bool = True,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        order = DEFAULT_ORDER[spatial_dims] if order is None else tuple(order)
        if not order or len(set(order)) != len(order):
            raise ValueError(f"order is {order}; name each direction once, such as {DEFAULT_ORDER[spatial_dims]}")
        self.channels, self.spatial_dims = channels, spatial_dims
        self.order = order
        self.projections = SliceProjections(channels, projections=projections)
        self.affinities = nn.ModuleDict(
            {plane: SliceAffinity(plane, spatial_dims=spatial_dims, scaled=scaled) for plane in order}
        )
        self.betas = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in order])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        check_feature_map(x, channels=self.channels, spatial_dims=self.spatial_dims)
        for plane, beta in zip(self.order, self.betas, strict=True):
            affinity: SliceAffinity = self.affinities[plane]  # type: ignore[assignment]  # ModuleDict is of Modules
            x = attend_along(affinity, self.projections, beta, x)  # (B, C, D, H, W)
        return x
