"""Survival networks: a 3-D backbone, the mean over space, and a head of hazards or of one risk.

The heads "logistic", "official" and "cox" are those of `medattn_lite.survival.heads`.

Papers: the survival deck (SE-ResNeXt-50, ResNet-50-CBAM, DenseNet-121 for adult-type diffuse gliomas; code
kyuchoi/3D_MRI_survival_glioma), Gensheimer & Narasimhan 2019 (nnet-survival), Kvamme & Borgan 2021
(logistic hazard), Katzman et al. 2018 (Cox). With 4 channels in and 19 intervals: 28,457,539, 48,785,779
and 11,327,955 parameters.

Deviations: DenseNet's features are averaged over space; the official code flattens them into a layer of
2,048 inputs, which does not fit any of its image sizes. Clinical values may stand beside the image features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import check_positive, check_spatial_dims
from medattn_lite.errors import UserError
from medattn_lite.networks.resnet_cbam import resnet50_cbam
from medattn_lite.networks.se_resnext import se_resnext50
from medattn_lite.survival.heads import HEADS, LINKS
from medattn_lite.survival.time_intervals import INTERVALS


class SurvivalNetwork(nn.Module):
    """Backbone → features (B, F) → one linear layer.

    Args:
        backbone: gives features (B, F); has `num_features`.
        head: "logistic", "official" or "cox".
        intervals: intervals of time of the discrete heads.
        clinical_features: numbers per patient (age, resection, …, each standardised) put beside the image features.
        auxiliary: numbers that a second linear layer tells of the image features, for training alone.

    Raises:
        UserError: an unknown head.
    """

    def __init__(
        self, backbone: nn.Module, *, head: str = "logistic", intervals: int = INTERVALS, clinical_features: int = 0,
        auxiliary: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if head not in HEADS:
            raise UserError(f"unknown survival head {head!r}; use {', '.join(HEADS)}")
        self.backbone = backbone
        self.head = head
        self.clinical_features = clinical_features
        outputs = 1 if head == "cox" else check_positive("intervals", intervals)
        # A constant added to every risk changes nothing in Cox's likelihood, so that head has no bias.
        features = int(backbone.num_features)  # type: ignore[arg-type]  # every backbone of the package says it
        self.fc = nn.Linear(features + clinical_features, outputs, bias=head != "cox")
        self.auxiliary = nn.Linear(features, auxiliary) if auxiliary else None

    def forward(self, images: Tensor, clinical: Tensor | None = None, *, auxiliary: bool = False) -> Tensor:
        """(B, C, D, H, W) images and (B, K) clinical values to outputs (B, intervals), or (B, 1) of Cox.

        With `auxiliary`, what its layer tells stands behind the outputs, (B, intervals + auxiliary).
        """
        features = self.backbone(images)  # (B, F)
        auxiliary_output = (
            self.auxiliary(features) if auxiliary and self.auxiliary is not None else features[:, :0]
        )  # (B, A)
        self._check_clinical(len(features), clinical)
        if clinical is not None:
            features = torch.cat([features, clinical], dim=1)  # (B, F + K)
        return torch.cat([self.fc(features), auxiliary_output], dim=1)  # (B, intervals + A)

    def log_probabilities(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Log of surviving and of dying in each interval, from this network's outputs; not for Cox.

        Raises:
            UserError: the head is Cox's.
        """
        if self.head not in LINKS:
            raise UserError("a Cox head has no hazards by interval; use head='logistic', or rank by its output")
        return LINKS[self.head](outputs)

    def hazards(self, outputs: Tensor) -> Tensor:
        """Probability (B, intervals) of dying in each interval, given that it was reached; not for Cox."""
        return self.log_probabilities(outputs)[1].exp()

    def _check_clinical(self, batch: int, clinical: Tensor | None) -> None:
        shape = (batch, 0) if clinical is None else tuple(clinical.shape)
        if shape != (batch, self.clinical_features):
            raise UserError(
                f"the survival network takes {self.clinical_features} clinical values per patient and got "
                f"{'none' if clinical is None else f'shape {shape} for {batch} patients'}"
            )


