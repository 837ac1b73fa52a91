"""A cohort of any size is trained on with the memory of a small one: what grows with it lies on the disk."""

from __future__ import annotations

import csv
import errno
import gc
import io
import json
import os
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
        held = sum(
            thing.nbytes for thing in gc.get_objects() if type(thing) is torch.Tensor and thing.shape == (4, 8, 16, 16)
        )
        kept[count] = store.bytes_in_memory, held
        assert store.bytes_in_memory + store.bytes_on_disk == count * 4 * 8 * 16 * 16 * 2
        assert torch.equal(store[count - 1], torch.full((4, 8, 16, 16), (count - 1) % 7).half())
        del store
    assert kept[200] == kept[2000] and kept[2000][1] <= 1e6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_processes_that_share_the_file_do_not_move_each_others_place(monkeypatch):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0")
    store = ImageStore(torch.full((64, 257), float(number)) for number in range(64))
    child = os.fork()  # as a loader's workers: they share the open file, and with it its place
    wrong = 0
    for _turn in range(40):
        for row in range(64) if child else range(63, -1, -1):
            wrong += not bool((store[row] == row).all())
    if not child:
        os._exit(min(wrong, 255))
    assert wrong == 0 and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_rows_are_right_where_the_system_cannot_read_at_a_place(monkeypatch):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0")
    monkeypatch.delattr(os, "pread", raising=False)
    values = [torch.rand(3, 5) for _ in range(9)]
    store = ImageStore(values)
    assert all(torch.equal(store[row], values[row]) for row in (4, 0, 8, 8, 1))


class _FullAfter(io.FileIO):
    """A file on a disk that is full after some bytes, and takes few of them at a time."""

    room = 1000

    def write(self, raw):
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(raw)[: min(self.room, 100)]
        type(self).room -= len(part)
        return super().write(part)


def test_a_temporary_file_that_cannot_be_made_is_not_called_a_full_disk(monkeypatch):
    def fails(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0")
    monkeypatch.setattr("tempfile.TemporaryFile", fails)
    with pytest.raises(UserError, match="cannot write prepared images .*Too many open files"):
        ImageStore().append(torch.rand(75))


def test_a_full_disk_is_one_line_at_the_row_that_does_not_fit(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: _FullAfter(tmp_path / "file", "w+"))
    monkeypatch.setattr(_FullAfter, "room", 1000)
    values, store = [torch.rand(75) for _ in range(4)], ImageStore()
    for value in values[:3]:
        store.append(value)  # 300 bytes each
    with pytest.raises(UserError, match=r"do not fit on the disk .*No space left.*TMPDIR"):
        store.append(values[3])
    assert len(store) == 3 and store.bytes_on_disk == 900
    assert all(torch.equal(one, two) for one, two in zip(store, values, strict=False))
    monkeypatch.setattr(_FullAfter, "room", 10_000)  # with room again the next row goes to the same place
    store.append(values[3])
    assert torch.equal(store[3], values[3])


def test_a_folder_for_temporary_files_that_is_not_there_is_one_line(monkeypatch):
    def fails(**_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone")

    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0")
    monkeypatch.setattr("tempfile.TemporaryFile", fails)
    with pytest.raises(UserError, match="name another folder with TMPDIR"):
        ImageStore([torch.rand(3)])


def test_no_limit_that_is_none(monkeypatch):
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "much")
    with pytest.raises(UserError, match="give a number of MB"):
        ImageStore()


@pytest.mark.parametrize("recipe", ["grading", "lesions", "survival"])
def test_a_task_keeps_no_more_of_a_larger_folder(recipe, tmp_path, monkeypatch):
    root = write_cohort(tmp_path / "cohort", 24)
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "0.1")
    chosen = find_recipe(recipe)
    task = open_task(chosen, chosen.at("smoke"), data="nifti", root=root, progress=False)
    assert len(task.images) == 24 and task.images.bytes_in_memory <= 1e5 < task.images.bytes_on_disk
    monkeypatch.setenv("MEDATTN_IMAGES_MB", "1000")
    memory = open_task(chosen, chosen.at("smoke"), data="nifti", root=root, progress=False)
    assert memory.images.bytes_on_disk == 0
    assert all(torch.equal(one, other) for one, other in zip(task.images, memory.images, strict=True))


def test_a_run_from_the_disk_is_the_run_from_memory(tmp_path, monkeypatch):
    root, predictions = write_cohort(tmp_path / "cohort", 20), []
    for limit in ("0", "1000"):
        monkeypatch.setenv("MEDATTN_IMAGES_MB", limit)
        folder = tmp_path / limit
        assert main(["train", "grading", "--data", "nifti", "--root", str(root), "--variants", "P3D", "--first-folds",
                     "1", "--device", "cpu", "--quiet", "--out", str(folder)]) == 0  # fmt: skip
        predictions.append(json.loads((folder / "P3D" / "fold-0" / "predictions.json").read_text())["predictions"])
    assert predictions[0] == predictions[1] and len(predictions[0]) == 4
