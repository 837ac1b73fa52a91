"""A mistake of the user's is one line that names the file and the remedy."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from medattn_lite.data import open_dataset
from medattn_lite.data.readers.registry import NAMES
from medattn_lite.errors import UserError
from tests.data.makers import LPS, brain, brats_case, lgg_case, save, tumour

REAL = [name for name in NAMES if name != "phantom"]


def says(caught: pytest.ExceptionInfo, *words: str) -> None:
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("name", REAL)
def test_a_wrong_path_an_empty_folder_and_a_file_are_told_apart(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for place, words in (("absent", "check the path"), ("empty", "is empty"), ("file", "is a file")):
        with pytest.raises(UserError) as caught:
            open_dataset(name, tmp_path / place)
        says(caught, str(tmp_path / place), words)
    with pytest.raises(UserError) as caught:
        open_dataset(name)
    says(caught, "--root DIR")


@pytest.mark.parametrize("name", REAL)
def test_a_folder_of_something_else_says_what_was_expected(tmp_path, name):
    (tmp_path / "holiday.txt").write_text("")
    with pytest.raises(UserError) as caught:
        open_dataset(name, tmp_path)
    says(caught, str(tmp_path))


def test_unknown_names_and_options():
    with pytest.raises(UserError, match="choose one of phantom, brats"):
        open_dataset("mri")
    with pytest.raises(UserError, match="'phantom' has no option 'colour'"):
        open_dataset("phantom", colour=True)
    with pytest.raises(UserError, match="made, not read"):
        open_dataset("phantom", "somewhere")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda case: save(np.where(brain() > 0, np.nan, 0).astype(np.float32), case("t1")),
            ("_t1.nii.gz", "NaN", "leave out"),
        ),
        (lambda case: save(np.zeros((20, 24, 16), np.float32), case("t2")), ("_t2.nii.gz", "constant", "leave out")),
        (lambda case: save(brain((20, 24, 17)), case("t2")), ("_t2.nii.gz", "(20, 24, 17)", "resample")),
        (lambda case: save(brain(), case("t2"), np.eye(4)), ("_t2.nii.gz", "another affine", "register")),
        (lambda case: save(np.ones((20, 24, 16, 2), np.float32), case("t2")), ("_t2.nii.gz", "4-D")),
        (lambda case: case("flair").write_bytes(case("flair").read_bytes()[:400]), ("_flair.nii.gz", "cut short")),
        (lambda case: save(tumour(labels=(1, 9)), case("seg")), ("_seg.nii.gz", "unknown labels [9]", "label_map")),
        (lambda case: save(tumour((20, 24, 17)), case("seg")), ("_seg.nii.gz", "shape")),
        (lambda case: save(brain() / 7, case("seg")), ("_seg.nii.gz", "is not a mask", "whole numbers")),
    ],
)
def test_bad_volumes_are_refused_when_they_are_read(tmp_path, spoil, words):
    folder = brats_case(tmp_path / "BraTS2021_00001")
    spoil(lambda ending: folder / f"BraTS2021_00001_{ending}.nii.gz")
    dataset = open_dataset("brats", tmp_path)
    with pytest.raises(UserError) as caught:
        dataset[0]
    says(caught, *words)


def test_a_constant_channel_is_named_among_the_channels(tmp_path):
    folder = brats_case(tmp_path / "BraTS2021_00001")
    save(np.full((20, 24, 16), 5, np.float32), folder / "BraTS2021_00001_t1ce.nii.gz", LPS)
    with pytest.raises(UserError, match=r"t1ce\.nii\.gz \(channel t1ce\) is constant"):
        open_dataset("brats", tmp_path)[0]


def test_a_damaged_slice_names_its_file(tmp_path):
    folder = lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    path = folder / "TCGA_CS_0001_19990101_3.tif"
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(UserError, match="_3.tif.*download it again"):
        open_dataset("lgg", tmp_path)[0]
    path.with_name("TCGA_CS_0001_19990101_4_mask.tif").unlink()
    with pytest.raises(UserError, match="_3.tif|_4_mask.tif"):
        open_dataset("lgg", tmp_path)[0]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lgg", {"task": "size"}, "choose one of grade, idh"),
        ("lgg", {"copies": "mend"}, "keep"),
        ("lgg", {"spacing_mm": ("a", "b", "c")}, "one or three positive numbers"),
        ("lgg", {"spacing_mm": (1, 1)}, "one or three positive numbers"),
        ("lgg", {"spacing_mm": (0, 1, 1)}, "one or three positive numbers"),
    ],
)
def test_options_with_unknown_values(tmp_path, name, options, words):
    lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    with pytest.raises(UserError, match=words):
        open_dataset(name, tmp_path, **options)


def test_a_voxel_size_may_be_one_number_or_three(tmp_path):
    lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    assert open_dataset("lgg", tmp_path, spacing_mm=2)[0]["meta"]["voxel_size_mm"] == (2.0, 2.0, 2.0)
    assert open_dataset("lgg", tmp_path, spacing_mm=["5", "1", "1"])[0]["meta"]["voxel_size_mm"] == (5.0, 1.0, 1.0)


def test_a_mask_on_another_grid_names_the_image_it_does_not_fit(tmp_path):
    save(brain(), tmp_path / "one" / "flair.nii.gz")
    save(tumour((20, 24, 17)), tmp_path / "one" / "mask.nii.gz")
    with pytest.raises(UserError) as caught:
        open_dataset("nifti", tmp_path)[0]
    says(caught, "one/mask.nii.gz", "one/flair.nii.gz")


@pytest.mark.parametrize("contents", [
    "[]", '{"modality": ["FLAIR"], "training": []}', '{"modality": {"0": "FLAIR"}, "training": {}}',
    '{"modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}, "training": ["imagesTr/a.nii.gz"]}',
])
def test_a_description_of_another_kind_is_one_line(tmp_path, contents):
    (tmp_path / "dataset.json").write_text(contents)
    with pytest.raises(UserError, match="dataset.json .*download"):
        open_dataset("msd", tmp_path)


def test_a_layout_that_the_folder_is_not_is_refused_and_one_it_may_be_is_believed(tmp_path):
    for name in ("FLAIR", "T1W", "T2W"):
        save(brain(), tmp_path / "raw" / "patient01" / f"{name}.nii.gz")
    with pytest.raises(UserError, match="is the layout raw, not MNI"):
        open_dataset("open-ms", tmp_path / "raw", layout="MNI")
    (tmp_path / "raw").rename(tmp_path / "mine")
    assert open_dataset("open-ms", tmp_path / "mine", layout="raw").layout == "raw"


def test_a_table_without_a_patient_does_not_make_every_picture_one(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "pictures" / name / "1.png")
    (tmp_path / "who.csv").write_text("file,subject\n")
    with pytest.raises(UserError, match="who.csv names no patient for this picture"):
        open_dataset("images", tmp_path / "pictures", patients=tmp_path / "who.csv")


def test_a_subset_of_unknown_patients_is_refused(tmp_path):
    lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    with pytest.raises(UserError, match="no patient nobody"):
        open_dataset("lgg", tmp_path).subset(["nobody"])
