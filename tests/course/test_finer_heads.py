"""A head to look at is the head that the network gets, in finer voxels."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from medattn_lite.course.finer_heads import finer_head, row_to_show
from medattn_lite.data import open_dataset

COARSE = {"n": 3, "shape": (22, 26, 22), "spacing_mm": 8.0, "task": "segmentation", "seed": 4}


def overlap(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


@pytest.fixture(scope="module")
def cohort():
    return open_dataset("phantom", None, **COARSE)


def test_the_finer_head_is_the_same_person_with_the_same_tumour(cohort) -> None:
    masks = [sample["mask"][0] > 0 for sample in cohort]
    for row, subject in enumerate(cohort.subjects):
        sample = finer_head(COARSE, subject)
        assert sample["subject"] == subject and sample["image"].shape[1:] == (44, 52, 44)
        again = functional.avg_pool3d((sample["mask"][:1] > 0).float(), 2)[0] >= 0.5
        scores = [overlap(again, mask) for mask in masks]
        assert scores[row] > 0.6 and max(scores) == scores[row]
        assert float(sample["image"].amin()) == pytest.approx(-4)  # normalised: the background


def test_a_row_of_real_patients_or_in_fine_voxels_is_shown_as_it_is(cohort) -> None:
    sample = cohort[0]
    task = SimpleNamespace(
        data="phantom", images=[sample["image"].half()], masks=[sample["mask"]], subjects=cohort.subjects, seed=4,
        settings=SimpleNamespace(phantom={key: COARSE[key] for key in ("shape", "spacing_mm")}, subjects=3),
        recipe=SimpleNamespace(phantom_task="segmentation"), to_regions=lambda mask: (mask > 0).to(torch.uint8),
    )  # fmt: skip
    for data, edges in (("lgg", (8.0, 8.0, 8.0)), ("phantom", (2.0, 2.0, 2.0)), ("lgg", None)):
        task.data, task.spacings = data, [edges]
        image, mask, shown = row_to_show(task, 0)
        assert torch.equal(image, sample["image"].half().float()) and mask is not None and shown == edges
    task.data, task.spacings = "phantom", [(8.0, 8.0, 8.0)]
    image, mask, shown = row_to_show(task, 0)
    assert image.shape[1:] == (88, 104, 88) == mask.shape[1:] and shown == (2.0, 2.0, 2.0)
