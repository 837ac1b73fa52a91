"""The three explorers on small inputs, made fresh for every test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.networks.p3d import P3DResNet
from medattn_lite.networks.resnest import ResNeSt
from medattn_lite.networks.resnet_cbam import ResNetCBAM
from medattn_lite.networks.rsanet import RSANet
from medattn_lite.networks.se_resnext import SEResNeXt
from medattn_lite.widgets import (
    affinity_explorer,
    attention_playground,
    gate_explorer,
    inter_slice_explorer,
    slice_explorer,
    split_explorer,
)


def make_sample() -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(1, 12, 16, 14, dtype=torch.uint8)
    mask[0, 3:9, 4:12, 2:9], mask[0, 5:8, 6:10, 4:7] = 2, 4
    affine = np.array([[0, 0, 4.0, -30], [0, 4.0, 0, -40], [5.0, 0, 0, -20], [0, 0, 0, 1]])
    image = torch.rand(2, 12, 16, 14, generator=generator) * torch.tensor([1.0, 50.0]).reshape(2, 1, 1, 1)
    return {
        "image": image, "mask": mask, "signal": mask == 4, "channels": ("t1ce", "flair"), "affine": affine,
        "source": "phantom", "subject": "P001",
    }  # fmt: skip


def make_model(kind: str, spatial_dims: int = 2) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = {"spatial_dims": spatial_dims, "in_channels": 2, "num_classes": 2, "layers": (1, 1, 1, 1)}
    if kind == "se":
        return SEResNeXt(**sizes, groups=4, base_width=16, stem_width=16, reduction=4)
    if kind == "splits":
        return ResNeSt(**sizes, width=8, stem_width=8, spatial_attention=True)
    return ResNetCBAM(**sizes, width=8)


def make_images(spatial_dims: int = 2) -> torch.Tensor:
    return torch.randn(3, 2, *[32] * spatial_dims, generator=torch.Generator().manual_seed(1))


def make_segmenter(attention: str, spatial_dims: int = 3) -> torch.nn.Module:
    """A small RSANet or its non-local variant, with its attention away from the identity it starts as."""
    torch.manual_seed(0)
    options = {"widths": (8, 16, 32), "positions": "101", "attention_options": {"scaled": True}}
    net = RSANet(spatial_dims=spatial_dims, in_channels=2, num_classes=2, attention=attention, **options)
    if attention == "rsa":
        for number, beta in enumerate(p for name, p in net.named_parameters() if "betas" in name):
            torch.nn.init.constant_(beta, 0.3 - 0.1 * number)
    return net


def make_affinity_explorer(*kinds: str, spatial_dims: int = 3):
    size = (8, 12, 10)[-spatial_dims:]
    images = torch.rand(3, 2, *size, generator=torch.Generator().manual_seed(1))
    masks = images[:, 0] > 0.9
    models = {"RSA" if kind == "rsa" else "non-local": make_segmenter(kind, spatial_dims) for kind in kinds}
    return affinity_explorer(models, images, masks=masks, channels=["t1", "flair"], title="phantom")


def make_volumes() -> tuple[torch.Tensor, torch.Tensor]:
    """Three volumes of two contrasts, and masks."""
    volumes = torch.rand(3, 2, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    masks = torch.zeros(3, 16, 16, 16)
    masks[:, 5:9, 4:10, 3:8] = 1
    return volumes, masks


def make_grader() -> torch.nn.Module:
    """A small P3D network with gates away from one half."""
    torch.manual_seed(0)
    net = P3DResNet(in_channels=2, num_classes=2, layers=(1, 1, 1, 1), width=8)
    for name, parameter in net.named_parameters():
        if "iam" in name:
            torch.nn.init.normal_(parameter, std=0.8)
    return net


def make_inter_slice_explorer():
    volumes, masks = make_volumes()
    options = {"masks": masks, "channels": ["t1ce", "flair"]}
    return inter_slice_explorer(make_grader(), volumes, [0, 1, 1], ["low", "high"], **options)


def make_explorer(kind: str):
    if kind == "affinity":
        return make_affinity_explorer("rsa", "non_local")
    if kind == "playground":
        return attention_playground()
    if kind == "slices":
        return slice_explorer(make_sample(), overlays={"distance": np.linspace(0, 1, 12 * 16 * 14).reshape(12, 16, 14)})
    if kind == "inter-slice":
        return make_inter_slice_explorer()
    explore = split_explorer if kind == "splits" else gate_explorer
    names = ["healthy", "tumour"]
    return explore(make_model(kind), make_images(), labels=[0, 1, 1], names=names, channels=["t1", "flair"])


KINDS = ("playground", "slices", "se", "cbam", "affinity", "splits", "inter-slice")


@pytest.fixture(params=KINDS)
def explorer(request):
    return make_explorer(request.param)
