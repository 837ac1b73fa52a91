"""Losses of segmentation: soft Dice over regions, and cross-entropy weighted by how rare a lesion is.

    Dice loss           1 − (2 Σ p y + ε) / (Σ p + Σ y + ε), mean over regions and batch
    RSANet, as printed  w_lesion = e^r / (e^r + e^(1−r)),  w_background = e^(1−r) / (e^r + e^(1−r))

r is the share of lesion voxels, 5.15·10⁻⁴ in the RSANet paper's data. Papers: Milletari et al. 2016 (Dice; MONAI
computes it), the RSANet paper (weights).

Reading: as printed, the weights are 0.269 for a lesion and 0.731 for background. They make the rare class
count less, the opposite of what the paper wants them for ("the data imbalance problem is critical").
`swapped=True` exchanges them. Either way the ratio can never exceed e = 2.72, whatever r is.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.errors import UserError

RSANET_LESION_SHARE = 5.15e-4


class RegionDiceLoss(nn.Module):
    """Soft Dice loss of regions that may overlap, each a channel with a sigmoid of its own (MONAI's `DiceLoss`).

    Args:
        whole_batch: one Dice of all voxels of the batch, in place of the mean over its images. An image without a
            region then counts by what is found in it; but the loss is not a mean over the rows of the batch any more.
    """

    def __init__(self, *, whole_batch: bool = False) -> None:
        from monai.losses import DiceLoss

        super().__init__()
        self.dice = DiceLoss(sigmoid=True, batch=whole_batch)

    def forward(self, logits: Tensor, regions: Tensor) -> Tensor:
        """Logits and 0/1 regions, both (B, R, D, H, W), to one number."""
        _check_same_shape(logits, regions)
        return self.dice(logits, regions.to(logits.dtype))


def lesion_weights(share: float = RSANET_LESION_SHARE, *, swapped: bool = False) -> tuple[float, float]:
    """Weights of background and of lesion, which sum to 1.

    Args:
        share: r, lesion voxels among all, between 0 and 1.
        swapped: False as printed; True gives the lesion the larger weight.

    Raises:
        UserError: the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise UserError(f"the share of lesion voxels is {share}; it lies between 0 and 1")
    lesion = math.exp(share) / (math.exp(share) + math.exp(1 - share))
    return (lesion, 1 - lesion) if swapped else (1 - lesion, lesion)


class LesionCrossEntropy(nn.Module):
    """Two-class cross-entropy with `lesion_weights`; the weighted mean over voxels.

    Args:
        share: see `lesion_weights`.
        swapped: see `lesion_weights`.

    Warns:
        UserWarning: the weights make lesions count less than background.
    """

    weight: Tensor

    def __init__(self, share: float = RSANET_LESION_SHARE, *, swapped: bool = False) -> None:
        super().__init__()
        background, lesion = lesion_weights(share, swapped=swapped)
        if lesion < background:
            warnings.warn(
                f"these weights count a lesion voxel {lesion:.3f} and a background voxel {background:.3f}, so the rare "
                f"class counts less; swapped={not swapped} exchanges them",
                stacklevel=2,
            )
        self.register_buffer("weight", torch.tensor([background, lesion]))

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Logits (B, 2, D, H, W) and a mask (B, 1, D, H, W) of 0 and 1 to one number."""
        if logits.shape[1] != 2:
            raise UserError(f"lesion cross-entropy needs 2 classes, background and lesion; got {logits.shape[1]}")
        _check_same_shape(logits[:, :1], mask)
        return F.cross_entropy(logits, mask[:, 0].long(), weight=self.weight.to(logits.dtype))


def equal_cross_entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """Two-class cross-entropy that counts all voxels alike: logits (B, 2, …) and a mask (B, 1, …) to one number."""
    _check_same_shape(logits[:, :1], mask)
    return F.cross_entropy(logits, mask[:, 0].long())


def _check_same_shape(logits: Tensor, target: Tensor) -> None:
    # Broadcasting one mask over three regions would train without a complaint.
    if logits.shape != target.shape:
        raise UserError(
            f"the network's output fits a mask of {tuple(logits.shape)} and the mask is {tuple(target.shape)}; "
            "make them equal"
        )
