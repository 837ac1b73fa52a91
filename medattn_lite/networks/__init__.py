"""The papers' networks, built from `medattn_lite.attention`: published size by default, the same class smaller.

By name: `build`, `describe`; those that ship trained: `load_trained`, `trained_facts`, `trained_names`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.networks.bottleneck import Bottleneck
    from medattn_lite.networks.bundle import load_bundle, write_bundle
    from medattn_lite.networks.convert import from_torch_multihead, load_matching
    from medattn_lite.networks.costs import cost_of
    from medattn_lite.networks.dual_fusion_backbones import dynunet, segresnet
    from medattn_lite.networks.dual_fusion_net import DualFusionNet, dual_fusion
    from medattn_lite.networks.p3d import P3DResNet, p3d_resnet50
    from medattn_lite.networks.registry import NETWORKS, build, describe
    from medattn_lite.networks.resnest import ResNeSt, resnesat50, resnest50
    from medattn_lite.networks.resnet_cbam import OFFICIAL_CBAM, ResNetCBAM, resnet50_cbam
    from medattn_lite.networks.rsanet import RSANet
    from medattn_lite.networks.se_resnext import SEResNeXt, se_resnext50
    from medattn_lite.networks.survival import SurvivalNetwork, survival_network
    from medattn_lite.networks.trained import load_trained, trained_facts, trained_names
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "Bottleneck",
    "DualFusionNet",
    "NETWORKS",
    "OFFICIAL_CBAM",
    "P3DResNet",
    "RSANet",
    "ResNeSt",
    "ResNetCBAM",
    "SEResNeXt",
    "SurvivalNetwork",
    "build",
    "cost_of",
    "describe",
    "dual_fusion",
    "dynunet",
    "from_torch_multihead",
    "load_bundle",
    "load_matching",
    "load_trained",
    "p3d_resnet50",
    "resnesat50",
    "resnest50",
    "resnet50_cbam",
    "se_resnext50",
    "segresnet",
    "survival_network",
    "trained_facts",
    "trained_names",
    "write_bundle",
]
