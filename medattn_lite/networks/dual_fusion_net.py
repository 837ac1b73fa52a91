"""Dual fusion: two trained segmentation networks joined late, early, or by the dual-fusion attention head.

    late        p = (σ(logits₁) + σ(logits₂)) / 2
    early       logits = f_1(ReLU(f_1([F₁ ; F₂])))
    attention   logits = DualFusionAttention(F₁, F₂)

F₁ and F₂ are the last feature maps of DynUNet and SegResNet. Paper: the dual fusion paper, "3D dual-fusion
attention network for brain tumor segmentation", whose Table 2 compares the three. At published size with
the attention head: 36,011,897 parameters = 31,192,035 (DynUNet) + 4,702,227 (SegResNet) + 117,635 (head);
the last convolutions of the two networks are counted, though only late fusion uses them.

Readings:
- Whether the two networks go on learning is not said. "Pre-trained" is read as frozen (`frozen=True`):
  no gradients, and dropout and norms stay in evaluation mode even while the head trains.
- Early fusion is "two Conv3D 1x1x1 layers"; a ReLU stands between them, since two linear layers are one.
- Attention "at every voxel" is exact where the feature maps are no larger than `token_grid`, and over a grid
  of tokens where they are larger; see `medattn_lite.attention.dual_fusion`. The log says which it was.

Deviations: every forward gives logits. Those of late fusion are the logit of the mean probability, so
that a sigmoid gives back exactly the paper's average.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import CONVOLUTION
from medattn_lite.attention.dual_fusion import DualFusionAttention, GlobalFusion
from medattn_lite.errors import UserError
from medattn_lite.networks.dual_fusion_backbones import (
    DYNUNET_FILTERS,
    SegmentationBackbone,
    dynunet,
    segresnet,
)

FUSIONS = ("late", "early", "attention")
log = logging.getLogger(__name__)


def average_probabilities(first_logits: Tensor, second_logits: Tensor) -> Tensor:
    """Logits of the mean of two probabilities: sigmoid(result) = (σ(first) + σ(second)) / 2.

    Written with logarithms, so that probabilities too close to 0 or 1 for a float keep their order.
    """
    log_yes = torch.logaddexp(F.logsigmoid(first_logits), F.logsigmoid(second_logits))
    log_no = torch.logaddexp(F.logsigmoid(-first_logits), F.logsigmoid(-second_logits))
    return log_yes - log_no


class EarlyFusionHead(nn.Module):
    """Both feature maps side by side, then two 1×1×1 convolutions: the paper's "early fusion" to compare with.

    Args:
        in_channels: channels of the first and the second map.
        channels: channels between the two convolutions.
        num_classes: regions.
        spatial_dims: 2 or 3.
    """

    def __init__(
        self, in_channels: tuple[int, int], *, channels: int = 32, num_classes: int = 3, spatial_dims: int = 3
    ) -> None:
        super().__init__()
        convolution = CONVOLUTION[spatial_dims]
        self.join = convolution(sum(in_channels), channels, 1)
        self.head = convolution(channels, num_classes, 1)

    def forward(self, first_features: Tensor, second_features: Tensor) -> Tensor:
        """(B, f₁, D, H, W) and (B, f₂, D, H, W) to logits (B, classes, D, H, W)."""
        joined = torch.cat([first_features, second_features], dim=1)  # (B, f₁ + f₂, D, H, W)
        mixed = torch.relu(self.join(joined))  # (B, f, D, H, W)
        return self.head(mixed)  # (B, classes, D, H, W)


class DualFusionNet(nn.Module):
    """Two segmentation networks and what joins them.

    Args:
        first: a trained `dynunet(…)`; its map gives the queries.
        second: a trained `segresnet(…)`; its map gives the keys.
        fusion: "attention", "early" or "late".
        channels: f, channels inside the head; late fusion has no head.
        token_grid: most tokens per axis of the attention; None for every voxel whatever the size.
        frozen: keep both networks as they are; False trains them with the head.

    Raises:
        UserError: an unknown fusion, or networks that do not fit each other.
    """

    def __init__(
        self,
        first: SegmentationBackbone,
        second: SegmentationBackbone,
        *,
        fusion: str = "attention",
        channels: int = 32,
        token_grid: int | tuple[int, ...] | None = 16,
        frozen: bool = True,
    ) -> None:
        super().__init__()
        _check_pair(first, second, fusion)
        self.first = first
        self.second = second
        self.fusion = fusion
        in_channels = (first.num_features, second.num_features)
        shared: dict[str, Any] = {
            "channels": channels, "num_classes": first.num_classes, "spatial_dims": first.spatial_dims,
        }  # fmt: skip
        self.head: nn.Module
        if fusion == "early":
            self.head = EarlyFusionHead(in_channels, **shared)
        elif fusion == "attention":
            self.head = DualFusionAttention(in_channels, token_grid=token_grid, **shared)
        self.frozen = frozen
        self._logged_sizes: set[tuple[int, ...]] = set()
        if frozen:
            first.requires_grad_(False)
            second.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> DualFusionNet:
        """Training mode for the head alone while the two networks are frozen, else for everything."""
        super().train(mode)
        if self.frozen:
            self.first.eval()
            self.second.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) images to logits (B, classes, D, H, W), one channel per region."""
        if self.fusion == "late":
            return average_probabilities(self.first(x), self.second(x))  # (B, classes, D, H, W)
        first_features = self.first.features(x)  # (B, f₁, D, H, W)
        second_features = self.second.features(x)  # (B, f₂, D, H, W)
        if self.fusion == "attention":
            self._log_attention(tuple(x.shape[2:]))
        return self.head(first_features, second_features)  # (B, classes, D, H, W)

    def _log_attention(self, size: tuple[int, ...]) -> None:
        attention = self.head.global_fusion
        if size in self._logged_sizes or not isinstance(attention, GlobalFusion):
            return
        self._logged_sizes.add(size)
        written = "×".join(map(str, size))
        if attention.token_grid is None or attention.is_exact(size):
            log.info("dual fusion attends to all voxels of %s, exactly", written)
        else:
            grid = zip(attention.token_grid, size, strict=True)
            tokens = "×".join(str(min(most, side)) for most, side in grid)
            log.info("dual fusion attends to %s tokens, means over the voxels of %s", tokens, written)


