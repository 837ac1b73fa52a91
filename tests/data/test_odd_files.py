"""Files as they come from elsewhere: nothing that looks like an image vanishes, and no header is believed blindly."""

from __future__ import annotations

import gzip
import itertools
import os

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medattn_lite.data import check_dataset, load_volume, open_dataset, save_volume
from medattn_lite.data.readers.picture_folders import read_picture
from medattn_lite.errors import UserError
from tests.data.makers import LPS, brain, brats_case, save, tumour


def placed(path, name: str) -> None:
    """One readable volume under any name."""
    made = save(brain(seed=sum(name.encode())), path.parent / "made.nii.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    made.rename(path)


def plain(path) -> None:
    path.write_bytes(gzip.decompress(path.read_bytes()))


# suffixes, and what is left out


@pytest.mark.parametrize("suffix", [".NII.GZ", ".Nii.Gz", ".nii.GZ", ".NII", ".Nii"])
def test_a_suffix_counts_in_any_case(tmp_path, suffix):
    for number in (1, 2):
        placed(tmp_path / f"p{number}" / f"t1{suffix if number == 2 else '.nii.gz'}", f"{number}")
    if not suffix.lower().endswith("gz"):
        plain(tmp_path / "p2" / f"t1{suffix}")
    dataset = open_dataset("nifti", tmp_path)
    assert [case.case for case in dataset.cases] == ["p1", "p2"] and not dataset.incomplete
    assert [sample["image"].shape[0] for sample in dataset] == [1, 1]
    assert check_dataset("nifti", tmp_path, progress=False).exit_code == 0


def test_brats_and_open_ms_find_capitals_too(tmp_path):
    folder = brats_case(tmp_path / "brats" / "BraTS2021_00001")
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    assert "mask" in open_dataset("brats", tmp_path / "brats")[0]
    for name in ("FLAIR", "T1W", "T2W", "consensus_gt"):
        placed(tmp_path / "ms" / "MNI" / "Patient01" / f"{name}.NII.GZ", name)
    assert len(open_dataset("open-ms", tmp_path / "ms")) == 1


LOST = {
    "links whose target is not there": lambda at: at.with_name("t1.nii.gz").symlink_to("../.git/annex/gone.nii.gz"),
    "format .mha": lambda at: at.with_name("t1.mha").write_bytes(b"ObjectType = Image"),
    "format .nrrd": lambda at: at.with_name("T1.NRRD").write_bytes(b"NRRD0004"),
    "format .hdr": lambda at: at.with_name("t1.hdr").write_bytes(b"x"),
    "format .nii.bz2": lambda at: at.with_name("t1.nii.bz2").write_bytes(b"BZh"),
    "format DICOM": lambda at: at.with_name("1.2.840.113").write_bytes(b"\0" * 128 + b"DICM"),
    "downloads that have not ended": lambda at: at.with_name("t1.nii.gz.crdownload").write_bytes(b"x"),
    "pipes or devices": lambda at: os.mkfifo(at.with_name("t1.nii.gz")),
}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("name", ["nifti", "brats"])
def test_what_is_not_read_is_named_by_kind_and_number_and_the_exit_code_is_1(tmp_path, name, kind):
    brats_case(tmp_path / "BraTS2021_00001")
    lost = tmp_path / "BraTS2021_00002"
    lost.mkdir()
    LOST[kind](lost / "x")
    report = check_dataset(name, tmp_path, progress=False)
    assert report.exit_code == 1
    if name == "nifti" and kind in ("format .mha", "format .nrrd"):  # which it reads, and these are damaged
        assert any("BraTS2021_00002" in text and "PROBLEM" in text for text in report.lines), report.lines
        return
    line = next(text for text in report.lines if text.startswith("PROBLEM not read"))
    assert kind in line and "(1): BraTS2021_00002/" in line


def test_notes_tables_and_previews_beside_the_images_are_no_loss(tmp_path):
    folder = brats_case(tmp_path / "BraTS2021_00001")
    for name in ("README.md", "notes.txt", "preview.png", "BraTS2021_00001_t1.json", ".DS_Store", "._t1.nii.gz"):
        (folder / name).write_bytes(b"x")
    assert check_dataset("brats", tmp_path, progress=False).exit_code == 0


def test_a_folder_of_one_other_format_says_which(tmp_path):
    for number in range(5):
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}" / "t1.mnc").write_bytes(b"x")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 2 and "5 .mnc" in report.lines[0] and "format .mnc" in report.lines[1]


