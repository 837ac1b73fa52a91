"""A bright cube in a file whose axes run any way: the map that is written lies on it, for whoever reads the file."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.data.nifti_io.volumes import save_volume
from medattn_lite.explain.user_images.image_files import read_image
from medattn_lite.explain.user_images.run_maps import explain_sample
from medattn_lite.explain.user_images.runs import TrainedRun
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import recall_task
from tests.explain.nets import Pooled

SHAPE, VOXEL_MM = (26, 31, 22), (3.0, 4.0, 5.0)  # odd and anisotropic, right, anterior, superior
CUBE = (slice(5, 12), slice(18, 23), slice(12, 16))  # 21 × 20 × 20 mm, off the middle on every axis
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))
FACTS = {"channels": ["flair"], "regions": ["lesion"], "clinical_missing": {}}


def head_with_cube() -> nib.Nifti1Image:
    """An ellipsoid of noise with a bright cube, in RAS."""
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    inside = sum(axis**2 for axis in grid) < 0.9
    values = np.where(inside, np.random.default_rng(0).uniform(80, 120, SHAPE), 0)
    values[CUBE] = 900
    affine = np.diag([*VOXEL_MM, 1.0])
    affine[:3, 3] = -31.0, -57.5, -12.0
    return nib.Nifti1Image(values.astype(np.float32), affine)


def turned(image: nib.Nifti1Image, order: tuple, signs: tuple) -> nib.Nifti1Image:
    """The same head with the file's axes permuted and flipped: nibabel moves the affine along."""
    return image.as_reoriented(np.column_stack([order, signs]))


def a_run(recipe: str, network: nn.Module, **changes: object) -> TrainedRun:
    """A run's task with a network of our own, as if it had been trained."""
    chosen = find_recipe(recipe)
    settings = with_changes(chosen.at("smoke"), changes)
    task = recall_task(chosen, settings, data="phantom", facts=FACTS)
    return TrainedRun(Path("runs"), chosen, chosen.variants[0], 0, task, network.eval())


WHOLE = a_run("mechanisms", Pooled(), size=(27, 31, 23), phantom={"spacing_mm": 4.0})


def mapped(run: TrainedRun, image: nib.Nifti1Image, folder: Path, **options: object) -> nib.Nifti1Image:
    """Saved, read, explained, saved and read again."""
    nib.save(image, folder / "image.nii.gz")
    mask = options.pop("mask", None)
    sample = read_image([str(folder / "image.nii.gz")], run.task.channels, mask=mask)
    result = explain_sample(run, sample, **options)
    save_volume(result.values, folder / "map.nii.gz", grid=sample["grid"], overwrite=True)
    return nib.load(folder / "map.nii.gz")


def assert_on_cube(image: nib.Nifti1Image, written: nib.Nifti1Image, *, within_mm: float) -> None:
    assert written.shape == image.shape and np.allclose(written.affine, image.affine, atol=1e-4)
    values = written.get_fdata()
    home = np.linalg.inv(head_with_cube().affine)
    peak = home @ written.affine @ [*np.unravel_index(values.argmax(), values.shape), 1]
    assert all(side.start - 0.5 <= place <= side.stop - 0.5 for side, place in zip(CUBE, peak, strict=False)), peak
    high = np.argwhere(values > values.max() / 2)
    middle = nib.affines.apply_affine(home @ written.affine, high).mean(axis=0)
    centre = [(side.start + side.stop - 1) / 2 for side in CUBE]
    assert np.all(np.abs(middle - centre) * VOXEL_MM < within_mm), (middle, centre)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_the_map_lies_on_the_cube_whatever_the_file_s_axes(order: tuple, signs: tuple, tmp_path: Path) -> None:
    image = turned(head_with_cube(), order, signs)
    assert_on_cube(image, mapped(WHOLE, image, tmp_path), within_mm=2.5)


def test_the_map_of_an_oblique_scan_lies_on_the_cube_too(tmp_path: Path) -> None:
    image = head_with_cube()
    angle = np.deg2rad(17)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = nib.Nifti1Image(image.get_fdata().astype(np.float32), turn @ image.affine)
    written = mapped(WHOLE, oblique, tmp_path)
    straight = nib.Nifti1Image(written.get_fdata(), np.linalg.inv(turn) @ written.affine)
    assert_on_cube(image, straight, within_mm=2.5)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[5::14])
