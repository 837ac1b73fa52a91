"""Every data set passes torch's and MONAI's DataLoader."""

from __future__ import annotations

import json

import monai.data
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medattn_lite.data import DATASETS, as_monai, collate, open_dataset
from medattn_lite.errors import UserError
from tests.data.makers import brain, brats_case, lgg_case, save, tumour
from tests.data.test_bids import scan
from tests.data.test_medmnist import content
from tests.data.test_odd_files import picture
from tests.data.test_readers import make_mni, make_msd


def make(name, root):
    if name == "phantom":
        return open_dataset("phantom", n=4, shape=(16, 16, 16))
    if name == "brats":
        for number, grade in enumerate(("HGG", "LGG")):
            brats_case(root / grade / f"Brats18_X_{number}_1", seed=10 * number)
    if name == "lgg":
        for number in (1, 2):
            lgg_case(root, f"TCGA_CS_000{number}_19990101", seed=number)
    if name == "msd":
        make_msd(root)
    if name == "open-ms":
        make_mni(root)
    if name == "images":
        for number in range(4):
            picture(root / ("a", "b")[number % 2] / f"{number}.png", number)
    if name == "nifti":
        for case in "ab":
            save(brain(seed=ord(case)), root / f"{case}.nii.gz")
            save(tumour(), root / f"{case}_mask.nii.gz")
        (root / "cases.csv").write_text("image,mask,label,time,event\na.nii.gz,a_mask.nii.gz,0,300,1\n"
                                        "b.nii.gz,b_mask.nii.gz,1,400,0\n")
    if name == "bids":
        for subject in ("01", "02"):
            scan(root, subject, seed=int(subject))
    if name == "medmnist3d":
        (root / "nodulemnist3d.npz").write_bytes(content())
    return open_dataset(name, root)


NAMES = list(DATASETS)
LOADERS = [torch.utils.data.DataLoader, monai.data.DataLoader]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("name", NAMES)
def test_samples_as_they_are_with_collate(tmp_path, name, loader):
    dataset = make(name, tmp_path)
    count = 0
    for batch in loader(dataset, batch_size=2, collate_fn=collate):
        count += len(batch["subject"])
        assert batch["image"].shape[0] == len(batch["subject"]) == len(batch["grid"]) == len(batch["affine"])
        assert batch["image"].dtype == torch.float32 and len(batch["meta"]) == len(batch["subject"])
    assert count == len(dataset)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("name", NAMES)
def test_as_monai_passes_the_default_collate_with_its_affine(tmp_path, name, loader):
    dataset = make(name, tmp_path)
    adapted = as_monai(dataset) if name == "phantom" else dataset.as_monai()
    for number, batch in enumerate(loader(adapted, batch_size=2)):
        assert isinstance(adapted[0]["image"], MetaTensor) and batch["image"].shape[0] == len(batch["subject"])
        sample = dataset[2 * number]
        assert torch.equal(torch.as_tensor(batch["image"])[0], sample["image"])
        assert np.allclose(adapted[2 * number]["image"].affine, sample["affine"])
        assert ("label" in batch) == (sample.get("label") is not None)


def test_labels_and_follow_up_are_tensors_and_what_only_some_have_is_a_list():
    base = {"image": torch.zeros(1, 2, 2, 2), "affine": np.eye(4), "subject": "a", "grid": None, "meta": {}}
    full = {**base, "label": 1, "time": 30.0, "event": False, "mask": torch.ones(1, 2, 2, 2, dtype=torch.uint8)}
    batch = collate([full, {**full, "label": np.int64(0)}])
    assert batch["label"].tolist() == [1, 0] and batch["event"].dtype == torch.bool and batch["mask"].shape[0] == 2
    mixed = collate([full, base])
    assert mixed["label"] == [1, None] and mixed["mask"][1] is None and mixed["time"] == [30.0, None]
    with pytest.raises(UserError, match="crop_or_pad or resample"):
        collate([full, {**full, "image": torch.zeros(1, 2, 2, 3)}])


def test_an_unknown_label_is_minus_one_and_a_lacking_mask_is_said(tmp_path):
    for case in "ab":
        save(brain(seed=ord(case)), tmp_path / f"{case}.nii.gz")
    save(tumour(), tmp_path / "mask.nii.gz")
    (tmp_path / "cases.csv").write_text("image,label,time,event\na.nii.gz,1,300,1\nb.nii.gz,,,\n")
    adapted = open_dataset("nifti", tmp_path).as_monai()
    assert adapted[1]["label"] == -1 and np.isnan(adapted[1]["time"]) and adapted[1]["event"] == -1
    (tmp_path / "cases.csv").write_text("image,mask\na.nii.gz,mask.nii.gz\nb.nii.gz,\n")
    with pytest.raises(UserError, match="b has no mask"):
        open_dataset("nifti", tmp_path).as_monai()[1]


def test_a_slice_of_a_data_set_is_a_data_set_and_any_whole_number_is_an_index(tmp_path):
    dataset = make("nifti", tmp_path)
    assert len(dataset[:1]) == 1 and dataset[-1:].subjects == dataset.subjects[-1:]
    assert dataset[np.int64(1)]["subject"] == dataset[torch.tensor(1)]["subject"] == dataset[-1]["subject"]
    assert json.dumps(dataset.table()["label"].tolist()) == "[0, 1]"
