"""A network that sees coarser slices: its place in the image stays, and the answer has the image's own size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.networks.coarse import CoarseInPlane


class Seen(nn.Module):
    """Gives back what it is shown."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shape = tuple(x.shape)
        return x


@pytest.mark.parametrize("side", [12, 13])
def test_the_network_sees_means_of_pixels_and_answers_at_the_images_size(side: int) -> None:
    ramp = torch.arange(float(side)).expand(2, 3, 4, 10, side)
    inside = Seen()
    output = CoarseInPlane(inside, 2)(ramp)
    assert inside.shape == (2, 3, 4, 5, (side + 1) // 2) and output.shape == ramp.shape
    assert torch.allclose(output[..., 1 : side - 2], ramp[..., 1 : side - 2], atol=1e-5)  # not moved by half a pixel
    depth = torch.arange(4.0).reshape(1, 1, 4, 1, 1).expand(1, 1, 4, 10, side)
    assert torch.equal(CoarseInPlane(Seen(), 2)(depth), depth)


def test_one_pixel_changes_nothing_and_none_is_refused() -> None:
    image = torch.randn(1, 1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(CoarseInPlane(Seen(), 1)(image), image)
    with pytest.raises(UserError, match="the step within a slice is 0"):
        CoarseInPlane(Seen(), 0)
