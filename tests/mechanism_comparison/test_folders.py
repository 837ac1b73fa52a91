"""A comparison on the user's own folder: pictures in class folders, volumes with masks, slices of patients."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite.cli import main
from tests.data.makers import brain, lgg_case, save, tumour

QUICK = ["--seeds", "1", "--mechanisms", "eca", "--quiet", "--set", "steps=1", "--set", "batch_size=2"]


def pictures(root):
    from PIL import Image

    for label, name in enumerate(("healthy", "tumour")):
        (root / name).mkdir(parents=True)
        for number in range(6):
            values = np.random.default_rng([label, number]).integers(20, 200, (40, 36)).astype(np.uint8)
            values[:3] = values[-3:] = 0
            Image.fromarray(values).save(root / name / f"p{number}{name}_1.png")
    return root


def volumes(root):
    for number in range(6):
        case = root / f"case{number}"
        save(brain(seed=number), case / "flair.nii.gz")
        save(tumour(labels=(1,)), case / "mask.nii.gz")
    return root


def compare(root, out, *words):
    return main(["compare", "--root", str(root), "--out", str(out), *words, *QUICK])


def test_pictures_in_class_folders(tmp_path, capsys):
    root = pictures(tmp_path / "data")
    words = ["--tasks", "label", "--data", "images", "--set", "size=(32, 32)"]
    assert compare(root, tmp_path / "out", *words) == 0
    assert "3 trained" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out" / "label-images" / "cells").iterdir()} == {"none", "eca", "none-w9"}


def test_no_copy_of_a_patients_image_is_written(tmp_path):
    root = volumes(tmp_path / "data")
    assert compare(root, tmp_path / "out", "--tasks", "mask", "--data", "nifti", "--set", "size=(16, 16, 16)") == 0
    assert {path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file()} == {".json"}
    text = (tmp_path / "out" / "mask-nifti" / "settings.json").read_text()
    assert "case0" not in text and str(root) not in text


def test_slices_of_volumes_with_masks(tmp_path, capsys):
    root = tmp_path / "data"
    for number in range(6):
        lgg_case(root, f"TCGA_CS_494{number}_2000010{number}", seed=number)
    assert compare(root, tmp_path / "out", "--tasks", "lgg", "--set", "size=(32, 32)") == 0
    assert "3 trained" in capsys.readouterr().out


def test_another_folder_in_the_same_place_is_refused(tmp_path, capsys):
    first, second = volumes(tmp_path / "one"), volumes(tmp_path / "two")
    save(brain(seed=9), second / "case9" / "flair.nii.gz")
    save(tumour(labels=(1,)), second / "case9" / "mask.nii.gz")
    words = ["--tasks", "mask", "--data", "nifti", "--set", "size=(16, 16, 16)"]
    assert compare(first, tmp_path / "out", *words) == 0
    capsys.readouterr()
    assert compare(second, tmp_path / "out", *words) == 2
    assert "choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize("words, message", [
    (["--tasks", "label", "--data", "nifti"], "has a label"),
    (["--tasks", "mask", "--data", "nifti", "--set", "size=(16, 16)"], "give three numbers"),
])  # fmt: skip
def test_what_a_folder_cannot_answer_is_said_in_one_line(tmp_path, capsys, words, message):
    assert compare(volumes(tmp_path / "data"), tmp_path / "out", *words) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
