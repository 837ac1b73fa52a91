"""The papers' networks, built from `medattn_lite.attention`: published size by default, the same class smaller."""

from __future__ import annotations

import importlib

_LAZY = {
    "Bottleneck": "bottleneck",
    "SEResNeXt": "se_resnext",
    "se_resnext50": "se_resnext",
    "ResNetCBAM": "resnet_cbam",
    "resnet50_cbam": "resnet_cbam",
    "OFFICIAL_CBAM": "resnet_cbam",
    "P3DResNet": "p3d",
    "p3d_resnet50": "p3d",
    "ResNeSt": "resnest",
    "resnest50": "resnest",
    "resnesat50": "resnest",
    "RSANet": "rsanet",
    "DualFusionNet": "dual_fusion_net",
    "dual_fusion": "dual_fusion_net",
    "dynunet": "dual_fusion_backbones",
    "segresnet": "dual_fusion_backbones",
    "SurvivalNetwork": "survival",
    "survival_network": "survival",
    "build": "registry",
    "describe": "registry",
    "load_matching": "convert",
}
__all__ = list(_LAZY)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f"medattn_lite.networks.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
