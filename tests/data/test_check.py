"""check_dataset: finds what is planted, names it, and never falls over a bad case."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from medattn_lite.data.checking.check_folder import CHECKED, check_dataset
from tests.data.makers import LPS, brain, brats_case, lgg_case, save, tumour
from tests.data.test_own_files import picture
from tests.data.test_readers import make_mni, make_msd


def line(report, case: str) -> str:
    return next(text for text in report.lines if text.strip().startswith(f"{case} "))


def test_a_sound_folder_is_usable(tmp_path):
    for number in (1, 2):
        brats_case(tmp_path / f"BraTS2021_0000{number}", seed=10 * number)
    report = check_dataset("brats", tmp_path, progress=False)
    assert report.exit_code == 0 and "2 of 2 cases without a problem" in report.lines[-1]
    assert line(report, "BraTS2021_00001").endswith(": ok") and "mask labels 1 2 4 (2)" in str(report)


def case_file(folder, ending):
    return folder / f"{folder.name}_{ending}.nii.gz"


def cut(folder):
    path = case_file(folder, "t1")
    path.write_bytes(path.read_bytes()[:300])


def nan(folder):
    array = brain()
    array[3, 3, 3] = np.nan
    save(array, case_file(folder, "t1"))


PLANTED = {
    "missing t2": lambda folder: case_file(folder, "t2").unlink(),
    "cut short": cut,
    "_t1.nii.gz (channel t1) holds NaN": nan,
    "_t1.nii.gz (channel t1) is constant (7 everywhere): repair or leave out": lambda folder: save(
        np.full((20, 24, 16), 7, np.float32), case_file(folder, "t1")),
    "has shape (20, 24, 15)": lambda folder: save(brain((20, 24, 15)), case_file(folder, "t1ce")),
    "another affine": lambda folder: save(brain(seed=1), case_file(folder, "t1ce"), LPS @ np.diag([1, 1, 2.0, 1])),
    "unknown labels [7]": lambda folder: save(tumour(labels=(1, 7)), case_file(folder, "seg")),
    "empty mask": lambda folder: save(tumour(labels=()), case_file(folder, "seg")),
    "is not a mask": lambda folder: save(brain(), case_file(folder, "seg")),
    "channel t1 is a copy of flair": lambda folder: shutil.copy(case_file(folder, "flair"), case_file(folder, "t1")),
    "rescaled copy of flair": lambda folder: save(brain(seed=13) * 3, case_file(folder, "t1")),
    "several files for t1": lambda folder: shutil.copy(case_file(folder, "t1"), folder / "more_t1.nii.gz"),
    "4-D": lambda folder: save(np.ones((4, 4, 4, 2), np.float32), case_file(folder, "t1")),
    "lies in the background": lambda folder: save(np.roll(tumour(), (-9, -10), (0, 1)), case_file(folder, "seg")),
    "same flair, t1, t1ce, t2 as BraTS2021_00001, another patient": lambda folder: [
        shutil.copy(case_file(folder.parent / "BraTS2021_00001", ending), case_file(folder, ending))
        for ending in ("t1", "t1ce", "t2", "flair")
    ],
}


@pytest.mark.parametrize("finding", PLANTED)
def test_every_planted_fault_is_found_in_its_case_and_only_there(tmp_path, finding):
    brats_case(tmp_path / "BraTS2021_00001", seed=0)
    PLANTED[finding](brats_case(tmp_path / "BraTS2021_00002", seed=10))
    report = check_dataset("brats", tmp_path, progress=False)
    assert report.exit_code == 1
    assert finding in line(report, "BraTS2021_00002")
    assert line(report, "BraTS2021_00001").endswith(": ok")
    assert "1 of 2 cases without a problem" in report.lines[-1]


def test_a_reader_that_breaks_on_one_case_does_not_end_the_check(tmp_path, monkeypatch):
    for number in (1, 2):
        brats_case(tmp_path / f"BraTS2021_0000{number}", seed=10 * number)
    from medattn_lite.data.checking import check_case

    load = check_case.load_volume

    def broken(path, **options):
        if "00002_t1." in path.name:
            raise ZeroDivisionError("a surprise")
        return load(path, **options)

    monkeypatch.setattr(check_case, "load_volume", broken)
    report = check_dataset("brats", tmp_path, progress=False)
    assert report.exit_code == 1 and "ZeroDivisionError: a surprise" in line(report, "BraTS2021_00002")


def test_two_scans_of_one_patient_may_look_the_same(tmp_path):
    brats_case(tmp_path / "BraTS-GLI-00001-000", style="new", labels=(1, 2, 3))
    brats_case(tmp_path / "BraTS-GLI-00001-001", style="new", labels=(1, 2, 3))
    report = check_dataset("brats", tmp_path, progress=False)
    assert report.exit_code == 0 and "the same patient" in line(report, "BraTS-GLI-00001-001")


def test_lgg_faults_are_found_slice_by_slice(tmp_path):
    for number in range(1, 8):
        lgg_case(tmp_path, f"TCGA_CS_000{number}_19990101", seed=number)

    def file(number, ending):
        case = f"TCGA_CS_000{number}_19990101"
        return tmp_path / case / f"{case}_{ending}.tif"

    file(2, "6").unlink()
    file(2, "6_mask").unlink()
    file(3, "3_mask").unlink()
    file(4, "3").write_bytes(file(4, "3").read_bytes()[:100])
    shutil.copy(file(1, "4"), file(5, "4"))
    for number in range(1, 13):
        shutil.copy(file(6, "1_mask"), file(6, f"{number}_mask")) if number > 1 else None
    from PIL import Image

    Image.new("RGB", (16, 16)).save(file(7, "2"))
    report = check_dataset("lgg", tmp_path, progress=False)
    assert report.exit_code == 1
    for number, words in (
        (2, "missing slices [6]"),
        (3, "no mask for slices [3]"),
        (4, "cannot read"),
        (5, "same 1 slices as TCGA_CS_0001_19990101, another patient"),
        (6, "empty mask"),
        (7, "different sizes"),
    ):
        assert words in line(report, f"TCGA_CS_000{number}_19990101"), number
    assert line(report, "TCGA_CS_0001_19990101").endswith(": ok")


def test_the_decathlon_is_checked(tmp_path):
    make_msd(tmp_path)
    (tmp_path / "imagesTr" / "BRATS_002.nii.gz").unlink()
    (tmp_path / "labelsTr" / "BRATS_010.nii.gz").unlink()
    report = check_dataset("msd", tmp_path, progress=False)
    assert report.exit_code == 1
    assert "image file is missing" in line(report, "BRATS_002")
    assert "without its label" in line(report, "BRATS_010")
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "CT"}, "training": []}))
    assert check_dataset("msd", tmp_path, progress=False).exit_code == 2


def test_ms_patients_with_masks_alone_are_incomplete(tmp_path):
    report = check_dataset("open-ms", make_mni(tmp_path), progress=False)
    assert report.exit_code == 1 and "missing t1, t2, flair" in line(report, "patient03")


def test_pictures_twice_and_damaged(tmp_path):
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "a" / "2.png", 1)
    shutil.copy(tmp_path / "a" / "1.png", tmp_path / "b.png")
    (tmp_path / "b").mkdir()
    shutil.move(tmp_path / "b.png", tmp_path / "b" / "3.png")
    (tmp_path / "b" / "4.png").write_bytes((tmp_path / "a" / "1.png").read_bytes()[:60])
    report = check_dataset("images", tmp_path, progress=False)
    assert report.exit_code == 1
    assert "same picture as a/1.png" in line(report, "b/3.png") and "cannot read" in line(report, "b/4.png")


def test_a_table_that_names_an_absent_file(tmp_path):
    save(brain(), tmp_path / "a.nii.gz")
    (tmp_path / "cases.csv").write_text("image,mask\na.nii.gz,a_seg.nii.gz\nb.nii.gz,\n")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 1 and "no file" in line(report, "a") and "missing image" in line(report, "b")


@pytest.mark.parametrize("name", CHECKED)
def test_what_cannot_be_read_at_all_is_exit_2_in_one_line(tmp_path, name):
    for root in (tmp_path, tmp_path / "absent", None):
        report = check_dataset(name, root, progress=False)
        assert report.exit_code == 2 and len(report.lines) == 1 and "\n" not in report.lines[0]
    (tmp_path / "notes.txt").write_text("nothing else here")
    assert check_dataset(name, tmp_path, progress=False).exit_code == 2


def test_when_every_case_lacks_the_same_modality_each_is_listed(tmp_path):
    for number in (1, 2):
        case_file(brats_case(tmp_path / f"BraTS2021_0000{number}"), "t2").unlink()
    report = check_dataset("brats", tmp_path, progress=False)
    assert report.exit_code == 2 and sum("missing t2" in text for text in report.lines) == 2


def test_an_unknown_name_is_exit_2():
    assert check_dataset("mri", "anywhere", progress=False).exit_code == 2
    assert check_dataset("phantom", None, progress=False).exit_code == 2


def test_the_filled_up_channels_of_the_real_patients_are_found(real_data):
    report = check_dataset("lgg", real_data / "kaggle_3m", progress=False)
    pre = [text for text in report.lines if "channel pre is a copy of flair" in text]
    post = [text for text in report.lines if "channel post is a copy of flair" in text]
    assert (report.exit_code, len(pre), len(post)) == (1, 5, 8)
    assert "72 of 80 cases without a problem" in report.lines[-1]


@pytest.mark.parametrize(
    ("name", "folder", "code"),
    [
        ("lgg", "lgg_raw256", 0),
        ("open-ms", "open_ms_data", 1),
        ("brats", "brats_layout", 0),
        ("nifti", "deepmedic_brats2015", 0),
        ("msd", "brats_layout", 2),
        ("brats", "kaggle_3m", 2),
    ],
)
def test_the_other_real_folders(real_data, name, folder, code):
    report = check_dataset(name, real_data / folder, progress=False)
    assert report.exit_code == code, str(report)


@pytest.mark.parametrize("name", ["brats", "msd"])
def test_a_check_holds_one_channel_at_a_time(tmp_path, name):
    import tracemalloc

    shape = (128, 128, 128)
    channel = 4 * np.prod(shape)  # bytes in single precision
    if name == "brats":
        folder = tmp_path / "BraTS2021_00001"
        for number, ending in enumerate(("t1", "t1ce", "t2", "flair")):
            save(brain(shape, seed=number).astype(np.int16), folder / f"{folder.name}_{ending}.nii.gz")
        save(tumour(shape), folder / f"{folder.name}_seg.nii.gz")
    else:
        make_msd(tmp_path)
        contents = json.loads((tmp_path / "dataset.json").read_text())
        stacked = np.stack([brain(shape, seed=number).astype(np.int16) for number in range(4)], axis=-1)
        save(stacked, tmp_path / "imagesTr" / "BRATS_001.nii.gz")
        save(tumour(shape, labels=(1, 2, 3)), tmp_path / "labelsTr" / "BRATS_001.nii.gz")
        contents["training"] = [entry for entry in contents["training"] if "_001" in entry["image"]]
        contents["test"] = []
        (tmp_path / "dataset.json").write_text(json.dumps(contents))
    check_dataset(name, tmp_path, progress=False)  # what is imported on the way does not count
    tracemalloc.start()
    report = check_dataset(name, tmp_path, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "cases without a problem" in report.lines[-1]
    assert peak < 4 * channel, f"{peak / channel:.1f} channels"
