"""What the attention blocks are compared with: the authors' formulation, or the formula written out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention import (
    CBAM,
    AttentionMap,
    GlobalFusion,
    InterSliceAttention,
    RecurrentSliceAttention,
    SplitAttention,
)


class OfficialRSA(nn.Module):
    """RSA as its authors compute it: three convolutions for each direction, slices copied into rows, two products."""

    def __init__(self, block: RecurrentSliceAttention, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv3d(channels, channels, 1) for _ in range(3)])
        self.betas = nn.ParameterList([nn.Parameter(beta.detach().clone()) for beta in block.betas])
        projections = (block.projections.query, block.projections.key, block.projections.value)
        with torch.no_grad():
            for convolution, projection in zip(self.convolutions, projections, strict=True):
                convolution.weight.copy_(projection.weight[:, :, None, None, None])
                convolution.bias.copy_(projection.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        for dim, beta in zip((3, 4, 2), self.betas, strict=True):
            there = [0, dim, *(other for other in range(1, 5) if other != dim)]
            parts = [part(x).permute(there).contiguous() for part in self.convolutions]  # 3 × (B, S, C, …)
            query, key, value = (part.view(len(x), part.shape[1], -1) for part in parts)  # 3 × (B, S, C·…)
            affinity = F.softmax(torch.bmm(query, key.permute(0, 2, 1)), dim=-1)  # (B, S, S)
            mixed = torch.bmm(affinity, value).view(parts[2].shape)  # (B, S, C, …)
            x = x + beta * mixed.permute([there.index(axis) for axis in range(5)])
        return x


class OneInput(nn.Module):
    """Global fusion of a map with itself and a projection of it, so that it takes one input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.fusion = nn.Conv3d(channels, channels, 1), GlobalFusion()

    def forward(self, x: Tensor) -> Tensor:
        """(B, f, D, H, W) to the same shape."""
        return self.fusion(self.query(x), x, x)


class PlainCBAM(nn.Module):
    """CBAM of a block's weights with means and maxima as timm takes them: `amax` over all axes at once."""

    def __init__(self, block: CBAM) -> None:
        super().__init__()
        self.block = copy.deepcopy(block)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same shape."""
        space = tuple(range(2, x.dim()))
        mlp, spatial = self.block.channel.mlp, self.block.spatial
        gate = torch.sigmoid(mlp(x.mean(space)) + mlp(x.amax(space)))  # (B, C)
        x = x * gate.reshape(*gate.shape, *[1] * len(space))  # (B, C, …)
        described = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)  # (B, 2, …)
        return x * torch.sigmoid(spatial.norm(spatial.convolution(described)))  # (B, C, …)


class PlainSplitAttention(nn.Module):
    """Split attention of a block's weights as its authors' code has it: pieces cut out, weighted one by one, added."""

    def __init__(self, block: SplitAttention) -> None:
        super().__init__()
        self.block = copy.deepcopy(block)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C, H', W')."""
        block = self.block
        x = F.relu(block.bn0(block.conv(x)))  # (B, R·C, H, W)
        pieces = torch.split(x, x.shape[1] // block.radix, dim=1)  # R × (B, C, H, W)
        gap = F.adaptive_avg_pool2d(sum(pieces), 1)  # (B, C, 1, 1)
        weights = block.rsoftmax(block.fc2(F.relu(block.bn1(block.fc1(gap)))))  # (B, R, C)
        parts = weights.flatten(1)[:, :, None, None].split(x.shape[1] // block.radix, dim=1)  # R × (B, C, 1, 1)
        return sum(weight * piece for weight, piece in zip(parts, pieces, strict=True)).contiguous()


class PlainInterSlice(nn.Module):
    """Inter-slice attention of a block's weights, its products and means as `einsum`."""

    def __init__(self, block: InterSliceAttention) -> None:
        super().__init__()
        self.block = copy.deepcopy(block)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        gate = self.block.channel(x).flatten(2)  # (B, C, D)
        x = torch.einsum("bcdhw,bcd->bcdhw", x, gate)
        mean = torch.einsum("bcdhw->bdhw", x)[:, None] / x.shape[1]  # (B, 1, D, H, W)
        gate = torch.sigmoid(self.block.spatial.norm(self.block.spatial.convolution(mean)))
        return torch.einsum("bcdhw,bdhw->bcdhw", x, gate[:, 0])


def with_matrix(block: nn.Module) -> nn.Module:
    """A copy whose maps somebody looks at, so that it computes them as the formula says."""
    return watched(copy.deepcopy(block))


def watched(block: nn.Module) -> nn.Module:
    """The block itself, from now on with its maps."""
    for module in block.modules():
        if isinstance(module, AttentionMap):
            module.register_forward_hook(lambda module, inputs, output: None)
    return block


def rsa(channels: int, size: tuple[int, ...], *, device: str = "cpu") -> tuple[nn.Module, nn.Module, Tensor]:
    """Ours, the official formulation, and an input small enough that not all weights of a map are 0 or 1."""
    torch.manual_seed(0)
    block = RecurrentSliceAttention(channels)
    for beta in block.betas:
        nn.init.constant_(beta, 0.5)
    official, x = OfficialRSA(block, channels), 0.01 * torch.randn(1, channels, *size)
    return block.to(device), official.to(device), x.to(device)
