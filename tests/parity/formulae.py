"""Mechanisms written out from their papers' formulas, sum by sum and in float64, to compare the blocks with.

Nothing here is shared with `medattn_lite.attention`: no class, no padding rule, no broadcasting of gates. Where the
authors' code is public and reads the paper in one of several ways, the formula follows it (see each docstring).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from medattn_lite.attention import create
from tests.attention.support import stirred
from tests.parity.differences import LiveDifference, differences


def eca(x: Tensor, weights: list[Tensor]) -> Tensor:
    """Wang et al. 2020, eq. 5 and 9: s_c = σ(Σ_j w_j z_{c + j}), j from −(k − 1) / 2 to (k − 1) / 2, nothing beyond."""
    half = len(weights) // 2
    images = []
    for image in x:
        means = [channel.sum() / channel.numel() for channel in image]
        channels = []
        for c, channel in enumerate(image):
            seen = [(j, c + j) for j in range(-half, half + 1) if 0 <= c + j < len(means)]
            logit = sum((weights[j + half] * means[other] for j, other in seen), start=torch.zeros(()))
            channels.append(channel / (1 + torch.exp(-logit)))
        images.append(torch.stack(channels))
    return torch.stack(images)


def coordinate(x: Tensor, block: nn.Module) -> Tensor:
    """Hou et al. 2021, eq. 4 to 9, for any number of axes; the batch norm in eval mode, hard swish from its formula."""
    shared, norm = block.shared[0], block.shared[1]
    space = range(2, x.dim())
    logits = []
    for axis, name in zip(space, ("depth", "height", "width")[-len(space) :], strict=True):
        mean = x
        for other in reversed([dim for dim in space if dim != axis]):
            mean = mean.sum(dim=other) / x.shape[other]
        hidden = torch.einsum("kc,bcs->bks", shared.weight[:, :, 0], mean) + shared.bias[None, :, None]
        centred = (hidden - norm.running_mean[None, :, None]) / (norm.running_var + norm.eps).sqrt()[None, :, None]
        hidden = centred * norm.weight[None, :, None] + norm.bias[None, :, None]
        hidden = hidden * (hidden + 3).clamp(0, 6) / 6
        last = block.gates[name].convolution
        logits.append(torch.einsum("ck,bks->bcs", last.weight[:, :, 0], hidden) + last.bias[None, :, None])
    gates = [1 / (1 + torch.exp(-one)) for one in logits]
    return torch.einsum("bchw,bch,bcw->bchw" if len(gates) == 2 else "bcdhw,bcd,bch,bcw->bcdhw", x, *gates)


def kernel_size(channels: int) -> int:
    """Wang et al. 2020, eq. 12 as their code has it: |log₂(C) / 2 + 1 / 2| cut to a whole number, up to an odd one."""
    size = math.floor((math.log(channels, 2) + 1) / 2)
    return size | 1


def eca_difference(spatial_dims: int) -> LiveDifference:
    """`EfficientChannelAttention` and its formula, float64."""
    block = stirred(create("eca", 24, spatial_dims=spatial_dims), seed=1).double()
    x = torch.randn(2, 24, *(4, 5, 3)[-spatial_dims:], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = list(block.gate.convolution.weight.detach().flatten())
    assert len(weights) == kernel_size(24)
    return differences(block, lambda x: eca(x, weights), x)


def coordinate_difference(spatial_dims: int) -> LiveDifference:
    """`CoordinateAttention` and its formula, float64; statistics of the batch norm away from 0 and 1."""
    block = stirred(create("coordinate", 24, spatial_dims=spatial_dims), seed=2).double().eval()
    generator = torch.Generator().manual_seed(2)
    block.shared[1].running_mean.normal_(generator=generator)
    block.shared[1].running_var.uniform_(0.5, 2.0, generator=generator)
    x = torch.randn(2, 24, *(4, 5, 3)[-spatial_dims:], dtype=torch.float64, generator=generator)
    return differences(block, lambda x: coordinate(x, block), x)
