"""Your own pictures and NIfTI files: class folders, tables, folders of cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn_lite.data import check_dataset, open_dataset
from medattn_lite.data.slice_set import SliceSet
from medattn_lite.errors import UserError
from tests.data.makers import brain, save, tumour


def picture(path: Path, seed: int = 0, *, mode: str = "L", size: tuple[int, int] = (20, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = () if mode == "L" else (3,)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, *channels), dtype=np.uint8)).save(path)
    return path


def test_class_folders_become_labels_in_alphabetical_order(tmp_path):
    for number, name in enumerate(("tumour/b.png", "healthy/a.jpg", "tumour/c.tif", "healthy/d.bmp")):
        picture(tmp_path / name, number)
    (tmp_path / "tumour" / "notes.txt").write_text("no picture")
    dataset = open_dataset("images", tmp_path)
    assert dataset.classes == ["healthy", "tumour"] and dataset.labels == [0, 0, 1, 1]
    sample = dataset[2]
    assert sample["image"].shape == (1, 20, 24) and sample["label"] == 1
    np.testing.assert_array_equal(sample["image"][0].numpy(), np.asarray(Image.open(tmp_path / "tumour/b.png"))[::-1])
    assert sample["meta"]["patient_known"] is False and sample["meta"]["voxel_size_mm"] is None


def test_train_and_test_folders_are_kept_apart(tmp_path):
    picture(tmp_path / "Training" / "yes" / "1.png")
    picture(tmp_path / "Testing" / "yes" / "1.png", 1)
    picture(tmp_path / "Testing" / "no" / "1.png", 2)
    dataset = open_dataset("images", tmp_path)
    assert dataset.classes == ["no", "yes"]
    assert sorted(dataset.table()["part"]) == ["Testing", "Testing", "Training"]
    assert len(set(dataset.subjects)) == 3


def test_patients_come_from_a_pattern_or_a_table(tmp_path):
    for name in ("a/p1_1.png", "a/p1_2.png", "b/p2_1.png"):
        picture(tmp_path / name)
    assert open_dataset("images", tmp_path, patient=r"^(p\d+)_").subjects == ["p1", "p1", "p2"]
    table = tmp_path / "who.csv"
    table.write_text("file,subject\np1_1.png,x\np1_2.png,x\nb/p2_1.png,y\n")
    assert open_dataset("images", tmp_path, patients=table).subjects == ["x", "x", "y"]
    with pytest.raises(UserError, match="names no patient"):
        open_dataset("images", tmp_path, patient=r"^(q\d+)_")
    with pytest.raises(UserError, match="not a regular expression"):
        open_dataset("images", tmp_path, patient="(")
    with pytest.raises(UserError, match="no group"):
        open_dataset("images", tmp_path, patient="p1")


def test_colour_and_sixteen_bit_pictures(tmp_path):
    picture(tmp_path / "a" / "1.png", mode="RGB")
    deep = np.linspace(0, 40000, 480).reshape(20, 24).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a" / "2.png")
    assert open_dataset("images", tmp_path, colour=True)[0]["image"].shape == (3, 20, 24)
    values = open_dataset("images", tmp_path)[1]["image"]
    assert float(values.max()) == pytest.approx(255) and len(values.unique()) > 256


def test_pictures_become_slices_of_one_size(tmp_path):
    picture(tmp_path / "a" / "1.png", size=(20, 24))
    picture(tmp_path / "b" / "2.png", 1, size=(40, 10))
    slices = SliceSet(open_dataset("images", tmp_path), size=(16, 16), task="class", progress=False)
    assert slices.images.shape == (2, 1, 16, 16) and slices.labels.tolist() == [0, 1]
    with pytest.raises(UserError, match="tumour masks"):
        SliceSet(open_dataset("images", tmp_path), size=(16, 16), progress=False)


def test_a_table_names_images_masks_labels_and_survival(tmp_path):
    for name in ("a", "b"):
        save(brain(), tmp_path / "scans" / f"{name}_flair.nii.gz")
        save(brain(seed=1), tmp_path / "scans" / f"{name}_t1.nii.gz")
        save(tumour(), tmp_path / "scans" / f"{name}_seg.nii.gz")
    (tmp_path / "cases.csv").write_text(
        "subject,image_t1,image_flair,mask,label,time,event,centre\n"
        "p1,scans/a_t1.nii.gz,scans/a_flair.nii.gz,scans/a_seg.nii.gz,1,300,1,7\n"
        "p2,scans/b_t1.nii.gz,scans/b_flair.nii.gz,,0,500,0,Graz\n"
    )
    dataset = open_dataset("nifti", tmp_path)
    assert dataset.subjects == ["p1", "p2"] and dataset.channels == ("t1", "flair") and dataset.labels == [1, 0]
    sample = dataset[0]
    assert sample["image"].shape == (2, 16, 24, 20) and sample["mask"].unique().tolist() == [0, 1, 2, 4]
    assert (sample["time"], sample["event"], sample["meta"]["centre"]) == (300.0, True, 7.0)
    assert "mask" not in dataset[1] and dataset[1]["event"] is False


def test_one_column_image_and_semicolons(tmp_path):
    save(brain(), tmp_path / "a.nii.gz")
    save(brain(seed=1), tmp_path / "b.nii.gz")
    table = tmp_path / "list.csv"
    table.write_text("image,label\na.nii.gz,0\nb.nii.gz,1\n")
    assert open_dataset("nifti", tmp_path).channels == ("image",)
    table.write_text("Image;Label\na.nii.gz;0\n")  # a spreadsheet's semicolons
    assert open_dataset("nifti", tmp_path).labels == [0]
    table.write_text('image,label\n"a.nii.gz;b.nii.gz",1\n')
    assert open_dataset("nifti", tmp_path)[0]["image"].shape[0] == 2


def test_a_table_of_one_column_is_not_cut_at_a_letter(tmp_path):
    for name in ("image one.nii.gz", "image two.nii.gz"):
        save(brain(), tmp_path / name)
    (tmp_path / "cases.csv").write_text("image\nimage one.nii.gz\n\nimage two.nii.gz\n")
    assert open_dataset("nifti", tmp_path).subjects == ["image one", "image two"]


def test_files_of_one_name_in_many_folders_are_many_patients(tmp_path):
    for patient in ("p1", "p2"):
        save(brain(), tmp_path / patient / "t1.nii.gz")
    (tmp_path / "cases.csv").write_text("image_t1,label\np1/t1.nii.gz,0\np2/t1.nii.gz,1\n")
    dataset = open_dataset("nifti", tmp_path)
    assert [case.case for case in dataset.cases] == ["p1/t1", "p2/t1"] and dataset.subjects == ["p1", "p2"]
    assert dataset[0]["meta"]["patient_known"] is False


def test_a_file_that_a_table_names_and_that_is_not_there_is_named(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("image_t1,image_t2\na_t1.nii.gz,a_t2.nii.gz\nb_t1.nii.gz,b_t2.nii.gz\n")
    with pytest.raises(UserError, match=r"a_t1 lacks t1 \(no file .*a_t1\.nii\.gz\), t2 \(no file"):
        open_dataset("nifti", tmp_path)
    for name in ("a_t1", "a_t2", "b_t1"):
        save(brain(seed=len(name)), tmp_path / f"{name}.nii.gz")
    dataset = open_dataset("nifti", tmp_path)
    assert dataset.subjects == ["a_t1"] and dataset.incomplete[0].missing == ("t2",)
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 1 and f"missing t2 (no file {tmp_path / 'b_t2.nii.gz'})" in str(report)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("image,label\n", "names no image"),
        ("image,label\na.nii.gz,1,2\n", "3 cells in the row 'a.nii.gz' but 2 columns"),
        ("image,label\na.nii.gz\n,1\n", "line 3: no image"),
    ],
)
def test_a_table_that_is_empty_or_ragged_is_one_line(tmp_path, text, words):
    save(brain(), tmp_path / "a.nii.gz")
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(UserError, match=f"cases.csv.*{words}"):
        open_dataset("nifti", tmp_path)


def test_one_channel_may_be_asked_for_as_a_word(tmp_path):
    for ending in ("t1", "flair"):
        save(brain(), tmp_path / "one" / f"one_{ending}.nii.gz")
    assert open_dataset("nifti", tmp_path, channels="flair").channels == ("flair",)


def test_a_mask_beside_its_image_in_a_flat_folder_is_its_mask(tmp_path):
    for name in ("a", "a_2", "b"):
        save(brain(), tmp_path / f"{name}.nii.gz")
    for name in ("a_mask", "a_2_mask"):
        save(tumour(), tmp_path / f"{name}.nii.gz")
    save((brain() > 0).astype(np.uint8), tmp_path / "a_brain_mask.nii.gz")
    masks = {case.case: case.mask and case.mask.name for case in open_dataset("nifti", tmp_path).cases}
    assert masks == {"a": "a_mask.nii.gz", "a_2": "a_2_mask.nii.gz", "b": None}


def test_two_masks_of_one_case_are_a_problem_and_not_a_choice_in_silence(tmp_path):
    save(brain(), tmp_path / "one" / "flair.nii.gz")
    for rater in (1, 2):
        save(tumour(), tmp_path / "one" / f"mask_{rater}.nii.gz")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 1 and "several files for the mask: mask_1.nii.gz, mask_2.nii.gz" in str(report)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scan,label\na.nii.gz,1\n", "needs a column 'image'"),
        ("image,label\na.nii.gz,high\n", "line 2: label 'high'"),
        ("image,time,event\na.nii.gz,-3,1\n", "line 2: time"),
        ("image,time,event\na.nii.gz,3,maybe\n", "line 2: event"),
        ("image,label\n,1\n", "line 2: no image"),
    ],
)
def test_a_table_with_a_wrong_cell_names_its_line(tmp_path, text, words):
    save(brain(), tmp_path / "a.nii.gz")
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(UserError, match=f"cases.csv.*{words}"):
        open_dataset("nifti", tmp_path)


def test_a_folder_for_every_case_needs_no_table(tmp_path):
    for case in ("one", "two"):
        save(brain(), tmp_path / case / f"{case}_FLAIR.nii.gz")
        save(brain(seed=1), tmp_path / case / f"{case}_T1c.nii.gz")
        save(tumour(), tmp_path / case / f"{case}_tumor_segmentation.nii.gz")
        save((brain() > 0).astype(np.uint8), tmp_path / case / f"{case}_brain_segmentation.nii.gz")
    dataset = open_dataset("nifti", tmp_path)
    assert dataset.subjects == ["one", "two"] and dataset.channels == ("flair", "t1ce")
    assert dataset[0]["mask"].unique().tolist() == [0, 1, 2, 4]
    with pytest.raises(UserError, match="no case .* has a channel 't2'"):
        open_dataset("nifti", tmp_path, channels=["t2"])


def test_files_directly_in_the_folder_are_one_case_each(tmp_path):
    save(brain(), tmp_path / "a.nii.gz")
    save(brain(seed=1), tmp_path / "b.nii")
    assert open_dataset("nifti", tmp_path).subjects == ["a", "b"]


def test_deepmedic_examples_are_read_without_a_table(real_data):
    dataset = open_dataset("nifti", real_data / "deepmedic_brats2015")
    assert len(dataset) == 3 and dataset.channels == ("flair", "t1ce")
    assert dataset[0]["mask"].unique().tolist() == [0, 1, 2, 3, 4]
