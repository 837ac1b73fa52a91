"""The three explorers on small inputs, made fresh for every test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.networks.resnet_cbam import ResNetCBAM
from medattn_lite.networks.se_resnext import SEResNeXt
from medattn_lite.widgets import attention_playground, gate_explorer, slice_explorer


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
    return ResNetCBAM(**sizes, width=8)


def make_images(spatial_dims: int = 2) -> torch.Tensor:
    return torch.randn(3, 2, *[32] * spatial_dims, generator=torch.Generator().manual_seed(1))


def make_explorer(kind: str):
    if kind == "playground":
        return attention_playground()
    if kind == "slices":
        return slice_explorer(make_sample(), overlays={"distance": np.linspace(0, 1, 12 * 16 * 14).reshape(12, 16, 14)})
    names = ["healthy", "tumour"]
    return gate_explorer(make_model(kind), make_images(), labels=[0, 1, 1], names=names, channels=["t1", "flair"])


KINDS = ("playground", "slices", "se", "cbam")


@pytest.fixture(params=KINDS)
def explorer(request):
    return make_explorer(request.param)
