"""What an explanation is asked about: one number per image, made of the network's output.

    ClassLogit(1)             the logit of class 1
    RegionSum(1)              segmentation: the logits of region 1 summed over the voxels that the network calls so
    LogRisk("logistic")       survival: log of the cumulative hazard at one year; higher dies earlier

Papers: Selvaraju et al. 2017 take the logit before the softmax; Vinogradova, Dibrov, Myers 2020 (Seg-Grad-CAM) the sum
over a set of voxels, the predicted ones or a single one. The risk is the one that survival is ranked by in
`medattn_lite.training.tasks.survival`.

A target that looks at the prediction is fixed to it once, by `fixed`, before the image is changed: a method that blurs
or hides parts of it must go on asking about the same voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.model.wrapped import main_output
from medattn_lite.survival.follow_up import ONE_YEAR
from medattn_lite.survival.heads import HEADS, LINKS
from medattn_lite.survival.time_intervals import interval_breaks

LINKS_OF_REGIONS = ("softmax", "sigmoid")
SMALLEST = 1e-30  # a cumulative hazard below this is as good as none


class Target(Protocol):
    """Called with the network's output, gives one number per image."""

    def __call__(self, output: Tensor) -> Tensor: ...  # (B,)

    def fixed(self, output: Tensor) -> Target:
        """The same question, tied to what the network said of the unchanged image."""

    def in_image(self, number: int) -> Target:
        """Of a fixed target, the question about one image of the batch."""

    @property
    def words(self) -> str:
        """What is asked, for titles and notes."""


class OfAnyImage(Target, Protocol):
    """A target that asks every image of a batch the same and does not look at the prediction."""

    def fixed(self, output: Tensor) -> Target:
        self(output)  # an output that does not fit is noticed before anything is computed
        return self

    def in_image(self, number: int) -> Target:
        return self


@dataclass(frozen=True)
class ClassLogit(OfAnyImage):
    """The logit of a class.

    Attributes:
        index: of the class, from 0.
        name: of the class, for titles.

    Example:
        >>> ClassLogit(1)(torch.tensor([[0.0, 2.0]]))
        tensor([2.])
    """

    index: int
    name: str = ""

    def __call__(self, output: Tensor) -> Tensor:
        """(B, K) logits to (B,); (B,) of a network with one logit counts as (B, 1)."""
        output = main_output(output)
        output = output[:, None] if output.dim() == 1 else output
        if output.dim() != 2:
            raise UserError(f"a class needs an output (B, classes) and this network gives {tuple(output.shape)}: "
                            "use RegionSum for segmentation")  # fmt: skip
        if not 0 <= self.index < output.shape[1]:
            raise UserError(f"there is no class {self.index}: this network has classes 0 to {output.shape[1] - 1}")
        return output[:, self.index]

    @property
    def words(self) -> str:
        return self.name or f"class {self.index}"


