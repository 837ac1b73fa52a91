"""What notebook 08 uses around its subject: a training on mirrored images, two scores, a refusal in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.course import refusal, train_mirrored, uno_and_brier
from medattn_lite.survival import FollowUp, Predicted, c_index_ipcw, integrated_brier


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 1))


def test_a_mirrored_training_sees_both_sides_of_its_own_rows_only() -> None:
    images = torch.zeros(6, 1, 1, 1, 4)
    images[..., 0] = torch.arange(1.0, 7)[:, None, None, None]  # each image has its number, at one side
    seen: list[torch.Tensor] = []
    network = small_network()
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    drawn: list[int] = []

    def loss(output: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        assert len(rows) == 2 == len({*rows.tolist()})
        drawn.extend(rows.tolist())
        return (output[:, 0] - 3).square().mean()

    rows = np.array([1, 2, 4])
    trained = train_mirrored(network, images, rows, loss=loss, iterations=40, batch_size=2, seed=0)
    batches = torch.cat(seen)
    assert trained is network and not network.training
    assert {*drawn} == {1, 2, 4} and {*batches.flatten().tolist()} == {0.0, 2.0, 3.0, 5.0}
    assert 0.3 < float((batches[..., 3] > 0).float().mean()) < 0.7, "about half are mirrored"
    assert [int(image.max()) - 1 for image in batches] == drawn, "the loss is told which rows it was given"


def test_a_mirrored_training_learns_and_depends_on_its_seed_alone() -> None:
    images, rows = torch.rand(8, 1, 1, 1, 4), np.arange(8)
    weights = []
    for seed in (3, 3, 4):
        losses: list[float] = []

        def loss(output: torch.Tensor, rows: torch.Tensor, kept: list[float] = losses) -> torch.Tensor:
            value = (output[:, 0] - 1).square().mean()
            kept.append(value.item())
            return value

        network = train_mirrored(small_network(), images, rows, loss=loss, iterations=600, batch_size=4, seed=seed)
        assert np.mean(losses[-20:]) < 0.3 * np.mean(losses[:20])
        weights.append(network[1].weight.detach().clone())
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_unos_index_stops_before_the_last_tenth_and_the_brier_score_is_over_all_days() -> None:
    random = np.random.default_rng(0)
    risk = random.normal(size=60)
    patients = FollowUp(random.exponential(np.exp(-risk)), random.random(60) < 0.7)
    days = np.linspace(0.1, 1.5, 8)
    predicted = Predicted(patients, days, np.exp(-np.exp(risk)[:, None] * days), risk)
    until = float(np.quantile(patients.time, 0.9))
    uno, brier = uno_and_brier(predicted)
    assert uno == c_index_ipcw(patients, risk, until=until, n=0).value
    assert uno != c_index_ipcw(patients, risk, n=0).value, "the last deaths would have counted"
    assert brier == pytest.approx(integrated_brier(patients, predicted.survival, days)) and 0 < brier < 0.25


def test_a_refusal_is_what_the_error_says_and_other_errors_pass() -> None:
    assert refusal(int, "seven") == "invalid literal for int() with base 10: 'seven'"
    assert refusal(int, "7") == "not refused"
    with pytest.raises(ZeroDivisionError):
        refusal(divmod, 1, 0)
