"""The folder of notebook 12: its faults are found, but for the one that says nothing."""

from __future__ import annotations

import pytest

from medattn_lite.course.own_folder import make_own_folder
from medattn_lite.data import normalise, open_dataset
from medattn_lite.data.checking.check_folder import check_dataset
from medattn_lite.errors import UserError

SMALL = {"n": 11, "shape": (22, 26, 22), "spacing_mm": 7.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_own_folder(tmp_path_factory.mktemp("own") / "mine", **SMALL)


def test_check_data_finds_what_is_planted_and_nobody_else_has_a_problem(folder):
    report = check_dataset("nifti", folder, progress=False)
    problems = {case.subject: " ".join(case.problems) for case in report.cases if case.problems}
    assert report.exit_code == 1 and set(problems) == {"p03", "p08", "p10"}
    assert "another affine" in problems["p03"]
    assert "missing flair" in problems["p08"]
    assert "another patient" in problems["p10"]
    assert "voxel sizes in mm (D×H×W) 7×7×7 (10), 14×7×7 (1)" in str(report)


def test_a_mask_that_was_mirrored_is_darker_than_its_mirror_image(folder):
    dataset, contrast = open_dataset("nifti", folder), {}
    for sample in dataset.subset([name for name in dataset.subjects if name != "p03"]):
        flair, mask = normalise(sample["image"])[list(sample["channels"]).index("flair")], sample["mask"][0] > 0
        contrast[sample["subject"]] = float(flair[mask].mean() - flair[mask.flip(-1)].mean())
    assert contrast.pop("p05") < 0 < min(contrast.values())


def test_without_faults_every_case_is_sound(tmp_path):
    report = check_dataset("nifti", make_own_folder(tmp_path / "sound", faults=False, **SMALL), progress=False)
    assert report.exit_code == 0 and "voxel sizes" not in str(report)


def test_nothing_is_overwritten(folder):
    with pytest.raises(UserError, match="nothing is overwritten"):
        make_own_folder(folder, **SMALL)
