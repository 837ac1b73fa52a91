"""Every network of the five papers by name: what it is, how to build it, its size, its input and output shapes.

    build("p3d_iam")                      the network at published size
    describe("p3d_iam").parameters        34,931,826
    build("p3d+eca")                      the same frame with another attention mechanism, any of `attention.names()`

Nothing is imported before it is asked for. `describe` builds a network on torch's meta device, where tensors
have shapes and no memory, so that the largest takes a second and no gigabyte.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from medattn_lite import attention
from medattn_lite.errors import UserError
from medattn_lite.networks.description import Description

GRADING = "Du et al., Pseudo-3D CNN with inter-slice attention for glioma grading"
CLASSIFICATION = "Zhang Y. et al., Brain tumors classification for MR images based on attention guided deep learning"
LESIONS = "Zhang H. et al. 2019, RSANet: recurrent slice-wise attention network for MS lesion segmentation"
FUSION = "Vo-Thanh et al., 3D dual-fusion attention network for brain tumor segmentation"
SURVIVAL = "Added prognostic value of 3D deep learning-derived features from preoperative MRI for diffuse gliomas"

BACKBONES = "dual_fusion_backbones"
DUAL = "dual_fusion_net:dual_fusion"

FRAMES = ("p3d", "resnest", "rsanet", "se_resnext", "resnet_cbam", "survival")  # modules that take any mechanism
SIZE = 64  # channels at which the table of mechanisms counts parameters
NO_FRAMES = ("survival_densenet121", "resnesat50")  # of these modules, but their place is missing or taken

GLIOMA_CROP = (4, 128, 128, 128)  # t1, t1ce, t2, flair around the tumour
SLICE = (3, 256, 256)
MS_SCAN = (3, 44, 230, 320)  # the smallest image of the paper; sides that no stride divides
SURVIVAL_VOLUME = (4, 78, 120, 120)


@dataclass(frozen=True)
class Entry:
    """One network.

    Attributes:
        name: what the command and the recipes call it.
        paper: where it is from.
        summary: what it is, in a few words.
        factory: "module:function" within `medattn_lite.networks`.
        input_shape: of one image at published size, (C, H, W) or (C, D, H, W).
        output: what comes out of an image.
        options: for the factory, beyond its defaults.
    """

    name: str
    paper: str
    summary: str
    factory: str
    input_shape: tuple[int, ...]
    output: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_frame(self) -> bool:
        """Whether it takes any attention mechanism in place of its own."""
        return self.factory.split(":")[0] in FRAMES and self.name not in NO_FRAMES

    def with_attention(self, mechanism: str) -> Entry:
        """The same network with another mechanism in the place of its own.

        Raises:
            UserError: the network has no such place, or there is no such mechanism in so many dimensions.
        """
        if not self.is_frame:
            frames = ", ".join(name for name, entry in NETWORKS.items() if entry.is_frame)
            raise UserError(f"{self.name!r} has no place for another mechanism: use one of {frames}")
        fitting = attention.names(spatial_dims=len(self.input_shape) - 1)
        if mechanism not in fitting:
            raise UserError(f"{self.name!r} takes no mechanism {mechanism!r}: use one of {', '.join(fitting)}")
        title = attention.MECHANISMS[mechanism].title
        options = MappingProxyType({**self.options, "attention": mechanism})
        name = f"{self.name}+{mechanism}"
        return replace(self, name=name, summary=f"the frame of {self.name}, {title}", options=options)

    def build(self, **options: Any) -> nn.Module:
        """The network at published size; options of the factory make it another size."""
        module, function = self.factory.split(":")
        factory = getattr(importlib.import_module(f"medattn_lite.networks.{module}"), function)
        settings = {**self.options, **options}
        network = factory(**settings)
        network.built_from = {"network": self.name, "options": settings}  # what a trained copy needs to be built again
        return network


def _grading(name: str, summary: str, **options: Any) -> Entry:
    return Entry(name, GRADING, summary, "p3d:p3d_resnet50", GLIOMA_CROP, "logits of low and high grade", options)


def _classification(name: str, summary: str, factory: str) -> Entry:
    return Entry(name, CLASSIFICATION, summary, f"resnest:{factory}", SLICE, "logits of two classes")


def _common(name: str, summary: str, factory: str, **options: Any) -> Entry:
    return Entry(name, CLASSIFICATION, summary, factory, SLICE, "logits of two classes", options)


def _lesions(name: str, summary: str, **options: Any) -> Entry:
    return Entry(name, LESIONS, summary, "rsanet:rsanet", MS_SCAN, "logits of background and lesion a voxel", options)


def _attended_lesions(family: str, words: str, attention: str, positions: str) -> Entry:
    summary = f"the 3-D U-Net with {words}, {positions}"
    return _lesions(f"{family}_{positions}", summary, attention=attention, positions=positions)


def _fusion(name: str, summary: str, factory: str, **options: Any) -> Entry:
    return Entry(name, FUSION, summary, factory, GLIOMA_CROP, "logits of three tumour regions a voxel", options)


def _classifier(name: str, summary: str, factory: str) -> Entry:
    output = "logits of two classes"
    return Entry(name, SURVIVAL, summary, factory, SURVIVAL_VOLUME, output, {"spatial_dims": 3, "num_classes": 2})


def _survival(name: str, summary: str, **options: Any) -> Entry:
    output = "one output of the hazard for each of 19 intervals"
    return Entry(name, SURVIVAL, summary, "survival:survival_network", SURVIVAL_VOLUME, output, options)


_ENTRIES = (
    _grading("p3d_iam", "P3D-ResNet-50 with inter-slice attention"),
    _grading("p3d", "P3D-ResNet-50 without attention", attention=False),
    _grading("resnet50_3d", "ResNet-50 with full 3×3×3 convolutions", attention=False, pseudo_3d=False),
    _classification("resnest50", "ResNeSt-50: split attention", "resnest50"),
    _classification("resnesat50", "ResNeSAt: split attention and spatial attention", "resnesat50"),
    _common("resnet50_2d", "ResNet-50, to compare with", "common_cnns:resnet50"),
    _common("densenet121_2d", "DenseNet-121, to compare with", "common_cnns:densenet121"),
    _common("se_resnext50_2d", "SE-ResNeXt-50, to compare with", "se_resnext:se_resnext50", spatial_dims=2,
            in_channels=3, num_classes=2),
    _lesions("unet3d", "the 3-D U-Net inside RSANet", attention=None),
    *(_attended_lesions("ncl", "non-local blocks", "non_local", where) for where in ("010", "101", "111")),
    *(_attended_lesions("rsanet", "recurrent slice attention", "rsa", where) for where in ("010", "101", "111")),
    _fusion("dynunet", "DynUNet alone", f"{BACKBONES}:dynunet"),
    _fusion("segresnet", "SegResNet alone", f"{BACKBONES}:segresnet"),
    _fusion("late_fusion", "DynUNet and SegResNet, mean of the probabilities", DUAL, fusion="late"),
    _fusion("early_fusion", "DynUNet and SegResNet, joined feature maps", DUAL, fusion="early"),
    _fusion("dual_fusion", "DynUNet and SegResNet, dual-fusion attention", DUAL, fusion="attention"),
    _survival("survival_se_resnext50", "SE-ResNeXt-50, 3-D, hazards by interval", backbone="se_resnext50"),
    _survival("survival_resnet50_cbam", "ResNet-50-CBAM, 3-D, hazards by interval", backbone="resnet50_cbam"),
    _survival("survival_densenet121", "DenseNet-121, 3-D, hazards by interval", backbone="densenet121"),
    _classifier("se_resnext50_3d", "SE-ResNeXt-50, 3-D, as a classifier", "se_resnext:se_resnext50"),
    _classifier("resnet50_cbam_3d", "ResNet-50-CBAM, 3-D, as a classifier", "resnet_cbam:resnet50_cbam"),
)
NETWORKS: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def find(name: str) -> Entry:
    """The entry of a name; "FRAME+MECHANISM" is a network with another attention mechanism in place of its own.

    Raises:
        UserError: there is no such network, or it does not take this mechanism.
    """
    frame, plus, mechanism = name.partition("+")
    if frame not in NETWORKS:
        raise UserError(f"no network is called {frame!r}: use one of {', '.join(NETWORKS)}")
    return NETWORKS[frame].with_attention(mechanism) if plus else NETWORKS[frame]


def build(name: str, **options: Any) -> nn.Module:
    """Builds a network by its name, at published size unless the options of its factory say otherwise.

    Raises:
        UserError: there is no such network.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import build
        >>> network = build("p3d+eca", in_channels=1, layers=(1, 1, 1, 1), width=8)
        >>> network.eval()(torch.randn(1, 1, 16, 32, 32)).shape
        torch.Size([1, 2])
    """
    return find(name).build(**options)


def describe(name: str) -> Description:
    """Describes a network's parameters and shapes, measured without memory for its weights.

    Raises:
        UserError: there is no such network.

    Example:
        >>> from medattn_lite.networks import describe
        >>> describe("p3d_iam").parameters
        34931826
    """
    entry = find(name)
    with torch.device("meta"), torch.no_grad():
        network = entry.build().eval()
        output = network(torch.empty(1, *entry.input_shape))
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return Description(
        name=entry.name,
        paper=entry.paper,
        summary=entry.summary,
        parameters=sum(size for size, _ in sizes),
        trainable=sum(size for size, trainable in sizes if trainable),
        input_shape=(1, *entry.input_shape),
        output_shape=tuple(output.shape),
        output=entry.output,
    )


def mechanism_table() -> list[str]:
    """Lines of text: one per attention mechanism, with its parameters at 64 channels, and where it fits."""
    lines = [f"Attention mechanisms, each in any frame by NETWORK+MECHANISM, such as p3d+eca ({SIZE} channels)"]
    for name, mechanism in attention.MECHANISMS.items():
        block = attention.create(name, SIZE, spatial_dims=mechanism.spatial_dims[-1])
        size = sum(parameter.numel() for parameter in block.parameters())
        where = "2-D and 3-D" if len(mechanism.spatial_dims) == 2 else f"{mechanism.spatial_dims[0]}-D only"
        lines.append(f"  {name:<24}{size:>12,}  {where:<40}{mechanism.title}")
    return [*lines, f"Frames: {', '.join(name for name, entry in NETWORKS.items() if entry.is_frame)}"]