def picture(path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)).save(path)


@pytest.mark.parametrize("content", [None, "1.dcm", "1.heic", "1.nii.gz"])
def test_a_class_without_a_picture_that_can_be_read_is_named(tmp_path, content):
    picture(tmp_path / "glioma" / "1.png")
    picture(tmp_path / "healthy" / "1.webp", 1)  # is read
    (tmp_path / "metastasis").mkdir()
    if content:
        (tmp_path / "metastasis" / content).write_bytes(b"x")
    report = check_dataset("images", tmp_path, progress=False)
    assert report.exit_code == 1 and "class folders without a picture that can be read (1): metastasis" in str(report)
    assert "labels glioma: 1, healthy: 1" in str(report)


def test_a_picture_in_no_class_folder_is_named(tmp_path):
    picture(tmp_path / "train" / "yes" / "1.png")
    picture(tmp_path / "train" / "no" / "1.png", 1)
    picture(tmp_path / "extra" / "3.png", 2)  # beside train, and in no part
    report = check_dataset("images", tmp_path, progress=False)
    assert report.exit_code == 1 and "images that belong to no case (1): extra/3.png" in str(report)


def test_a_channel_that_few_cases_have_is_not_dropped_in_silence(tmp_path):
    for number in range(3):
        save(brain(seed=number), tmp_path / f"p{number}" / "t1.nii.gz")
    save(brain(seed=9), tmp_path / "p0" / "adc.nii.gz")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 0 and "fewer than half of the cases have them: adc (1 of 3)" in str(report)


# what a file that cannot be read is


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.nii.gz", "plain", "rename it to a.nii"),
    ("a.nii", "packed", "rename it to a.nii.gz"),
    ("a.nii.gz", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ("a.nii.gz", b"<!DOCTYPE html><title>log in</title>", "web page"),
    ("a.nii.gz", b"\0" * 128 + b"DICM" + b"\0" * 300, "DICOM"),
    ("a.nii", b"PK\x03\x04" + b"\0" * 300, "ZIP"),
    ("a.nii", b"", "empty"),
    ("a.nii.gz", b"noise" * 100, "damaged"),
])
def test_a_file_that_is_something_else_is_told_what_it_is(tmp_path, name, content, words):
    path = tmp_path / name
    if isinstance(content, str):
        raw = nib.Nifti1Image(brain(), LPS).to_bytes()
        content = raw if content == "plain" else gzip.compress(raw)
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_volume(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.nii.gz")
    with pytest.raises(UserError, match="is a pipe or a device"):
        load_volume(tmp_path / "a.nii.gz")
    os.mkfifo(tmp_path / "cases.csv")
    with pytest.raises(UserError, match="cases.csv is a link without its target or a pipe"):
        open_dataset("nifti", tmp_path)


@pytest.mark.parametrize("claim", [(1000, 1000, 1000), (2000, 2000, 1000), (30000, 30000, 30000)])
@pytest.mark.parametrize("packed", [True, False])
def test_a_header_that_claims_more_than_its_file_holds_takes_no_memory(tmp_path, claim, packed, monkeypatch):
    import builtins

    raw = bytearray(nib.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4)).to_bytes())
    raw[40:50] = np.array([3, *claim, 1], "<i2").tobytes()
    path = tmp_path / ("a.nii.gz" if packed else "a.nii")
    path.write_bytes(gzip.compress(bytes(raw)) if packed else bytes(raw))
    taken = []
    real = builtins.bytearray

    class Counted(real):
        def __init__(self, *arguments):
            taken.append(arguments[0] if arguments and isinstance(arguments[0], int) else 0)
            super().__init__(*arguments)

    monkeypatch.setattr(builtins, "bytearray", Counted)  # what nibabel takes before it reads
    with pytest.raises(UserError, match="claims .* GB of voxels"):
        load_volume(path)
    assert max(taken, default=0) < 1e6


