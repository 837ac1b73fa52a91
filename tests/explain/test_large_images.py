"""A large image is read one channel at a time, and gives the very map that the whole would."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from medattn_lite.data.checking.check_channels import HeadSum
from medattn_lite.data.transforms import foreground, normalise
from medattn_lite.errors import UserError
from medattn_lite.explain.user_images import large_images
from medattn_lite.explain.user_images.image_files import read_image
from medattn_lite.explain.user_images.run_maps import explain_sample, place_to_show
from medattn_lite.explain.user_images.runs import open_shipped

FOUR = ("t1", "t1ce", "t2", "flair")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four contrasts in files of their own and in one 4-D file in another order, with a mask; axes L, P, S."""
    folder, shape = tmp_path_factory.mktemp("head"), (26, 30, 28)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside, random = sum(axis**2 for axis in grid) < 0.8, np.random.default_rng(1)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[8:14, 10:15, 11:17] = 1
    affine = np.array([[-6.0, 0, 0, 70], [0, -6.0, 0, 90], [0, 0, 6.0, -60], [0, 0, 0, 1]])
    images = {name: np.where(inside, random.uniform(80, 120, shape) + 100 * mask, 0).astype(np.int16) for name in FOUR}
    for name, image in images.items():
        nib.save(nib.Nifti1Image(image, affine), folder / f"{name}.nii.gz")
    stacked = np.stack([images[name] for name in ("flair", "t1", "t1ce", "t2")], axis=3)
    nib.save(nib.Nifti1Image(stacked, affine), folder / "four.nii.gz")
    nib.save(nib.Nifti1Image(stacked, affine), folder / "four.nii")
    nib.save(nib.Nifti1Image(mask, affine), folder / "seg.nii.gz")
    return folder


@pytest.mark.parametrize("name", ["grade_p3d_iam", "presence_resnesat", "survival_se_resnext"])
@pytest.mark.parametrize("stored", ["apart", "four.nii.gz", "four.nii"])
def test_the_map_is_the_same_whether_the_image_is_in_memory_or_on_the_disk(name, stored, head, monkeypatch) -> None:
    run = open_shipped(name)
    if stored == "apart":
        words, order = [f"{name}={head / f'{name}.nii.gz'}" for name in FOUR], None
    else:
        words, order = [str(head / stored)], ("flair", "t1", "t1ce", "t2")
    by_limit = {}
    monkeypatch.setattr(large_images, "SLAB", 5)
    for limit in (large_images.LARGE, 0):
        monkeypatch.setattr(large_images, "LARGE", limit)
        sample = read_image(words, run.task.channels, mask=head / "seg.nii.gz", order=order)
        assert isinstance(sample["image"], large_images.ChannelFiles) == (limit == 0)
        by_limit[limit] = explain_sample(run, sample)
        place_to_show(by_limit[limit], sample)
    whole, apart = by_limit.values()
    assert np.allclose(whole.values, apart.values, rtol=1e-6, atol=0) and whole.prediction == apart.prediction
    assert whole.values.any() and whole.notes == apart.notes


def test_faults_of_a_large_image_are_told_as_those_of_a_small_one(head, tmp_path, monkeypatch) -> None:
    image = nib.load(head / "t1.nii.gz")
    odd = {"constant": np.full(image.shape, 7, np.float32), "nan": np.full(image.shape, np.nan, np.float32),
           "grid": np.zeros((4, 4, 4), np.float32)}
    for kind, voxels in odd.items():
        nib.save(nib.Nifti1Image(voxels, image.affine), tmp_path / f"{kind}.nii.gz")
        words = [f"{name}={head / f'{name}.nii.gz'}" for name in FOUR[:3]] + [f"flair={tmp_path / f'{kind}.nii.gz'}"]
        messages = []
        for limit in (1e12, 0):
            monkeypatch.setattr(large_images, "LARGE", limit)
            with pytest.raises(UserError) as caught:
                read_image(words, FOUR)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


@pytest.mark.parametrize("stripped", [True, False])
def test_the_head_found_channel_by_channel_is_the_head(stripped) -> None:
    grid = np.meshgrid(*(np.linspace(-1, 1, 24) for _ in range(3)), indexing="ij")
    inside, random = sum(axis**2 for axis in grid) < 0.7, np.random.default_rng(0)
    image = np.stack([np.where(inside, random.uniform(60, 140, inside.shape) * scale,
                               0 if stripped else random.uniform(0, 9, inside.shape)) for scale in (1, 5, 0.1)])
    heads = HeadSum()
    for channel in image.astype(np.float32):
        heads.add(channel)
    head = heads.head(inside.shape)
    assert np.array_equal(head, foreground(torch.from_numpy(image.astype(np.float32)))[0].numpy())
    assert heads.head((1, 2, 3)) is None


def test_a_large_channel_is_normalised_in_parts_to_the_same_values(monkeypatch) -> None:
    from medattn_lite.data import transforms

    image = torch.rand(2, 17, 12, 12) * (torch.rand(17, 12, 12) > 0.3)
    whole = normalise(image)
    monkeypatch.setattr(transforms, "LARGE", 500)
    assert torch.equal(whole, normalise(image))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_one_volume_of_a_4d_file_is_read_without_the_others(tmp_path, suffix) -> None:
    from medattn_lite.data import load_volume

    voxels = np.random.default_rng(0).integers(0, 4, (64, 64, 32, 12)).astype(np.int16)
    nib.save(nib.Nifti1Image(voxels, np.diag([2.0, 2, 3, 1])), tmp_path / f"a{suffix}")
    every = load_volume(tmp_path / f"a{suffix}", four_d=True)
    tracemalloc.start()
    one = load_volume(tmp_path / f"a{suffix}", volume=7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(one.array, every.array[7]) and np.allclose(one.affine, every.affine)
    assert peak < voxels.nbytes  # the whole takes three times as much
    with pytest.raises(UserError, match="no volume 12: it has 12"):
        load_volume(tmp_path / f"a{suffix}", volume=12)