@pytest.mark.parametrize("how", ["mask", "at"])
def test_the_map_of_a_crop_lies_on_the_cube(order: tuple, signs: tuple, how: str, tmp_path: Path) -> None:
    """A grading run: cut around a mask beside the cube, or around a point; 0 outside the crop."""
    run = a_run("grading", Pooled(), size=(12, 14, 12), options={"spacing_mm": 4.0})
    image, labels = head_with_cube(), np.zeros(SHAPE, dtype=np.uint8)
    labels[8:12, 16:20, 10:13] = 2
    mask = turned(nib.Nifti1Image(labels, image.affine), order, signs)
    nib.save(mask, tmp_path / "mask.nii.gz")
    point = tuple(nib.affines.apply_affine(image.affine, [9.5, 17.5, 11]))
    options = {"mask": tmp_path / "mask.nii.gz"} if how == "mask" else {"at": point}
    image = turned(image, order, signs)
    written = mapped(run, image, tmp_path, **options)
    assert_on_cube(image, written, within_mm=2.5)
    covered = (written.get_fdata() != 0).sum() * np.prod(VOXEL_MM)
    assert covered <= 1.1 * np.prod([12, 14, 12]) * 4**3


class Bright(nn.Module):
    """Voxels above a threshold are lesion; the layer is a mean over blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.AvgPool3d(2, 2, ceil_mode=True, count_include_pad=False)
        self.anchor = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spread = nn.functional.interpolate(self.layer(torch.relu(x)), x.shape[2:], mode="trilinear")
        return torch.cat([torch.full_like(x, 3.0), spread], dim=1) + self.anchor


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[3::14])
def test_the_windows_of_a_segmentation_lie_on_the_cube(order: tuple, signs: tuple, tmp_path: Path) -> None:
    run = a_run("lesions", Bright(), size=(8, 10, 12), options={"spacing_mm": 4.0, "overlap": 0.5})
    image = turned(head_with_cube(), order, signs)
    for method, options in (("Grad-CAM", {"layer": "layer"}), ("occlusion", {"window": 2})):
        written = mapped(run, image, tmp_path, method=method, **options)
        assert_on_cube(image, written, within_mm=4.0)
    centre = [(side.start + side.stop - 1) / 2 for side in CUBE]
    at = tuple(nib.affines.apply_affine(head_with_cube().affine, centre))
    voxel = mapped(run, image, tmp_path, method="integrated gradients", at=at, steps=2).get_fdata()
    place = np.linalg.inv(image.affine) @ [*at, 1]
    peak = np.unravel_index(voxel.argmax(), voxel.shape)
    assert np.all(np.abs(np.array(peak) - place[:3]) <= 2) and (voxel != 0).mean() < 0.05


class Brightness(nn.Module):
    """2-D: how bright a slice is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.AvgPool2d(2)
        self.anchor = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = self.layer(torch.relu(x - 3)).flatten(1).mean(dim=1, keepdim=True)
        return torch.cat([-bright, bright], dim=1) + self.anchor


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[7::14])
def test_slices_explained_one_by_one_stack_up_on_the_cube(order: tuple, signs: tuple, tmp_path: Path) -> None:
    run = a_run("presence", Brightness(), size=(32, 32))
    image = turned(head_with_cube(), order, signs)
    written = mapped(run, image, tmp_path, layer="layer")
    assert_on_cube(image, written, within_mm=4.0)
    up = int(np.argmax(np.abs(image.affine[2, :3])))  # the file's axis along which the slices lie
    bright = [i for i in range(image.shape[up]) if np.take(image.get_fdata(), i, axis=up).max() > 500]
    shown = [i for i in range(image.shape[up]) if np.take(written.get_fdata(), i, axis=up).any()]
    assert shown == bright


def test_a_map_never_leaves_the_place_that_the_affines_say(tmp_path: Path) -> None:
    """Without any network: a sample's crop and its resampling keep the cube where it is, in millimetres."""
    run = a_run("survival", Pooled(), options={"whole": (31, 27, 33), "spacing_mm": (3.0, 5.5, 4.0), "draws": 10})
    nib.save(turned(head_with_cube(), (2, 0, 1), (1, -1, 1)), tmp_path / "image.nii.gz")
    sample = read_image([str(tmp_path / "image.nii.gz")], run.task.channels)
    prepared = run.task.prepare(sample)
    assert prepared["image"].shape[1:] == (31, 27, 33)
    bright = torch.nonzero(prepared["image"][0] > prepared["image"].max() / 2).numpy()
    middle = nib.affines.apply_affine(prepared["affine"], bright).mean(axis=0)
    centre = [(side.start + side.stop - 1) / 2 for side in CUBE]
    assert np.abs(middle - nib.affines.apply_affine(head_with_cube().affine, centre)).max() < 1.5
