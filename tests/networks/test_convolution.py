"""The convolution of thin images: equal to torch's, and cheaper where an axis has one place."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from medattn_lite.networks.convolution import ThinConv3d

SIZES = [(1, 8, 7), (5, 1, 6), (1, 1, 9), (1, 1, 1), (4, 6, 5)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel, stride, dilation, groups, bias", [
    (3, 1, 1, 1, False), (3, 2, 1, 1, True), (5, 2, 1, 2, True), (3, 1, 2, 1, True),
    ((3, 1, 3), (1, 2, 1), 1, 1, False),
])  # fmt: skip
def test_outputs_and_gradients_are_those_of_conv3d(size, kernel, stride, dilation, groups, bias):
    sides = (kernel,) * 3 if isinstance(kernel, int) else kernel
    options = {"stride": stride, "dilation": dilation, "groups": groups, "bias": bias,
               "padding": tuple(dilation * (side // 2) for side in sides)}  # fmt: skip
    torch.manual_seed(0)
    theirs, ours = nn.Conv3d(4, 6, kernel, **options).double(), ThinConv3d(4, 6, kernel, **options).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    first, second = x.clone().requires_grad_(), x.clone().requires_grad_()
    expected, computed = theirs(first), ours(second)
    torch.testing.assert_close(computed, expected, rtol=1e-12, atol=1e-12)
    expected.square().sum().backward()
    computed.square().sum().backward()
    torch.testing.assert_close(second.grad, first.grad, rtol=1e-12, atol=1e-12)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding, kernel, mode", list(product((0, 1, 2, "same"), (2, 3), ("zeros", "replicate"))))
def test_other_paddings_and_kernels_are_left_to_torch(padding, kernel, mode):
    torch.manual_seed(0)
    theirs = nn.Conv3d(1, 2, (1, kernel, kernel), padding=padding, padding_mode=mode)
    ours = ThinConv3d(1, 2, (1, kernel, kernel), padding=padding, padding_mode=mode)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 1, 1, 4, 5)
    torch.testing.assert_close(ours(x), theirs(x))


def test_a_single_slice_costs_a_third():
    def cost(layer: nn.Module, depth: int) -> int:
        with FlopCounterMode(display=False) as counter:
            layer(torch.randn(1, 3, depth, 8, 8))
        return counter.get_total_flops()

    thin, plain = ThinConv3d(3, 3, 3, padding=1), nn.Conv3d(3, 3, 3, padding=1)
    assert cost(thin, 1) * 3 == cost(plain, 1)
    assert cost(thin, 4) == cost(plain, 4)
