"""Slices of phantoms, patients and pictures as one batch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from medattn_lite.data import open_dataset
from medattn_lite.data.patient_splits import train_valid_test
from medattn_lite.data.slice_cutting import Slice, fit_slice, letterbox, slices_of
from medattn_lite.data.slice_set import ENOUGH_TUMOUR, SliceSet
from medattn_lite.errors import UserError
from tests.data.makers import brain, lgg_case


class Cohort:
    """Volumes with a tumour on a few slices; a stand-in for any data set."""

    channels = ("t1", "flair")
    source = "made"

    def __init__(
        self, n: int, *, shape: tuple[int, int, int] = (24, 32, 28), signal: bool = False, label: int | None = 1
    ):
        self.n, self.shape, self.signal, self.label = n, shape, signal, label

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> dict:
        if index >= self.n:
            raise IndexError(index)
        image = np.stack([brain(self.shape, seed=10 * index), brain(self.shape, seed=10 * index + 1)])
        mask = np.zeros((1, *self.shape), np.uint8)
        mask[0, 8 + index % 5 : 13 + index % 5, 12:18, 10:16] = 2
        mask[0, 8 + index % 5] = 0
        mask[0, 8 + index % 5, 12, 10] = 2  # a sliver on its lowest slice
        sample = {
            "image": torch.from_numpy(image),
            "mask": torch.from_numpy(mask),
            "subject": f"p{index}",
            "affine": np.diag([1.0, 1, 1, 1])[[2, 1, 0, 3]],
            "source": self.source,
            "channels": self.channels,
        }
        if self.label is not None:
            sample["label"] = (index + self.label) % 2
        if self.signal:
            sample["signal"] = sample["mask"] == 2
        return sample


def test_shapes_types_and_classes_are_as_promised():
    slices = SliceSet(Cohort(4, signal=True), size=(48, 40), progress=False)
    n = len(slices)
    assert slices.images.shape == (n, 2, 48, 40) and slices.images.dtype == torch.float32
    assert slices.labels.shape == (n,) and slices.labels.dtype == torch.int64
    assert slices.masks.shape == (n, 1, 48, 40) and slices.masks.dtype == torch.uint8
    assert slices.signal.shape == (n, 1, 48, 40) and slices.signal.dtype == torch.bool
    assert len(slices.subjects) == n and set(slices.subjects) == {"p0", "p1", "p2", "p3"}
    assert set(slices.labels.tolist()) == {0, 1}
    assert torch.isfinite(slices.images).all()


def test_the_label_says_whether_the_tumour_is_on_the_slice_and_slivers_are_left_out():
    slices = SliceSet(Cohort(4), progress=False, match_height=False)
    seen = (slices.masks > 0).flatten(1).any(dim=1)
    assert torch.equal(seen, slices.labels == 1)
    pieces = slices_of(Cohort(1)[0], "presence", ENOUGH_TUMOUR)
    slivers = [item.depth for item in pieces if item.tumour > 0 and item.label is None]
    kept = {depth for depth, subject in zip(slices.depths.tolist(), slices.subjects, strict=True) if subject == "p0"}
    assert len(slivers) == 1 and not kept & set(slivers)


def test_classes_cannot_be_told_apart_by_height():
    free = SliceSet(Cohort(12), progress=False, match_height=False)
    matched = SliceSet(Cohort(12), progress=False)

    def gap(slices: SliceSet) -> float:
        return abs(float(slices.heights[slices.labels == 1].std() - slices.heights[slices.labels == 0].std()))

    assert gap(matched) < 0.6 * gap(free)
    counts = Counter(zip((matched.heights * 6).clamp(max=5).int().tolist(), matched.labels.tolist(), strict=True))
    for height in range(6):
        assert counts[height, 0] <= counts[height, 1]


def test_per_subject_is_a_limit_with_both_classes():
    slices = SliceSet(Cohort(6), per_subject=4, progress=False)
    counts = Counter(zip(slices.subjects, slices.labels.tolist(), strict=True))
    assert max(Counter(slices.subjects).values()) <= 4
    assert sum(counts[f"p{number}", 1] for number in range(6)) >= 6


def test_the_same_seed_draws_the_same_slices():
    first, again, other = (SliceSet(Cohort(6), per_subject=3, seed=seed, progress=False) for seed in (0, 0, 1))
    assert torch.equal(first.images, again.images) and first.subjects == again.subjects
    assert not torch.equal(first.depths, other.depths)


def test_a_subset_keeps_everything_of_its_patients_and_nothing_else():
    slices = SliceSet(Cohort(10, signal=True), progress=False)
    split = train_valid_test(slices.subjects, slices.labels)
    parts = [slices.subset(side) for side in split]
    assert sum(len(part) for part in parts) == len(slices)
    assert not set(parts[0].subjects) & set(parts[2].subjects)
    rows = [index for index, subject in enumerate(slices.subjects) if subject in split.train]
    assert torch.equal(parts[0].images, slices.images[rows]) and torch.equal(parts[0].signal, slices.signal[rows])
    with pytest.raises(UserError, match="no slice belongs"):
        slices.subset(["nobody"])


def test_slices_keep_their_aspect_ratio():
    """Tall voxels make a round head round again: the mask is as high as wide in the picture."""
    cohort = Cohort(1, shape=(24, 16, 32))
    original = cohort.__getitem__

    def tall(index: int) -> dict:
        sample = original(index)
        sample["affine"] = np.array([[0, 0, 1.0, 0], [0, 2.0, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
        return sample

    cohort.__class__ = type("Tall", (Cohort,), {"__getitem__": lambda self, index: tall(index)})
    slices = SliceSet(cohort, size=(64, 64), task="presence", progress=False, match_height=False)
    head = slices.images[len(slices) // 2, 0] > slices.images.min() + 0.5
    rows, columns = head.any(dim=1).sum(), head.any(dim=0).sum()
    assert abs(int(rows) - int(columns)) <= 4


ASPECTS = [((40, 90), (1.0, 1.0), (64, 64)), ((90, 40), (1.0, 1.0), (64, 64)), ((30, 30), (3.0, 1.0), (60, 60)),
           ((30, 30), (0.5, 1.5), (60, 60)), ((50, 40), (2.0, 1.1), (48, 96)), ((64, 64), (1.0, 1.0), (96, 48)),
           ((20, 16), (1.0, 1.0), (80, 64)), ((2, 200), (1.0, 1.0), (32, 32))]  # fmt: skip


@pytest.mark.parametrize(("shape", "spacing", "size"), ASPECTS)
def test_a_slice_is_fitted_whole_with_its_true_aspect_and_touches_two_edges(shape, spacing, size):
    affine = np.diag([1.0, spacing[0], spacing[1], 1.0])[[2, 1, 0, 3]]
    (rows, columns), pads = letterbox(shape, affine, size)
    assert (rows + pads[2] + pads[3], columns + pads[0] + pads[1]) == size and min(pads) >= 0
    assert abs(pads[0] - pads[1]) <= 1 and abs(pads[2] - pads[3]) <= 1  # in the middle
    assert rows == size[0] or columns == size[1]  # as large as fits
    mm = [count * edge for count, edge in zip(shape, spacing, strict=True)]
    scale = rows / mm[0] if rows == size[0] else columns / mm[1]  # of both sides, to within half a pixel
    assert abs(rows - scale * mm[0]) <= 0.5 or rows == 1
    assert abs(columns - scale * mm[1]) <= 0.5 or columns == 1


@pytest.mark.parametrize(("shape", "spacing", "size"), ASPECTS[:6])
def test_a_disc_in_millimetres_is_a_disc_in_the_picture_of_any_slice(shape, spacing, size):
    grid = np.mgrid[: shape[0], : shape[1]]
    away = [(axis - (count - 1) / 2) * edge for axis, count, edge in zip(grid, shape, spacing, strict=True)]
    radius = 0.4 * min(count * edge for count, edge in zip(shape, spacing, strict=True))
    disc = torch.from_numpy(np.hypot(*away) <= radius)[None]
    item = Slice("p0", 0, 0.0, 1.0, 0.1, 1, disc.float(), disc.to(torch.uint8), disc)
    resized = fit_slice(item, {"affine": np.diag([1.0, spacing[0], spacing[1], 1.0])[[2, 1, 0, 3]]}, size)
    for picture in (resized.image[0] > 0.5, resized.mask[0] > 0, resized.signal[0]):
        assert picture.shape == size
        rows, columns = picture.nonzero().T
        assert abs((rows.max() - rows.min()) - (columns.max() - columns.min())) <= 3
        middle = torch.tensor([float(rows.float().mean()), float(columns.float().mean())])
        assert (middle - (torch.tensor(size) - 1) / 2).abs().max() <= 1
    assert 2 * ((resized.image[0] > 0.5) & (resized.mask[0] > 0)).sum() > 0.95 * (
        (resized.image[0] > 0.5).sum() + (resized.mask[0] > 0).sum())  # fmt: skip


def test_another_task_takes_the_patients_label_for_slices_with_tumour():
    slices = SliceSet(Cohort(4, label=0), task="grade", progress=False)
    assert all(label == int(subject[1:]) % 2 for subject, label in zip(slices.subjects, slices.labels, strict=True))
    assert (slices.masks > 0).flatten(1).any(dim=1).all()


def test_a_data_set_that_cannot_be_labelled_says_what_it_needs():
    with pytest.raises(UserError, match="labels for task='grade'"):
        SliceSet(Cohort(2, label=None), task="grade", progress=False)


def test_tiffs_of_a_patient_become_slices(tmp_path):
    for number in range(3):
        lgg_case(tmp_path, f"TCGA_CS_000{number}_19990101", seed=number)
    slices = SliceSet(open_dataset("lgg", tmp_path), size=(32, 32), progress=False)
    assert slices.channels == ("pre", "flair", "post") and slices.signal is None
    bright = slices.images[:, 1][slices.masks[:, 0] > 0].mean()
    assert bright > slices.images[:, 1].mean() + 1


def test_phantoms_and_patients_give_slices_alike(real_data):
    real = SliceSet(
        open_dataset("lgg", real_data / "kaggle_3m").subset(["TCGA_CS_4942", "TCGA_DU_5849"]),
        size=(64, 64),
        progress=False,
    )
    phantom = SliceSet(
        open_dataset("phantom", n=2, task="presence", shape=(32, 40, 32)),
        size=(64, 64),
        progress=False,
        match_height=False,
    )
    assert phantom.signal is not None
    for slices in (real, phantom):
        assert slices.images.shape[2:] == (64, 64)
        inside = slices.images > slices.images.amin(dim=(2, 3), keepdim=True) + 0.1
        assert abs(float(slices.images[inside].mean())) < 1


def test_real_patients_give_a_balanced_batch(real_data):
    dataset = open_dataset("lgg", real_data / "kaggle_3m")
    slices = SliceSet(dataset.subset(dataset.subjects[::4]), per_subject=4, size=(64, 64), progress=False)
    assert len(set(slices.subjects)) == 20
    assert 0.35 < float(slices.labels.float().mean()) < 0.65


def test_the_smallest_tumour_that_counts_is_yours_to_say():
    usual, strict, lenient = (
        SliceSet(Cohort(2), match_height=False, progress=False, **options)
        for options in ({}, {"min_tumour": 0.5}, {"min_tumour": 1e-6})
    )
    assert int(strict.labels.sum()) == 0
    assert int(lenient.labels.sum()) == int(usual.labels.sum()) + 2  # the sliver of each of the two
