"""A segmentation network that sees slices coarser than they are, and answers at their own size.

    image → mean of n×n pixels of a slice → network → logits, interpolated to the image's size

With n = 2 a step costs a quarter. The loss is still counted in the image's own voxels, so that edges between coarse
pixels are learned through the interpolated logits, and scores are of the masks as they are.

Paper: none; a network trained and scored on shrunk slices is a common way, which scores another mask.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from medattn_lite.errors import UserError


class CoarseInPlane(nn.Module):
    """Wraps a network of volumes.

    Args:
        network: (B, C, D, H, W) to (B, K, D, H, W).
        step: pixels of a slice that become one, along H and W.

    Raises:
        UserError: the step is below 1.
    """

    def __init__(self, network: nn.Module, step: int) -> None:
        super().__init__()
        if step < 1:
            raise UserError(f"the step within a slice is {step}: give 1 or more pixels")
        self.network, self.step = network, step

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to (B, K, D, H, W)."""
        size = (1, self.step, self.step)
        small = F.avg_pool3d(x, size, ceil_mode=True, count_include_pad=False)  # (B, C, D, H / n, W / n)
        logits = self.network(small)  # (B, K, D, H / n, W / n)
        factors = [float(factor) for factor in size]
        large = F.interpolate(logits, scale_factor=factors, mode="trilinear")  # (B, K, D, H, W), or a pixel more
        return large[..., : x.shape[-2], : x.shape[-1]]  # (B, K, D, H, W)
