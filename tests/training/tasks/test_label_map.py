"""Masks labelled 1, 2, 3 are no dead end: the message says what to write, and writing it trains."""

from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from medattn_lite.cli import main
from medattn_lite.course.own_folder import make_own_folder

WORDS = ["train", "fusion", "--data", "nifti", "--scale", "smoke", "--variants", "DynUNet", "--first-folds", "1",
         "--quiet", "--device", "cpu", "--set", "epochs=1", "--set", "spacing_mm=7"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Patients whose masks say 3 where BraTS says 4."""
    root = make_own_folder(tmp_path_factory.mktemp("own") / "mine", n=11, shape=(22, 26, 22), spacing_mm=7.0,
                           faults=False)  # fmt: skip
    for path in root.rglob("mask.nii.gz"):
        image = nib.load(path)
        values = np.asarray(image.dataobj)
        nib.save(nib.Nifti1Image(np.where(values == 4, 3, values).astype(np.uint8), image.affine), path)
    return root


def test_the_message_says_what_to_write_and_it_trains_with_it(folder, tmp_path, capsys):
    run = tmp_path / "run"
    assert main([*WORDS, "--root", str(folder), "--out", str(run)]) == 2
    assert "--set label_map=1:1,2:2,3:4" in capsys.readouterr().err and not run.exists()
    words = [*WORDS, "--root", str(folder), "--set", "label_map=1:1,2:2,3:4", "--out", str(run)]
    assert main(words) == 0
    facts = json.loads((run / "metrics.json").read_text())["data_facts"]
    assert facts["regions"] == ["WT", "TC", "ET"]
    assert main(words) == 0  # the same run, which is done
    swapped = tmp_path / "swapped"
    assert main([*WORDS, "--root", str(folder), "--set", "label_map=1:2,2:1,3:4", "--out", str(swapped)]) == 0
    truth = [json.loads((place / "DynUNet" / "fold-0" / "predictions.json").read_text())["predictions"]
             for place in (run, swapped)]  # fmt: skip
    assert truth[0] != truth[1]  # core and oedema changed places
    shutil.rmtree(swapped)


@pytest.mark.parametrize(("word", "message"), [("3", "is not a label map"), ("1:1,2:2", "unknown labels [3]")])
def test_a_map_that_is_none_is_one_line(folder, tmp_path, capsys, word, message):
    words = [*WORDS, "--root", str(folder), "--set", f"label_map={word}", "--out", str(tmp_path / "run")]
    assert main(words) == 2 and message in capsys.readouterr().err