class DenseNetFeatures(nn.Module):
    """MONAI's DenseNet-121 up to the mean over space.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        pad: whether smaller images get a border of each channel's darkest value up to the 29 voxels it needs.
        **options: of `monai.networks.nets.DenseNet121`: `init_features`, `growth_rate` and a
            `block_config` of four numbers, for a smaller one.
    """

    def __init__(self, *, spatial_dims: int = 3, in_channels: int = 4, pad: bool = False, **options) -> None:
        from monai.networks.nets import DenseNet121

        super().__init__()
        check_spatial_dims(spatial_dims)
        network = DenseNet121(spatial_dims=spatial_dims, in_channels=in_channels, out_channels=1, **options)
        self.features = network.features
        self.num_features: int = network.class_layers.out.in_features  # type: ignore[union-attr,assignment]  # linear
        # The stem halves twice and rounds up; each of the three transitions halves and rounds down.
        self.smallest_side, self.pad = 29, pad

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) images to features (B, 1024).

        Raises:
            UserError: a side of the images is below 29 voxels.
        """
        if self.pad:
            x = self._padded(x)
        if min(x.shape[2:]) < self.smallest_side:
            raise UserError(
                f"DenseNet-121 needs sides of {self.smallest_side} voxels or more and got {tuple(x.shape[2:])}; "
                "pad the images"
            )
        x = self.features(x)  # (B, 1024, …), 32 times smaller
        return torch.relu(x).flatten(2).mean(dim=2)  # (B, 1024)

    def _padded(self, x: Tensor) -> Tensor:
        missing = [max(self.smallest_side - side, 0) for side in reversed(x.shape[2:])]  # torch wants W, H, D
        border = [part for count in missing for part in (count // 2, count - count // 2)]
        darkest = x.flatten(2).amin(dim=2).reshape(*x.shape[:2], *[1] * (x.dim() - 2))  # (B, C, 1, 1, 1)
        return F.pad(x - darkest, border) + darkest


def _resnet50_cbam_features(**options) -> nn.Module:
    return resnet50_cbam(num_classes=None, **options)


def _se_resnext50_features(**options) -> nn.Module:
    return se_resnext50(num_classes=None, **options)


BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "se_resnext50": _se_resnext50_features,
    "resnet50_cbam": _resnet50_cbam_features,
    "densenet121": DenseNetFeatures,
}


def survival_network(
    backbone: str = "se_resnext50",
    *,
    head: str = "logistic",
    intervals: int = INTERVALS,
    clinical_features: int = 0,
    auxiliary: int = 0,
    **options,
) -> SurvivalNetwork:
    """Builds a survival network by the name of its backbone, at published size unless the options say otherwise.

    Args:
        backbone: "se_resnext50", "resnet50_cbam" or "densenet121".
        head: see `SurvivalNetwork`.
        intervals: see `SurvivalNetwork`.
        clinical_features: see `SurvivalNetwork`.
        auxiliary: see `SurvivalNetwork`.
        **options: of the backbone: `spatial_dims`, `in_channels`, `layers`, widths.

    Raises:
        UserError: an unknown backbone or head.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import survival_network
        >>> network = survival_network(in_channels=1, intervals=5, layers=(1, 1, 1, 1))
        >>> network(torch.randn(2, 1, 32, 32, 32)).shape  # a value per interval of time
        torch.Size([2, 5])
    """
    if backbone not in BACKBONES:
        raise UserError(f"unknown survival backbone {backbone!r}; use {', '.join(BACKBONES)}")
    return SurvivalNetwork(
        BACKBONES[backbone](**options), head=head, intervals=intervals, clinical_features=clinical_features,
        auxiliary=auxiliary,
    )  # fmt: skip