def dual_fusion(
    *,
    spatial_dims: int = 3,
    in_channels: int = 4,
    num_classes: int = 3,
    filters: Sequence[int] = DYNUNET_FILTERS,
    init_filters: int = 16,
    normalised: bool = True,
    **options,
) -> DualFusionNet:
    """Builds both networks untrained and joined, at published size by default; load weights, then train the head.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        num_classes: regions.
        filters: of DynUNet.
        init_filters: of SegResNet.
        normalised: which map of SegResNet is joined, see `segresnet`.
        **options: see `DualFusionNet`.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import dual_fusion
        >>> network = dual_fusion(in_channels=1, filters=(8, 8, 16), init_filters=8)
        >>> network(torch.randn(1, 1, 16, 16, 16)).shape
        torch.Size([1, 3, 16, 16, 16])
    """
    common: dict[str, Any] = {"spatial_dims": spatial_dims, "in_channels": in_channels, "num_classes": num_classes}
    first = dynunet(filters=filters, **common)
    second = segresnet(init_filters=init_filters, normalised=normalised, **common)
    return DualFusionNet(first, second, **options)


def _check_pair(first: SegmentationBackbone, second: SegmentationBackbone, fusion: str) -> None:
    if fusion not in FUSIONS:
        raise UserError(f"unknown fusion {fusion!r}; use {', '.join(FUSIONS)}")
    for what in ("spatial_dims", "num_classes"):
        if getattr(first, what) != getattr(second, what):
            raise UserError(
                f"the two networks differ in {what}: {getattr(first, what)} and {getattr(second, what)}; "
                "make both for the same images and regions"
            )
