"""What a network costs, against counts by hand."""

from __future__ import annotations

import torch
from torch import nn

from medattn_lite.attention import create
from medattn_lite.networks.costs import cost_of, kept_bytes, multiplications


def test_a_convolution_costs_what_a_hand_counts():
    model = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    image = torch.randn(1, 3, 8, 6)
    cost = cost_of(model, image)
    assert cost.parameters == 3 * 5 * 9
    assert cost.multiplications == 3 * 5 * 9 * 8 * 6  # every weight once per place
    assert cost.kept_bytes == 0  # its input is the caller's and its weight is a parameter


def test_strides_groups_and_three_dimensions_are_counted():
    model = nn.Conv3d(4, 8, 3, stride=2, padding=1, groups=2)
    assert multiplications(model, torch.randn(1, 4, 8, 8, 8)) == 2 * (2 * 4 * 27) * 4**3


def test_squeeze_and_excitation_costs_its_two_layers():
    block = create("se", 32, spatial_dims=2, reduction=8)
    assert multiplications(block, torch.randn(1, 32, 10, 10)) == 2 * 32 * 4


def test_efficient_channel_attention_costs_its_kernel_per_channel():
    block = create("eca", 64, spatial_dims=3, kernel_size=3)
    assert multiplications(block, torch.randn(1, 64, 4, 4, 4)) == 64 * 3


def test_non_local_attention_costs_its_products():
    channels, hidden, places = 16, 8, 36
    block = create("non_local", channels, spatial_dims=2, hidden_channels=hidden, sub_sample=False)
    projections = 4 * channels * hidden * places  # θ, φ, g and the way back
    assert multiplications(block.eval(), torch.randn(1, channels, 6, 6)) == projections + 2 * places**2 * hidden


def test_bytes_are_those_of_the_tensors_kept_each_once():
    model = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.ReLU(), nn.Conv2d(4, 2, 1, bias=False))
    image = torch.randn(2, 1, 5, 5)
    assert kept_bytes(model, image) == 2 * 4 * 25 * 4  # the ReLU's result, which both neighbours keep


def test_a_batch_of_two_keeps_twice_as_much():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sigmoid(), nn.Conv2d(8, 8, 3), nn.Sigmoid())
    one, two = (kept_bytes(model, torch.randn(n, 3, 12, 12)) for n in (1, 2))
    assert one == 4 * 8 * (10 * 10 + 8 * 8) and two == 2 * one


def test_counting_leaves_the_network_as_it_was():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    cost_of(model, torch.randn(1, 2, 8, 8))
    assert not model.training and all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
