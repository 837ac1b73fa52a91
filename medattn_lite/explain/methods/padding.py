"""What the border does to a map: convolutions that pad with zeros see an edge where the image ends.

A normalised head has the same dark value all around it; zeros beside it are a bright rim to a network. Padding with the
value at the border instead takes the rim away, for a network that was trained with it: a look, not a better network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, cast, get_args

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from medattn_lite.errors import UserError
from medattn_lite.explain.methods.attribution import darkest

Padding = Literal["zeros", "replicate", "reflect", "circular"]
PADDINGS = get_args(Padding)


@contextmanager
def padded_with(model: nn.Module, padding: str) -> Iterator[int]:
    """Pads in this way inside the block, in every convolution that pads; after it, as before.

    Args:
        model: any network.
        padding: "zeros", "replicate", "reflect" or "circular", as of `torch.nn.Conv3d`.

    Yields:
        how many convolutions pad.

    Raises:
        UserError: another padding.
    """
    if padding not in PADDINGS:
        raise UserError(f"unknown padding {padding!r}: use {', '.join(PADDINGS)}")
    padding_ones = [module for module in model.modules() if isinstance(module, _ConvNd) and not module.transposed
                    and (isinstance(module.padding, str) or any(module.padding))]  # fmt: skip
    before = [(module, module.padding_mode) for module in padding_ones]
    try:
        for module in padding_ones:
            module.padding_mode = cast(Padding, padding)
        yield len(padding_ones)
    finally:
        for module, mode in before:
            module.padding_mode = mode


def head_mask(image: Tensor) -> Tensor:
    """Finds where anything is: (B, *size) bool, voxels in which some channel is above its darkest value.

    Example:
        >>> import torch
        >>> head_mask(torch.tensor([[[[0.0, 1.0, 2.0]]]]))
        tensor([[[False,  True,  True]]])
    """
    return (image > darkest(image)).any(dim=1)


def outside_head(values: Tensor, head: Tensor) -> Tensor:
    """Computes the share of each map's positive values outside the head, (B,); NaN without a positive value."""
    positive = values.clamp(min=0)
    return (positive * ~head).flatten(1).sum(1) / positive.flatten(1).sum(1)
