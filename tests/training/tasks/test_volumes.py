"""Images are standardised before they are resampled, so that a stripped head keeps its z-score at any voxel size."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from medattn_lite.training.tasks.volumes import standardise


@pytest.mark.parametrize("spacing", [None, 2.0, 4.0])
def test_a_stripped_head_keeps_its_z_score_at_any_voxel_size(spacing):
    places = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 48)] * 3, indexing="ij"))
    head = places.square().sum(0) < 0.6
    smooth = 100 + 20 * torch.sin(4 * places[0]) + 20 * places[1]
    image = torch.where(head, smooth, torch.zeros(()))[None]
    sample = {"image": image, "affine": np.eye(4), "meta": {"voxel_size_mm": (1.0, 1.0, 1.0)}, "source": "nifti",
              "subject": "a"}  # fmt: skip
    scaled = standardise(SimpleNamespace(spacing_mm=spacing), sample)["image"]
    axes = [torch.linspace(-1, 1, side) for side in scaled.shape[1:]]
    inner = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0) < 0.2  # far from the border
    whole = standardise(SimpleNamespace(spacing_mm=None), sample)["image"]
    expected = whole[0][places.square().sum(0) < 0.2]
    assert float(scaled[0][inner].mean()) == pytest.approx(float(expected.mean()), abs=0.2)
    assert float(scaled[0][inner].std()) == pytest.approx(float(expected.std()), rel=0.1)
    assert scaled[0, 0, 0, 0] == whole[0, 0, 0, 0], "the background keeps its value, by which the head is found"
