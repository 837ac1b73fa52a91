"""Learning rates as the papers print them, and sharpness-aware minimisation against its formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.training.optimisers import learning_rate, make_optimiser, sam_ascent
from tests.training.toy import settings


def test_steps_divide_by_ten_at_each_milestone():
    chosen = settings(learning_rate=3e-4, schedule="steps", milestones=(20, 50), iterations=None, epochs=100)
    rates = [learning_rate(chosen, epoch * 7, 7, 700) for epoch in (0, 19, 20, 49, 50, 99)]
    assert rates == pytest.approx([3e-4, 3e-4, 3e-5, 3e-5, 3e-6, 3e-6])
    assert learning_rate(chosen, 20 * 7 - 1, 7, 700) == pytest.approx(3e-4)


def test_the_cosine_of_epochs_starts_high_and_ends_low():
    chosen = settings(learning_rate=1e-3, schedule="cosine", iterations=None, epochs=100)
    rates = [learning_rate(chosen, epoch * 5, 5, 500) for epoch in range(100)]
    assert rates[0] == 1e-3 and rates[50] == pytest.approx(5e-4) and rates == sorted(rates, reverse=True)
    assert rates[99] == pytest.approx(0.5e-3 * (1 + math.cos(math.pi * 99 / 100)))
    assert {learning_rate(chosen, 5 * 7 + k, 5, 500) for k in range(5)} == {rates[7]}


def test_a_short_half_period_makes_the_cosine_rise_again():
    chosen = settings(learning_rate=1e-4, schedule="cosine", cosine_epochs=10, final_rate=1e-6)
    rates = [learning_rate(chosen, epoch, 1, 200) for epoch in range(41)]
    assert rates[10] == pytest.approx(1e-6) and rates[20] == pytest.approx(1e-4) == rates[40]


def test_sharpness_uses_the_gradient_at_the_highest_point_nearby():
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0]]))

    def loss():
        return layer.weight.square().sum() / 2  # its gradient is the weight itself

    loss().backward()
    with sam_ascent(layer.parameters(), rho=0.5):
        assert torch.allclose(layer.weight, torch.tensor([[3.3, 4.4]]))
        loss().backward()
    assert torch.equal(layer.weight, torch.tensor([[3.0, 4.0]]))
    assert torch.allclose(layer.weight.grad, torch.tensor([[3.3, 4.4]]))


def test_frozen_parameters_stay_out_and_nothing_to_learn_is_said():
    layer = nn.Linear(2, 1)
    layer.bias.requires_grad_(False)
    assert [len(group["params"]) for group in make_optimiser(layer, settings()).param_groups] == [1]
    layer.requires_grad_(False)
    with pytest.raises(UserError, match="no parameter of this network learns"):
        make_optimiser(layer, settings())
    with pytest.raises(UserError, match="unknown optimiser"):
        make_optimiser(nn.Linear(1, 1), settings(optimiser="magic"))


def test_one_cycle_is_pytorchs_step_by_step():
    chosen = settings(learning_rate=3e-3, schedule="one-cycle", iterations=40)
    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=40, pct_start=0.3, div_factor=25)
    for iteration in range(40):
        if iteration != 11:  # PyTorch turns at a whole step less one, here at 0.3 of the way
            assert learning_rate(chosen, iteration, 7, 40) == pytest.approx(theirs.get_last_lr()[0], rel=0.1), iteration
        optimiser.step()
        theirs.step()


@pytest.mark.parametrize("warm_up", [0.0, 0.3, 0.9])
def test_one_cycle_rises_to_the_rate_and_falls_to_almost_nothing(warm_up):
    chosen = settings(learning_rate=3e-3, schedule="one-cycle", iterations=200, warm_up=warm_up)
    rates = [learning_rate(chosen, iteration, 7, 200) for iteration in range(200)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(3e-3, rel=1e-3) and top == pytest.approx(warm_up * 199, abs=1)
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(3e-3 / 250_000) and (warm_up == 0 or rates[0] == pytest.approx(3e-3 / 25))
    assert learning_rate(settings(learning_rate=1e-3, schedule="one-cycle", iterations=1), 0, 1, 1) <= 1e-3


def test_a_switch_that_is_no_switch_and_a_warm_up_of_the_whole_run_are_refused():
    with pytest.raises(UserError, match="channels_last=yes: write true or false"):
        settings(channels_last="yes")
    with pytest.raises(UserError, match="warm_up=1"):
        settings(warm_up=1.0)
