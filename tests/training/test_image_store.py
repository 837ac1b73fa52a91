"""A cohort of any size is trained on with the memory of a small one: what grows with it lies on the disk."""

from __future__ import annotations

import csv
import gc
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.training.image_store import ImageStore
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.tasks import open_task

CHANNELS = ("t1", "t1ce", "t2", "flair")
SHAPE = (12, 16, 16)


def write_cohort(folder: Path, count: int, seed: int = 0) -> Path:
    """Small synthetic patients as NIfTI files with a table: a bright ball in noise, of one grade or the other."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    grid = np.indices(SHAPE)
    rows = []
    for number in range(count):
        label, row = number % 2, {"subject": f"p{number:04}", "label": number % 2, "time": 100 + number, "event": 1}
        ball = sum((axis - centre) ** 2 for axis, centre in zip(grid, (6, 8, 8), strict=True)) < 9 + 4 * label
        for name in (*CHANNELS, "mask"):
            image = ball * 1 if name == "mask" else 100 + 10 * random.standard_normal(SHAPE) + 60 * label * ball
            path = folder / f"p{number:04}_{name}.nii"
            kind = np.uint8 if name == "mask" else np.float32
            nib.save(nib.Nifti1Image(image.astype(kind).transpose(2, 1, 0), np.diag([6.0, 6, 6, 1])), path)
            row["mask" if name == "mask" else f"image_{name}"] = path.name
        rows.append(row)
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.uint8, torch.bool])
def test_rows_on_the_disk_are_those_that_were_added(monkeypatch, dtype):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0.0005")
    values = [(torch.rand(2, 3, 5) * 3).to(dtype) for _ in range(40)]
    store = ImageStore(values)
    assert store.bytes_in_memory <= 500 < store.bytes_on_disk
    for order in (range(40), range(39, -1, -1)):
        assert all(torch.equal(store[row], values[row]) and store[row].dtype == dtype for row in order)
    both = store.chosen([3, 30]) + store.chosen([7])
    both.append(values[0])
    assert [torch.equal(one, values[row]) for one, row in zip(both, (3, 30, 7, 0), strict=True)] == [True] * 4
    assert len(store) == 40 and both.bytes_in_memory <= 500 and both.bytes_on_disk > 0


def test_memory_does_not_grow_with_the_number_of_images(monkeypatch):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "1")
    kept = {}
    for count in (200, 2000):
        store = ImageStore(torch.full((4, 8, 16, 16), number % 7).half() for number in range(count))
        gc.collect()
        held = sum(own.nbytes for own in gc.get_objects() if type(own) is torch.Tensor and own.shape == (4, 8, 16, 16))
        kept[count] = store.bytes_in_memory, held
        assert store.bytes_in_memory + store.bytes_on_disk == count * 4 * 8 * 16 * 16 * 2
        assert torch.equal(store[count - 1], torch.full((4, 8, 16, 16), (count - 1) % 7).half())
        del store
    assert kept[200] == kept[2000] and kept[2000][1] <= 1e6


def test_no_limit_that_is_none(monkeypatch):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "much")
    with pytest.raises(UserError, match="give a number of MB"):
        ImageStore()


@pytest.mark.parametrize("recipe", ["grading", "lesions", "survival"])
def test_a_task_keeps_no_more_of_a_larger_folder(recipe, tmp_path, monkeypatch):
    root = write_cohort(tmp_path / "cohort", 24)
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0.1")
    own = find_recipe(recipe)
    task = open_task(own, own.at("smoke"), data="nifti", root=root, progress=False)
    assert len(task.images) == 24 and task.images.bytes_in_memory <= 1e5 < task.images.bytes_on_disk
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "1000")
    memory = open_task(own, own.at("smoke"), data="nifti", root=root, progress=False)
    assert memory.images.bytes_on_disk == 0
    assert all(torch.equal(one, other) for one, other in zip(task.images, memory.images, strict=True))


def test_a_run_from_the_disk_is_the_run_from_memory(tmp_path, monkeypatch):
    root, found = write_cohort(tmp_path / "cohort", 20), []
    for limit in ("0", "1000"):
        monkeypatch.setenv("MEDATTN_IMAGES_MB", limit)
        folder = tmp_path / limit
        assert main(["train", "grading", "--data", "nifti", "--root", str(root), "--variants", "P3D", "--first-folds",
                     "1", "--device", "cpu", "--quiet", "--out", str(folder)]) == 0  # fmt: skip
        found.append(json.loads((folder / "P3D" / "fold-0" / "predictions.json").read_text())["predictions"])
    assert found[0] == found[1] and len(found[0]) == 4