def test_a_packed_file_takes_no_more_memory_than_it_has_bytes_whatever_it_claims(tmp_path):
    import tracemalloc

    raw = bytearray(nib.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4)).to_bytes())
    raw[40:50] = np.array([3, 1000, 1000, 500, 1], "<i2").tobytes()  # 2 GB, which 3 MB could hold if they were zeros
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(raw[:352]) + np.random.default_rng(0).bytes(3_000_000)))
    tracemalloc.start()
    with pytest.raises(UserError, match="cut short"):
        load_volume(tmp_path / "a.nii.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e7


def test_an_image_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    import psutil

    path = save(brain(), tmp_path / "a.nii.gz")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000})())
    with pytest.raises(UserError, match="of memory"):
        load_volume(path)


# units, left and right


@pytest.mark.parametrize(("unit", "size"), [("meter", 0.002), ("micron", 2000.0), ("mm", 2.0), ("unknown", 2.0)])
def test_sizes_are_millimetres_whatever_unit_the_header_counts_in(tmp_path, unit, size):
    image = nib.Nifti1Image(brain(), np.diag([size, size, size, 1.0]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = load_volume(tmp_path / "a.nii.gz")
    assert volume.spacing_mm == pytest.approx((2, 2, 2))
    again = nib.load(save_volume(volume.array, tmp_path / "map.nii.gz", grid=volume.grid))
    assert np.allclose(again.affine, image.affine) and again.header.get_xyzt_units()[0] == unit  # it lies on its image
    report = check_dataset("nifti", tmp_path, progress=False)
    assert ("turned into mm" in str(report)) == (unit in ("meter", "micron"))


@pytest.mark.parametrize(("unit", "size", "words"), [
    ("micron", 1.0, "which its sizes cannot be: taken as mm"),
    ("meter", 1.0, "which its sizes cannot be: taken as mm"),
    ("mm", 0.001, "the unit or the size in its header is wrong"),
    ("unknown", 2000.0, "the unit or the size in its header is wrong"),
])
def test_a_unit_that_cannot_be_is_said(tmp_path, unit, size, words):
    image = nib.Nifti1Image(brain(), np.diag([size, size, size, 1.0]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii.gz")
    assert words in str(check_dataset("nifti", tmp_path, progress=False))


@pytest.mark.parametrize(("sform", "qform", "code", "words"), [
    (np.eye(4), np.diag([-1.0, 1, 1, 1]), 1, "disagree on left and right"),
    (np.eye(4), np.eye(4)[[1, 2, 0, 3]], 1, "disagree on the axes"),
    (None, None, 0, "left and right are a guess"),
    (np.eye(4), np.eye(4), 0, None),
    (np.eye(4), None, 0, None),
    (None, np.eye(4), 0, None),
])
def test_what_a_header_leaves_open_about_left_and_right_is_said(tmp_path, sform, qform, code, words):
    image = nib.Nifti1Image(brain(), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    if qform is not None:
        image.set_qform(qform, code=1)
    if sform is not None:
        image.set_sform(sform, code=2)
    if sform is None and qform is not None:
        image.header["sform_code"] = 0
    nib.save(image, tmp_path / "a.nii.gz")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == code
    assert (words in str(report)) if words else report.lines[1].endswith(": ok")


# masks and channels on turned axes, and odd masks


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_a_mask_whose_axes_are_stored_in_another_way_lies_on_its_image(tmp_path, order, flips):
    image, mask = nib.Nifti1Image(brain(), LPS), nib.Nifti1Image(tumour(), LPS)
    turn = np.array([[axis, flip] for axis, flip in zip(order, flips, strict=True)], dtype=float)
    save(brain(), tmp_path / "one" / "t1.nii.gz")
    nib.save(mask, tmp_path / "one" / "seg.nii.gz")
    (tmp_path / "two").mkdir()
    nib.save(image, tmp_path / "two" / "t1.nii.gz")
    nib.save(mask.as_reoriented(turn), tmp_path / "two" / "seg.nii.gz")
    straight, turned = open_dataset("nifti", tmp_path)
    assert np.array_equal(straight["mask"], turned["mask"])
    report = check_dataset("nifti", tmp_path, progress=False)
    as_stored = order == (0, 1, 2) and flips == (1, 1, 1)
    assert ("the mask's axes are stored as" in str(report)) != as_stored


def test_a_mask_of_the_same_shape_in_another_place_is_still_refused(tmp_path):
    save(brain(), tmp_path / "one" / "t1.nii.gz")
    moved = LPS.copy()
    moved[0, 3] += 1
    save(tumour(), tmp_path / "one" / "seg.nii.gz", moved)
    with pytest.raises(UserError, match="do not lie on each other"):
        open_dataset("nifti", tmp_path)[0]


@pytest.mark.parametrize(("change", "words"), [
    (lambda mask: mask * 0.87, "; resample masks to the nearest voxel, set a threshold"),
    (lambda mask: np.where(mask > 0, mask, 0.4), "between whole numbers (0.4)"),
    (lambda mask: mask.astype(np.int16) - 1, "it has -1 to 3"),
    (lambda mask: mask.astype(np.int16) * 300, "it has 0 to 1200"),
    (lambda mask: np.where(mask > 0, 1, np.nan), "NaN"),
])
def test_a_mask_with_odd_values_is_told_what_to_do_and_counted_as_odd(tmp_path, change, words):
    save(brain(), tmp_path / "one" / "t1.nii.gz")
    changed = change(tumour())
    save(changed.astype(np.float32) if changed.dtype.kind == "f" else changed, tmp_path / "one" / "seg.nii.gz")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 1 and words in str(report) and "without masks" not in report.lines[-1]


# pictures


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_stands_upright_as_its_camera_says(tmp_path, turn):
    shown = np.zeros((24, 40), np.uint8)
    shown[:8], shown[:, :6] = 250, 120  # bright above, grey at the left
    back = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}[turn]
    stored, exif = Image.fromarray(shown), Image.Exif()
    exif[0x0112] = turn
    (stored if back is None else stored.transpose(back)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png")[0][::-1], shown)


@pytest.mark.parametrize(("low", "high"), [(-1000, 400), (0, 1), (-5, -2), (0, 40000)])
def test_a_picture_of_any_range_has_values_from_0_to_255(tmp_path, low, high):
    values = np.linspace(low, high, 16 * 16, dtype=np.float32).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "a.tif")
    picture = read_picture(tmp_path / "a.tif")
    assert picture.min() >= 0 and picture.max() <= 255.01 and len(np.unique(picture)) == 256
    assert np.all(np.diff(picture[0, ::-1].ravel()) > 0)


def test_a_picture_of_several_pages_says_which_is_read(tmp_path):
    pages = [Image.fromarray(np.random.default_rng(n).integers(0, 255, (16, 16), dtype=np.uint8)) for n in range(3)]
    (tmp_path / "a").mkdir()
    pages[0].save(tmp_path / "a" / "stack.tif", save_all=True, append_images=pages[1:])
    picture(tmp_path / "b" / "1.png", 5)
    report = check_dataset("images", tmp_path, progress=False)
    assert report.exit_code == 0 and "stack.tif (16×16): note: page 1 of 3 is read" in str(report)


def test_digits_that_are_no_decimal_ones_in_a_name_are_letters(tmp_path):
    from medattn_lite.data.readers.csv_tables import natural

    assert sorted(["10²3", "9²3", "٣", "a", "9" * 5000], key=natural)[:2] == ["9²3", "10²3"]


def test_one_scan_with_two_labels_is_a_problem_and_with_one_a_remark(tmp_path):
    save(brain(seed=1), tmp_path / "p1" / "t1.nii.gz")
    for second, code in ((1, 1), (0, 0)):
        rows = ["image,label,subject", "p1/t1.nii.gz,0,p1", f"p1/t1.nii.gz,{second},p1"]
        (tmp_path / "cases.csv").write_text("\n".join(rows) + "\n")
        report = check_dataset("nifti", tmp_path, progress=False)
        assert report.exit_code == code, str(report)
        assert ("with another label (0, here 1)" in str(report)) == bool(code)
