"""Sanity checks forget in order, leave the model alone, and tell a map of the network from a map of the image."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.sanity import cascade, reinitialised_copy, similarity
from medattn_lite.networks import P3DResNet


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_cascade_forgets_from_the_output_and_leaves_the_model_alone():
    model = small().train()
    with torch.no_grad():
        model[1].running_mean += 3
        model[1].weight += 1
    before = state(model)
    steps = list(cascade(model))
    assert [name for name, _ in steps] == ["4", "1", "0"]
    for number, (_, copy) in enumerate(steps):
        same = {name.split(".")[0] for name, value in copy.state_dict().items() if torch.equal(value, before[name])}
        forgotten = ["4", "1", "0"][: number + 1]
        assert not same & (set(forgotten) - {"1"}) and set("041") - set(forgotten) <= same
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()) and model.training
    assert steps[1][1][1].running_mean.abs().max() == 0, "statistics are forgotten too"


def test_parts_end_with_everything_forgotten():
    model = small()
    assert [name for name, _ in cascade(model, parts=2)] == ["1", "0"]
    assert [name for name, _ in cascade(model, parts=1)] == ["0"]


def test_the_same_seed_gives_the_same_copy_and_the_callers_random_numbers_are_left_alone():
    model = small()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = (reinitialised_copy(model, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first[0].weight, second[0].weight) and not torch.equal(first[0].weight, other[0].weight)


def test_a_reinitialised_copy_fits_its_batch_norms_to_the_images():
    images = torch.randn(6, 1, 8, 8) * 4 + 2
    model = reinitialised_copy(small(), images=images)
    with torch.no_grad():
        normed = model[1](model[0](images))
    assert normed.mean().abs() < 0.05 and abs(float(normed.std()) - 1) < 0.2 and not model.training


def test_a_published_class_can_be_forgotten():
    model = P3DResNet(in_channels=2, num_classes=2, layers=(1, 1, 1, 1), width=4)
    images = torch.randn(2, 2, 16, 16, 16)
    forgotten = reinitialised_copy(model, images=images)
    with torch.no_grad():
        assert torch.isfinite(forgotten(images)).all()
        assert not torch.allclose(forgotten(images), model.eval()(images))


def test_similarity_is_of_absolute_values_and_of_counted_voxels():
    first = torch.tensor([1.0, 2.0, -3.0, 4.0])
    assert similarity(first, -first) == pytest.approx(1)
    assert similarity(first, torch.tensor([4.0, 3.0, 2.0, 1.0])) == pytest.approx(-1)
    assert math.isnan(similarity(first, torch.ones(4)))
    within = torch.tensor([True, True, True, False])
    assert similarity(first, torch.tensor([1.0, 2.0, 3.0, 0.0]), within=within) == pytest.approx(1)
    with pytest.raises(UserError, match="one grid for both"):
        similarity(first, torch.ones(3))


def test_a_network_without_weights_is_refused():
    with pytest.raises(UserError, match="has no weights"):
        reinitialised_copy(nn.ReLU())
