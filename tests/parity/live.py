"""Parity with libraries that are installed, and with formulas written out: output and gradient side by side."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention import MultiHeadAttention, RecurrentSliceAttention, SqueezeExcitation, attend
from medattn_lite.attention.slice_attention import PLANES
from medattn_lite.networks import convert
from tests.parity import formulae
from tests.parity.differences import LiveDifference, differences


def squeeze_excitation(spatial_dims: int) -> LiveDifference:
    """`SqueezeExcitation` and MONAI's `ChannelSELayer`, odd sizes."""
    from monai.networks.blocks.squeeze_and_excitation import ChannelSELayer

    torch.manual_seed(spatial_dims)
    theirs = ChannelSELayer(spatial_dims=spatial_dims, in_channels=48, r=16)
    ours = SqueezeExcitation(48, reduction=16, spatial_dims=spatial_dims)
    ours.load_state_dict(convert.from_monai_se_layer(theirs.state_dict()))
    return differences(ours, theirs, torch.randn(2, 48, *(5, 7, 9)[-spatial_dims:]))


def scaled_dot_product() -> LiveDifference:
    """`attend` and torch's `scaled_dot_product_attention`; query, keys and values from one tensor."""
    x = torch.randn(3, 2, 4, 11, 8, generator=torch.Generator().manual_seed(0))
    return differences(
        lambda x: attend(x[0], x[1], x[2], score="scaled").context,
        lambda x: F.scaled_dot_product_attention(x[0], x[1], x[2]),
        x,
    )


def multi_head() -> LiveDifference:
    """`MultiHeadAttention` and `torch.nn.MultiheadAttention`, self-attention."""
    torch.manual_seed(1)
    theirs = nn.MultiheadAttention(24, 4, batch_first=True)
    nn.init.normal_(theirs.in_proj_bias)
    ours = MultiHeadAttention(24, num_heads=4)
    ours.load_state_dict(convert.from_torch_multihead(theirs.state_dict()))
    return differences(ours, lambda x: theirs(x, x, x)[0], torch.randn(2, 9, 24))


def slices_as_tokens() -> LiveDifference:
    """`RecurrentSliceAttention` and torch's attention over slices as tokens, without its 1 / √d; β ≠ 0."""
    torch.manual_seed(2)
    block = RecurrentSliceAttention(4).double()
    for index, beta in enumerate(block.betas):
        nn.init.constant_(beta, 0.5 + 0.1 * index)

    def theirs(x: Tensor) -> Tensor:
        for plane, beta in zip(block.order, block.betas, strict=True):
            dim = PLANES[3][plane]
            tokens = [part.movedim(dim, 1) for part in block.projections(x)]
            context = F.scaled_dot_product_attention(*(part.flatten(2) for part in tokens), scale=1.0)
            x = x + beta * context.reshape(tokens[0].shape).movedim(1, dim)
        return x

    return differences(block, theirs, 0.3 * torch.randn(2, 4, 3, 5, 7, dtype=torch.float64))


LIVE: dict[str, tuple[str, str, Callable[[], LiveDifference]]] = {
    "squeeze_excitation_2d": ("SqueezeExcitation, 2-D", "MONAI ChannelSELayer", lambda: squeeze_excitation(2)),
    "squeeze_excitation_3d": ("SqueezeExcitation, 3-D", "MONAI ChannelSELayer", lambda: squeeze_excitation(3)),
    "scaled_dot_product": ("attend", "torch scaled_dot_product_attention", scaled_dot_product),
    "multi_head": ("MultiHeadAttention", "torch nn.MultiheadAttention", multi_head),
    "eca_2d": ("EfficientChannelAttention, 2-D", "formula", lambda: formulae.eca_difference(2)),
    "eca_3d": ("EfficientChannelAttention, 3-D", "formula", lambda: formulae.eca_difference(3)),
    "coordinate_2d": ("CoordinateAttention, 2-D", "formula", lambda: formulae.coordinate_difference(2)),
    "coordinate_3d": ("CoordinateAttention, 3-D", "formula", lambda: formulae.coordinate_difference(3)),
    "slices_as_tokens": ("RecurrentSliceAttention", "torch scaled_dot_product_attention", slices_as_tokens),
}
LIVE_LIMIT = 1e-5
