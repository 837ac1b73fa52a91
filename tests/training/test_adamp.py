"""AdamP against calculations by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medattn_lite.training.adamp import AdamP
from medattn_lite.training.checkpoint import load_state, save_state


def stepped(weight: list, gradient: list, **options) -> torch.Tensor:
    parameter = nn.Parameter(torch.tensor(weight, dtype=torch.float64))
    optimiser = AdamP([parameter], lr=0.1, **options)
    parameter.grad = torch.tensor(gradient, dtype=torch.float64)
    optimiser.step()
    return parameter.detach()


def test_a_gradient_orthogonal_to_the_weight_leaves_its_length_to_first_order():
    # First step: Adam's direction is the gradient's sign, (1, −1). w = (3, 3.6), g = (6, −5): g ⟂ w exactly.
    # unit = w / |w|; the direction loses its part along w; weight decay 0.5 counts a tenth.
    length = math.hypot(3, 3.6)
    along = (3 - 3.6) / length
    direction = [1 - along * 3 / length, -1 - along * 3.6 / length]
    shrink = 1 - 0.1 * 0.5 * 0.1
    expected = [3 * shrink - 0.1 * direction[0], 3.6 * shrink - 0.1 * direction[1]]
    weights = stepped([[3.0, 3.6]], [[6.0, -5.0]], weight_decay=0.5)
    assert weights.flatten().tolist() == pytest.approx(expected, rel=1e-7)


def test_a_gradient_along_the_weight_is_plain_adam_with_full_decay():
    weights = stepped([[3.0, 4.0]], [[3.0, 4.0]], weight_decay=0.5)
    assert weights.flatten().tolist() == pytest.approx([3 * 0.95 - 0.1, 4 * 0.95 - 0.1], rel=1e-7)


def test_a_bias_is_never_projected():
    weights = stepped([3.0, 3.6], [6.0, -5.0], weight_decay=0.5)
    assert weights.tolist() == pytest.approx([3 * 0.95 - 0.1, 3.6 * 0.95 + 0.1], rel=1e-7)


def test_channels_that_are_orthogonal_only_together_are_projected_together():
    # cos is 1 and −1 by channel, 0 for the whole tensor: δ / √4 admits the whole tensor only.
    weight, gradient = [[3.0, 4.0], [3.0, 4.0]], [[3.0, 4.0], [-3.0, -4.0]]
    weights = stepped(weight, gradient)
    direction = [[1.0, 1.0], [-1.0, -1.0]]  # itself orthogonal to w, so nothing is lost
    expected = torch.tensor(weight, dtype=torch.float64) - 0.1 * torch.tensor(direction)
    assert torch.allclose(weights, expected, rtol=1e-7)
    assert stepped(weight, gradient, weight_decay=0.5)[0, 0].item() == pytest.approx(3 * (1 - 0.005) - 0.1)


def test_without_a_scale_invariant_weight_it_is_adamw():
    torch.manual_seed(0)
    start = torch.randn(4, 3, dtype=torch.float64)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    options = {"lr": 0.01, "weight_decay": 0.1}
    pairs = [(ours, AdamP([ours], delta=0.0, **options)), (theirs, torch.optim.AdamW([theirs], **options))]
    for _ in range(20):
        for parameter, optimiser in pairs:
            optimiser.zero_grad()
            ((parameter - 1) ** 4).sum().backward()
            optimiser.step()
    assert torch.allclose(ours, theirs, rtol=1e-9)


def test_a_saved_state_goes_on_as_if_it_had_not_stopped(tmp_path):
    def trained(model: nn.Module, optimiser: AdamP, steps: int) -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            model(torch.ones(2, 3)).square().sum().backward()
            optimiser.step()

    torch.manual_seed(0)
    whole = nn.Linear(3, 2)
    part = nn.Linear(3, 2)
    part.load_state_dict(whole.state_dict())
    adamp = AdamP(whole.parameters(), lr=0.01)
    trained(whole, adamp, 6)
    first = AdamP(part.parameters(), lr=0.01)
    trained(part, first, 3)
    save_state(part, first, tmp_path / "state.safetensors")
    again = nn.Linear(3, 2)
    second = AdamP(again.parameters(), lr=0.01)
    load_state(again, second, tmp_path / "state.safetensors")
    trained(again, second, 3)
    assert torch.equal(again.weight, whole.weight)
