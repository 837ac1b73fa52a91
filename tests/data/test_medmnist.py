"""MedMNIST's 3-D sets: fetched from a server on this computer, read, checked, batched, trained on."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.data import collate, open_dataset
from medattn_lite.data.checking.check_folder import check_dataset
from medattn_lite.data.fetching.catalogue import SOURCES, Mirror
from medattn_lite.data.fetching.fetch_data_set import fetch_source
from medattn_lite.data.readers.medmnist import SETS
from medattn_lite.errors import UserError
from tests.data.server import Site, serve

COUNTS = {"train": 14, "val": 4, "test": 6}


def content(side: int = 28, classes: int = 2, seed: int = 0) -> bytes:
    """A file as MedMNIST writes it; class 1 has a bright ball in the middle."""
    rng, arrays = np.random.default_rng(seed), {}
    ball = sum(axis**2 for axis in np.ogrid[-1:1:side * 1j, -1:1:side * 1j, -1:1:side * 1j]) < 0.1
    for part, count in COUNTS.items():
        labels = np.arange(count).reshape(-1, 1) % classes
        images = rng.integers(0, 90, (count, side, side, side))
        images[:, :2] = images[:, :, :2] = 0
        images += labels[:, :, None, None] * 120 * ball
        arrays |= {f"{part}_images": images.astype(np.uint8), f"{part}_labels": labels.astype(np.uint8)}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nodulemnist3d.npz").write_bytes(content())
    return tmp_path


@pytest.mark.network
def test_a_set_is_fetched_checked_and_opened(tmp_path):
    body, lines = content(), []
    with serve(Site(files={"/files/nodulemnist3d.npz?download=1": body})) as site:
        (file,) = SOURCES["medmnist3d"].layouts["nodule"]
        here = replace(file, mirrors=(Mirror("here", site.url("/files/nodulemnist3d.npz?download=1")),),
                       checksum=f"md5:{hashlib.md5(body).hexdigest()}")  # fmt: skip
        local_source = replace(SOURCES["medmnist3d"], layouts={"nodule": (here,)})
        with pytest.raises(UserError, match="CC BY 4.0.*--accept-licence"):
            fetch_source(local_source, tmp_path, say=lines.append)
        fetched = fetch_source(local_source, tmp_path, accept_licence=True, progress=False, say=lines.append)
        assert fetched.downloaded == 1 and (fetched.path / "nodulemnist3d.npz").read_bytes() == body
        assert fetch_source(local_source, tmp_path, accept_licence=True, progress=False, say=lines.append).present == 1
        wrong = replace(local_source, layouts={"nodule": (replace(here, checksum=file.checksum),)})
        with pytest.raises(UserError, match="another content"):
            fetch_source(wrong, tmp_path, accept_licence=True, progress=False, say=lines.append)
        with pytest.raises(UserError, match="unknown layout 'vessel': choose one of nodule"):
            fetch_source(local_source, tmp_path, accept_licence=True, layout="vessel", say=lines.append)
    assert len(open_dataset("medmnist3d", fetched.path)) == sum(COUNTS.values())


def test_each_published_file_has_an_address_and_a_checksum():
    layouts = SOURCES["medmnist3d"].layouts
    assert set(layouts) == {name + end for name in SETS for end in ("", "-64")}
    files = [file for (file,) in layouts.values()]
    assert len({file.checksum for file in files}) == len(files) == len({file.mirrors[0].url for file in files})
    assert all(len(file.checksum) == len("md5:") + 32 for file in files)


def test_volumes_keep_their_part_class_and_values(folder):
    dataset = open_dataset("medmnist3d", folder)
    assert dataset.classes == ("benign", "malignant") and dataset.labels[:3] == [0, 1, 0]
    with np.load(folder / "nodulemnist3d.npz") as stored:
        expected = stored["test_images"][1]
    sample = dataset[COUNTS["train"] + COUNTS["val"] + 1]
    assert sample["meta"]["part"] == "test" and np.array_equal(sample["image"][0].numpy(), expected)
    assert sample["image"].dtype == torch.float32 and sample["label"] == 1 and sample["meta"]["voxel_size_mm"] is None
    part = open_dataset("medmnist3d", folder, part="valid")
    assert len(part) == COUNTS["val"] and set(part.table()["part"]) == {"valid"}
    batch = next(iter(torch.utils.data.DataLoader(dataset.as_monai(), batch_size=4)))
    assert batch["image"].shape == (4, 1, 28, 28, 28) and batch["label"].tolist() == [0, 1, 0, 1]
    assert collate([dataset[0], dataset[1]])["label"].tolist() == [0, 1]


def test_the_check_says_what_the_file_cannot_know(folder):
    report = check_dataset("medmnist3d", folder, progress=False)
    text = str(report)
    assert report.exit_code == 0, text
    assert "each counts as a patient" in text and "carry no voxel size" in text and "benign: 12, malignant: 12" in text


def test_two_volumes_alike_are_named(folder):
    with np.load(folder / "nodulemnist3d.npz") as stored:
        arrays = dict(stored)
    arrays["test_images"][0] = arrays["train_images"][3]
    np.savez(folder / "nodulemnist3d.npz", **arrays)
    report = check_dataset("medmnist3d", folder, progress=False)
    assert report.exit_code == 1 and "same volume as test-00000, another patient" in str(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"which": "brain"}, "which='brain': choose one of nodule"), ({"part": "val"}, "part='val': choose one of"),
        ({"which": "vessel"}, "no set of MedMNIST 3-D in"), ({"side": 32}, "28 or 64 voxels"),
        ({"which": "vessel", "side": 64}, "no vesselmnist3d_64.npz in"),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_one_line(folder, options, message):
    with pytest.raises(UserError, match=message):
        open_dataset("medmnist3d", folder, **options)


def test_bad_files_are_one_line(folder):
    path = folder / "nodulemnist3d.npz"
    whole = path.read_bytes()
    (folder / "vesselmnist3d.npz").write_bytes(whole)
    with pytest.raises(UserError, match="choose with which=NAME"):
        open_dataset("medmnist3d", folder)
    path.write_bytes(whole[:1000])
    with pytest.raises(UserError, match="damaged, cut short"):
        open_dataset("medmnist3d", path)
    np.savez(path, train_images=np.zeros(3))
    with pytest.raises(UserError, match="no array train_labels"):
        open_dataset("medmnist3d", path)
    path.write_bytes(content(classes=3))
    with pytest.raises(UserError, match="has the label 2 and nodule has 2 classes"):
        open_dataset("medmnist3d", path)
    pickled = np.array([{}], dtype=object)
    np.savez(path, **{f"{part}_{what}": pickled for part in COUNTS for what in ("images", "labels")})
    with pytest.raises(UserError, match="cannot read"):
        open_dataset("medmnist3d", path)


def test_a_recipe_trains_on_it_and_names_its_classes(folder, tmp_path):
    run = tmp_path / "run"
    words = ["train", "grading", "--data", "medmnist3d", "--root", str(folder), "--scale", "smoke", "--quiet",
             "--first-folds", "1", "--variants", "P3D + IAM", "--set", "epochs=1", "--device", "cpu"]  # fmt: skip
    assert main([*words, "--out", str(run)]) == 0
    facts = json.loads((run / "metrics.json").read_text())["data_facts"]
    assert facts["classes"] == {"benign": 12, "malignant": 12}
