"""No attention: x' = x, so that the network without a mechanism is the same network with this one in its place.

Paper: none; the control of every comparison of mechanisms.

Deviations: none.
"""

from __future__ import annotations

from torch import nn

from medattn_lite.attention.dimensions import check_positive, check_spatial_dims


class NoAttention(nn.Identity):
    """The identity, with the signature of a mechanism.

    Args:
        channels: C, channels of the input and the output.
        spatial_dims: 2 or 3.

    Raises:
        ValueError: no channel, or neither 2-D nor 3-D.
    """

    def __init__(self, channels: int, *, spatial_dims: int) -> None:
        super().__init__()
        check_positive("channels", channels)
        check_spatial_dims(spatial_dims)