@dataclass(frozen=True, eq=False)
class RegionSum:
    """The logits of a region, summed over voxels.

    Attributes:
        region: channel of the output, from 0.
        mask: which voxels, (D, H, W) or (B, D, H, W) (without D in 2-D), above 0 where they count; None for those
            that the network assigns to the region.
        voxel: (d, h, w) instead, a single one.
        link: how the network assigns: "softmax", the highest logit of a voxel; "sigmoid", each region's above 0.
            One region alone is always assigned by "sigmoid".
        name: of the region, for titles.

    Example:
        >>> RegionSum(0, link="sigmoid")(torch.tensor([[[[1.0, -2.0], [3.0, -4.0]]]]))  # of the two voxels above 0
        tensor([4.])
    """

    region: int
    mask: Tensor | None = None
    voxel: tuple[int, ...] | None = None
    link: str = "softmax"
    name: str = ""

    def __post_init__(self) -> None:
        if self.link not in LINKS_OF_REGIONS:
            raise UserError(f"unknown link {self.link!r} of a region: use {' or '.join(LINKS_OF_REGIONS)}")
        if self.mask is not None and self.voxel is not None:
            raise UserError("a region is summed over a mask or at a voxel: give one of the two")

    def __call__(self, output: Tensor) -> Tensor:
        """(B, R, D, H, W) logits to (B,)."""
        output = main_output(output)
        return (self._logits(output) * self.voxels(output)).flatten(1).sum(dim=1)

    def voxels(self, output: Tensor) -> Tensor:
        """Which voxels count, (B, D, H, W) bool."""
        batch, size = len(output), tuple(self._logits(output).shape[1:])
        if self.voxel is not None:
            chosen = torch.zeros(batch, *size, dtype=torch.bool, device=output.device)
            if len(self.voxel) != len(size) or not all(0 <= i < n for i, n in zip(self.voxel, size, strict=True)):
                raise UserError(f"voxel {tuple(self.voxel)} is not in an image of {size}")
            places: tuple[int | slice, ...] = (slice(None), *self.voxel)
            chosen[places] = True
            return chosen
        if self.mask is None:
            return self._assigned(output)
        mask = torch.as_tensor(self.mask, device=output.device) > 0
        mask = mask[None] if mask.dim() == len(size) else mask
        if tuple(mask.shape[1:]) != size or batch % len(mask):
            raise UserError(f"the mask has shape {tuple(mask.shape)} and the network's regions {(batch, *size)}: give "
                            "a mask on the image's grid")  # fmt: skip
        return mask.repeat(batch // len(mask), *[1] * len(size))  # copies of the batch, as captum makes them

    def fixed(self, output: Tensor) -> RegionSum:
        """With the voxels that the network assigns now.

        Raises:
            UserError: there is none in any image.
        """
        chosen = self.voxels(main_output(output).detach())
        if not bool(chosen.any()):
            raise UserError(f"the network finds no voxel of {self.words} in this image: give a mask or a voxel to "
                            "explain, or another region")  # fmt: skip
        return replace(self, mask=chosen, voxel=None)

    def in_image(self, number: int) -> RegionSum:
        return self if self.mask is None else replace(self, mask=self.mask[number : number + 1])

    @property
    def words(self) -> str:
        return self.name or f"region {self.region}"

    def _logits(self, output: Tensor) -> Tensor:
        if output.dim() < 4:
            raise UserError(f"a region needs logits per voxel and this network gives {tuple(output.shape)}: use "
                            "ClassLogit for classes, LogRisk for survival")  # fmt: skip
        if not 0 <= self.region < output.shape[1]:
            raise UserError(f"there is no region {self.region}: this network has regions 0 to {output.shape[1] - 1}")
        return output[:, self.region]

    def _assigned(self, output: Tensor) -> Tensor:
        if self.link == "sigmoid" or output.shape[1] == 1:
            return self._logits(output) > 0
        return output.argmax(dim=1) == self.region


@dataclass(frozen=True)
class LogRisk(OfAnyImage):
    """Log of the risk that survival is ranked by: the cumulative hazard at one year; Cox's output as it is.

    Attributes:
        head: "logistic", "official" or "cox", as `SurvivalNetwork.head` says.
        days: of the cumulative hazard, for the heads with hazards.

    Example:
        >>> LogRisk("cox")(torch.tensor([[0.3]]))
        tensor([0.3000])
    """

    head: str = "logistic"
    days: float = ONE_YEAR

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise UserError(f"unknown survival head {self.head!r}: use {', '.join(HEADS)}")

    def __call__(self, output: Tensor) -> Tensor:
        """(B, intervals), or (B, 1) of Cox, to (B,)."""
        output = main_output(output)
        if output.dim() != 2 or (self.head == "cox") != (output.shape[1] == 1):
            raise UserError(f"a {self.head} survival head does not give an output of shape {tuple(output.shape)}: "
                            "name the network's own head")  # fmt: skip
        if self.head == "cox":
            return output[:, 0]
        breaks = interval_breaks(intervals=output.shape[1]).to(output)  # (K + 1,)
        if not 0 < self.days <= float(breaks[-1]):
            raise UserError(f"hazards are known up to day {float(breaks[-1]):.0f}, not on day {self.days:g}")
        part = ((self.days - breaks[:-1]) / breaks.diff()).clamp(0, 1)  # (K,), of each interval until that day
        hazard = -(LINKS[self.head](output)[0] * part).sum(dim=1)  # (B,)
        return hazard.clamp(min=SMALLEST).log()

    @property
    def words(self) -> str:
        return "risk of death"


def default_target(model: nn.Module, output: Tensor) -> Target:
    """Chooses what one asks a network first: its risk, its first region of interest, or the class it predicts.

    Args:
        model: the network; of a wrapper, what `wrapped.unwrapped_network` finds in it.
        output: what it says of the image or images; of several outputs, `wrapped.main_output` is asked.

    Returns:
        the risk of a survival network; of a segmentation the whole tumour (sigmoid) or the first class that is not
        background (softmax); else the class whose mean logit over the images is highest.

    Raises:
        UserError: an output of another shape.
    """
    from medattn_lite.networks.dual_fusion_backbones import SegmentationBackbone
    from medattn_lite.networks.dual_fusion_net import DualFusionNet
    from medattn_lite.networks.survival import SurvivalNetwork

    output = main_output(output)
    if isinstance(model, SurvivalNetwork):
        return LogRisk(model.head)
    if output.dim() == 1:
        return ClassLogit(0)
    if output.dim() == 2:
        return ClassLogit(int(output.mean(dim=0).argmax()))
    if output.dim() < 4:
        raise UserError(f"the network gives {tuple(output.shape)}: name what to explain with target=")
    by_region = isinstance(model, (SegmentationBackbone, DualFusionNet)) or output.shape[1] == 1
    return RegionSum(0, link="sigmoid") if by_region else RegionSum(1)
