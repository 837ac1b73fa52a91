"""The baseline of grading: features of the annotated tumour, and a logistic regression on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.training.tasks.features import FeatureLogistic, ImageWithFeatures, tumour_features
from medattn_lite.training.tasks.grading import Grading


def _sample(*, spacing: float | None) -> dict:
    image, mask = torch.zeros(2, 4, 5, 6), torch.zeros(1, 4, 5, 6, dtype=torch.uint8)
    mask[0, 1:3, 1:3, 1:3] = 4
    image[0, 1, 1:3, 1:3], image[1] = 2.0, -1.0
    return {"image": image, "mask": mask, "meta": {"voxel_size_mm": spacing and (spacing,) * 3}}


def test_features_are_volume_in_millilitres_and_moments_inside_the_tumour():
    features = tumour_features(_sample(spacing=10.0))
    assert features == pytest.approx([np.log1p(8.0), 1.0, 1.0, -1.0, 0.0])


def test_volume_is_counted_in_voxels_where_their_size_is_unknown():
    assert tumour_features(_sample(spacing=None))[0] == pytest.approx(np.log1p(8))


def test_a_sample_without_tumour_has_missing_moments_and_no_exception():
    sample = _sample(spacing=1.0)
    sample["mask"][:] = 0
    features = tumour_features(sample)
    assert features[0] == 0
    assert np.isnan(features[1:]).all()


def test_regression_finds_the_feature_that_decides():
    features = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    labels = (features[:, 1] > 0).int().numpy()
    model = FeatureLogistic(3)
    model.fit(features, labels)
    assert (model(features).argmax(1).numpy() == labels).mean() > 0.95
    assert model.weight[1] > 5 * model.weight[[0, 2]].abs().max()


def test_one_class_alone_leaves_the_regression_at_one_half():
    model = FeatureLogistic(2)
    model.fit(torch.randn(5, 2), np.ones(5, dtype=int))
    assert (model(torch.randn(4, 2)).softmax(1) == 0.5).all()


def test_raw_features_give_the_probabilities_of_standardised_ones():
    generator = torch.Generator().manual_seed(1)
    raw = torch.randn(60, 3, generator=generator) * torch.tensor([100.0, 0.1, 1.0]) + torch.tensor([500.0, 0.0, -3.0])
    raw[:, 2] = -3.0  # the same for all
    labels = (raw[:, 0] > 500).int().numpy()
    model, other = FeatureLogistic(3), FeatureLogistic(3)
    model.fit_raw(raw, labels)
    scores = (raw - raw.mean(0)) / torch.where(raw.std(0, unbiased=False) > 1e-4, raw.std(0, unbiased=False), 1.0)
    other.fit(scores, labels)
    assert torch.allclose(model(raw).softmax(1), other(scores).softmax(1), atol=1e-3)
    assert (model(raw).argmax(1).numpy() == labels).mean() > 0.95


def test_a_network_with_features_starts_as_the_features_alone_and_only_the_network_learns():
    torch.manual_seed(0)
    image = nn.Sequential(nn.Flatten(), nn.Linear(8, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))
    features = FeatureLogistic(3)
    features.fit(torch.randn(40, 3), np.arange(40) % 2)
    both = ImageWithFeatures(image, features)
    x, values = torch.randn(5, 1, 2, 2, 2), torch.randn(5, 3)
    assert torch.equal(both(x, values), features(values)) and features(values).abs().max() > 0
    both(x, values)[:, 0].sum().backward()
    assert image[-1].weight.grad is not None and features.weight.grad is None
    assert {name for name, _ in both.state_dict().items() if name.startswith("features.")} == {
        "features.weight", "features.bias"}  # fmt: skip


def test_a_new_image_for_a_network_with_features_comes_with_the_features_of_the_mean_tumour():
    both = ImageWithFeatures(nn.Sequential(nn.Flatten(), nn.Linear(8, 2)), FeatureLogistic(3))
    inputs, notes = Grading.__new__(Grading).extra_inputs(both)
    assert [tuple(values.shape) for values in inputs] == [(1, 3)] and not inputs[0].any() and "mean" in notes[0]
    assert both(torch.randn(1, 1, 2, 2, 2), *inputs).shape == (1, 2)
    assert Grading.__new__(Grading).extra_inputs(both.features) == ([], [])
