"""From a DICOM study, made here with pydicom, to NIfTI files: geometry, choice, names removed, nothing replaced."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medattn_lite.cli import main
from medattn_lite.data import open_dataset
from medattn_lite.data.readers.dicom_import import _can_be_read

pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
pytest.importorskip("dicom2nifti", reason="the extra 'dicom' is not installed")
from pydicom.encaps import encapsulate, generate_frames  # noqa: E402 - an extra
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless  # noqa: E402

SECRETS = ("Doe", "HOSP-4711", "19500102", "20240304", "Clinic", "1.2.826.0.1")
SHAPE, SPACING = (12, 10, 6), (0.9, 1.1, 3.0)  # columns, rows, slices; mm along x, y, z


def voxels(seed: int = 0) -> np.ndarray:
    """(x, y, z) to the patient's left, posterior and superior, as DICOM counts."""
    return np.random.default_rng(seed).integers(0, 900, SHAPE).astype(np.int16)


def write(
    folder: Path, *, series: int, description: str, values: np.ndarray, patient: str = "HOSP-4711",
    date: str = "20240304", skip: tuple[int, ...] = (), **tags: object,
) -> list[Path]:  # fmt: skip
    """One series, a file per axial slice."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, uid = [], f"1.2.826.0.1.3680043.{series}.{abs(hash((patient, date))) % 10**8}"
    for number in range(values.shape[2]):
        if number in skip:
            continue
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        item = pydicom.dataset.FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        item.SOPClassUID, item.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        item.PatientName, item.PatientID, item.PatientBirthDate = "Doe^Jane", patient, "19500102"
        item.StudyDate, item.StudyTime = date, "101500"
        item.StudyInstanceUID = f"1.2.826.0.1.9.{date}.{patient[-1:] or 0}"
        item.SeriesInstanceUID, item.SeriesNumber, item.SeriesDescription = uid, series, description
        item.InstitutionName, item.Manufacturer, item.Modality = "Clinic", "ACME", "MR"
        item.MagneticFieldStrength, item.RepetitionTime, item.EchoTime = "3", "8000", "90"
        item.Rows, item.Columns = values.shape[1], values.shape[0]
        item.PixelSpacing, item.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
        item.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        item.ImagePositionPatient = [-5.0, -7.0, 20.0 + SPACING[2] * number]
        item.InstanceNumber, item.ImageType = number + 1, ["ORIGINAL", "PRIMARY", "M"]
        item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
        item.BitsAllocated = item.BitsStored = 16
        item.HighBit, item.PixelRepresentation = 15, 1
        item.PixelData = np.ascontiguousarray(values[:, :, number].T).tobytes()
        for name, value in tags.items():
            setattr(item, name, value)
        paths.append(folder / f"{uid}.{values.shape[2] - number}")  # not in the order of the slices
        item.save_as(paths[-1], enforce_file_format=True)
    return paths


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """FLAIR and T1 of one patient, a localizer, and a text file."""
    root = tmp_path / "dicom"
    write(root / "a", series=4, description="AX T2 FLAIR Doe", values=voxels(1))
    write(root / "b", series=5, description="T1 MPRAGE", values=voxels(2))
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write(root / "c", series=1, description="loc", values=voxels(3)[..., :3], ImageType=kind)
    (root / "readme.txt").write_text("by hand")
    return root


def test_a_series_becomes_one_file_with_its_voxels_in_their_place(study, tmp_path, capsys):
    out = tmp_path / "nifti"
    assert main(["import", str(study), str(out)]) == 0
    printed = capsys.readouterr().out
    assert (
        "left out: a localizer" in printed
        and "1 files are not DICOM" in printed
        and "removed: every DICOM tag" in printed
    )
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "series.tsv", "sub-01/flair_s004.nii.gz", "sub-01/t1_s005.nii.gz"]  # fmt: skip
    image = nib.as_closest_canonical(nib.load(out / "sub-01" / "flair_s004.nii.gz"))
    expected = voxels(1)[::-1, ::-1]  # left and posterior become right and anterior
    assert np.array_equal(np.asarray(image.dataobj), expected)
    # DICOM's first voxel lies at (-5, -7, 20) to the left and posterior: RAS (5, 7, 20), the last of the turned axes
    assert np.allclose(image.affine @ [SHAPE[0] - 1, SHAPE[1] - 1, 0, 1], [5, 7, 20, 1], atol=1e-4)
    assert np.allclose(np.diag(image.affine)[:3], SPACING, atol=1e-5)


def test_nothing_that_names_a_patient_reaches_a_file(study, tmp_path):
    out = tmp_path / "nifti"
    assert main(["import", str(study), str(out)]) == 0
    for path in out.rglob("*"):
        content = b"" if path.is_dir() else path.read_bytes()
        content = gzip.decompress(content) if path.name.endswith(".gz") else content
        assert not [secret for secret in SECRETS if secret.encode() in content or secret in path.name], path
    with (out / "series.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["contrast"] for row in rows] == ["flair", "t1"] and rows[0]["field_T"] == "3"
    assert rows[0]["shape"] == "12×10×6" and rows[0]["voxel_mm"] == "0.9×1.1×3" and rows[0]["maker"] == "ACME"


def test_what_was_imported_is_a_data_set_with_visits_of_one_patient(tmp_path):
    root, out = tmp_path / "dicom", tmp_path / "nifti"
    for patient in ("HOSP-1", "HOSP-2"):
        for date in ("20240304", "20230101")[: 2 if patient == "HOSP-1" else 1]:
            for series, description in ((4, "FLAIR"), (5, "T1")):
                write(root / patient / date / str(series), series=series, description=description, patient=patient,
                      date=date, values=voxels(series + int(date) % 7 + len(patient)))  # fmt: skip
    assert main(["import", str(root), str(out)]) == 0
    dataset = open_dataset("nifti", out)
    assert dataset.subjects == ["sub-01", "sub-01", "sub-02"] and set(dataset.channels) == {"flair", "t1"}
    early = nib.load(out / "sub-01" / "ses-1" / "flair_s004.nii.gz")
    expected = voxels(4 + 20230101 % 7 + 6)[::-1, ::-1]
    assert np.array_equal(np.asarray(nib.as_closest_canonical(early).dataobj), expected)


def test_series_are_listed_and_chosen(study, tmp_path, capsys):
    assert main(["import", str(study), "--list"]) == 0
    assert capsys.readouterr().out.count("→") == 3
    assert main(["import", str(study), str(tmp_path / "one"), "--series", "3", "--patient", "P7"]) == 0
    assert [path.name for path in (tmp_path / "one" / "P7").iterdir()] == ["t1_s005.nii.gz"]


def test_nothing_is_replaced_and_nothing_is_written_beside_it(study, tmp_path, capsys):
    out = tmp_path / "nifti"
    assert main(["import", str(study), str(out), "--series", "2"]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert main(["import", str(study), str(out)]) == 2
    assert "exists already and is not replaced" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_series_with_a_missing_slice_is_named_and_the_others_are_converted(study, tmp_path, capsys):
    write(study / "d", series=9, description="T2", values=np.tile(voxels(4), (1, 1, 2)), skip=(3,))
    assert main(["import", str(study), str(tmp_path / "nifti")]) == 1
    printed = capsys.readouterr()
    assert "series 4 was not converted: the distance between its slices changes" in printed.err
    assert "2 of 3 series" in printed.out and not list((tmp_path / "nifti").rglob("t2*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "OUT"], "no folder"), (["EMPTY", "OUT"], "no DICOM file in"), (["STUDY"], "name a folder"),
        (["STUDY", "OUT", "--series", "9"], "no series 9: there are 1 to 3"),
        (["STUDY", "FILE"], "is a file: name a folder"),
        (["STUDY", "OUT", "--patient", "../x"], "not a name of a folder"),
        (["STUDY", "OUT", "--series", "1"], "no series could be converted: 1: a localizer"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(study, tmp_path, capsys, words, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.dcm").write_bytes(b"no DICOM")
    places = {"EMPTY": tmp_path / "empty", "STUDY": study, "OUT": tmp_path / "out", "FILE": study / "readme.txt"}
    assert main(["import", *(str(places.get(word, word)) for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert not (tmp_path / "out").exists()


def test_without_the_extra_one_line_says_what_to_install(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    assert main(["import", str(study), str(tmp_path / "out")]) == 2
    assert 'pip install "medattn-lite[dicom]"' in capsys.readouterr().err


def test_patients_without_an_identifier_are_not_one_patient(tmp_path, capsys):
    for number, date in enumerate(("20240304", "20240305")):
        write(tmp_path / "in" / date, series=4 + number, description="FLAIR", patient="", date=date,
              values=voxels(number))  # fmt: skip
    assert main(["import", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert "name no patient" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sub-01", "sub-02", "series.tsv"}


def test_two_series_of_one_number_and_odd_headers_are_imported_side_by_side(tmp_path: Path, capsys) -> None:
    root, out = tmp_path / "dicom", tmp_path / "out"
    uid = "1.2.826.0.1.3680043.77"
    write(root / "a", series=4, description="AX FLAIR", values=voxels(1))
    write(root / "b", series=4, description="AX FLAIR", values=voxels(2), SeriesInstanceUID=uid, SeriesNumber=[4, 9])
    write(root / "c", series=6, description="survey", values=voxels(3), ImageType="LOCALIZER")
    assert main(["import", str(root), str(out), "--list"]) == 0
    assert "left out: a localizer" in capsys.readouterr().out
    assert main(["import", str(root), str(out)]) == 0
    names = sorted(path.name for path in out.rglob("*.nii.gz"))
    assert names == ["flair_s004_1.nii.gz", "flair_s004_2.nii.gz"]
    rows = list(csv.DictReader((out / "series.tsv").open(encoding="utf-8"), delimiter="\t"))
    assert sorted(Path(row["file"]).name for row in rows) == names


@pytest.mark.parametrize("damage", ["cut file", "short pixels", "no pixels in an end slice"])
def test_a_slice_that_lacks_pixels_is_named_and_the_other_series_are_converted(tmp_path: Path, capsys, damage) -> None:
    root, out = tmp_path / "dicom", tmp_path / "nifti"
    paths = write(root / "a", series=4, description="AX T2 FLAIR", values=voxels(1))
    write(root / "b", series=5, description="T1", values=voxels(2))
    bad = paths[-1]
    if damage == "cut file":
        bad.write_bytes(bad.read_bytes()[:-30])
    else:
        item = pydicom.dcmread(bad)
        if damage == "short pixels":
            item.PixelData = item.PixelData[:-30]
        else:
            del item.PixelData
        item.save_as(bad)
    assert main(["import", str(root), str(out)]) == 1
    error = capsys.readouterr().err
    assert f"of its 6 files, {bad.name} lack pixels (cut short?)" in error and error.count("\n") == 1
    assert [path.name for path in out.rglob("*.nii.gz")] == ["t1_s005.nii.gz"]


def test_a_damaged_slice_of_a_compressed_series_is_named(tmp_path: Path, capsys) -> None:
    root, out = tmp_path / "dicom", tmp_path / "nifti"
    paths = write(root / "a", series=4, description="AX T2 FLAIR", values=voxels(1))
    write(root / "b", series=5, description="T1", values=voxels(2))
    for path in paths:
        item = pydicom.dcmread(path)
        item.compress(RLELossless)
        item.save_as(path)
    item = pydicom.dcmread(paths[-1])
    frame = next(generate_frames(item.PixelData, number_of_frames=1))
    item.PixelData = encapsulate([frame[: len(frame) // 2]])
    item.save_as(paths[-1])
    assert main(["import", str(root), str(out)]) == 1
    error = capsys.readouterr().err
    assert f"of its 6 files, {paths[-1].name} lack pixels" in error and error.count("\n") == 1


def test_pixels_stored_in_a_makers_own_way_are_not_called_missing() -> None:
    assert not _can_be_read(UID("1.2.840.113619.5.2")) and _can_be_read(ExplicitVRLittleEndian)
    assert _can_be_read(RLELossless)
