"""Small networks whose explanations can be written down."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}


class Linear(nn.Module):
    """A_k = a_k x, y_c = Σ_k v_ck mean(A_k): a layer and a classifier, with the weights given."""

    def __init__(self, spatial_dims: int, a: list[float], v: list[list[float]]) -> None:
        super().__init__()
        self.layer = CONVOLUTION[spatial_dims](1, len(a), 1, bias=False)
        self.fc = nn.Linear(len(a), len(v), bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor(a).reshape(self.layer.weight.shape))
            self.fc.weight.copy_(torch.tensor(v))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layer(x).flatten(2).mean(dim=2))


class Pooled(nn.Module):
    """Brightness above a threshold, averaged over blocks, then over everything: the map must be bright where x is."""

    def __init__(self, spatial_dims: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.layer = {2: nn.AvgPool2d, 3: nn.AvgPool3d}[spatial_dims](stride, stride, ceil_mode=True,
                                                                       count_include_pad=False)
        self.anchor = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        bright = self.layer(torch.relu(x).sum(dim=1, keepdim=True)).flatten(2).mean(dim=2)  # (B, 1)
        return torch.cat([-bright, bright], dim=1) + self.anchor


class Small(nn.Module):
    """Two convolutions with ReLUs in place, mean over space, a classifier."""

    def __init__(self, spatial_dims: int, *, channels: int = 2, classes: int = 3, inplace: bool = True) -> None:
        super().__init__()
        convolution = CONVOLUTION[spatial_dims]
        self.conv1 = convolution(channels, 6, 3, padding=1)
        self.relu1 = nn.ReLU(inplace)
        self.conv2 = convolution(6, 8, 3, padding=1, stride=2)
        self.relu2 = nn.ReLU(inplace)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        return self.fc(self.dropout(x.flatten(2).mean(dim=2)))


class Voxelwise(nn.Module):
    """A_k = a_k x, logits_r = Σ_k v_rk A_k at every voxel."""

    def __init__(self, a: list[float], v: list[list[float]]) -> None:
        super().__init__()
        self.layer = nn.Conv3d(1, len(a), 1, bias=False)
        self.head = nn.Conv3d(len(a), len(v), 1, bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor(a).reshape(self.layer.weight.shape))
            self.head.weight.copy_(torch.tensor(v).reshape(self.head.weight.shape))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x))
