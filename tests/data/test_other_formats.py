"""NRRD and MetaImage: the same voxels at the same millimetres as in a NIfTI file of the scan; mistakes in a line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medattn_lite.data import load_volume, open_dataset, save_volume
from medattn_lite.data.checking.check_folder import check_dataset
from medattn_lite.data.readers.find_files import stem
from medattn_lite.errors import UserError
from tests.data.makers import brain, tumour

nrrd = pytest.importorskip("nrrd", reason="the extra 'nrrd' is not installed")
WITH_ITK = pytest.mark.skipif(importlib.util.find_spec("itk") is None, reason="the extra 'mha' (ITK) is not installed")
FORMATS = ["a.nrrd", *(pytest.param(name, marks=WITH_ITK) for name in ("a.mha", "a.mhd", "packed.mha"))]
SIZES, ORIGIN = np.array([0.9, 1.1, 3.0]), np.array([-5.0, -7.0, 20.0])
TO_LPS = np.diag([-1.0, -1.0, 1.0])


def oblique() -> np.ndarray:
    """A rotation by 20 degrees about a slanted axis, (3, 3), in the directions of DICOM."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(np.deg2rad(20) * np.array([1, 2, 3]) / np.sqrt(14)).as_matrix()


def write(path: Path, voxels: np.ndarray, directions: np.ndarray) -> None:
    """Voxels (x, y, z) in a format that the suffix names; directions in LPS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".nrrd"):
        place = {"space": "left-posterior-superior", "space directions": (directions * SIZES).T, "space origin": ORIGIN}
        nrrd.write(str(path), voxels, place)
    elif path.name.endswith(".nii.gz"):
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = TO_LPS @ directions * SIZES, TO_LPS @ ORIGIN
        nib.save(nib.Nifti1Image(voxels, affine), path)
    else:
        import itk

        image = itk.image_from_array(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
        image.SetSpacing(SIZES)
        image.SetOrigin(ORIGIN)
        image.SetDirection(itk.matrix_from_array(directions))
        itk.imwrite(image, str(path), compression=path.name.startswith("packed"))


@pytest.fixture(scope="module")
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(-900, 900, (9, 8, 7)).astype(np.int16)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("directions", [np.eye(3), oblique(), np.eye(3)[:, [2, 0, 1]]], ids=("axial", "oblique", "new"))
def test_every_format_gives_the_volume_of_the_nifti_file(tmp_path, voxels, name, directions):
    write(tmp_path / "a.nii.gz", voxels, directions)
    write(tmp_path / name, voxels, directions)
    wanted, read = load_volume(tmp_path / "a.nii.gz"), load_volume(tmp_path / name)
    assert np.array_equal(read.array, wanted.array) and np.allclose(read.affine, wanted.affine, atol=1e-5)
    save_volume(read.array, tmp_path / "map.nii.gz", grid=read.grid)
    again = load_volume(tmp_path / "map.nii.gz")
    assert np.array_equal(again.array, wanted.array) and np.allclose(again.affine, wanted.affine, atol=1e-5)


@pytest.mark.parametrize("suffix", ["nrrd", pytest.param("mha", marks=WITH_ITK)])
def test_a_folder_of_slicers_files_is_a_data_set(tmp_path, suffix):
    for number in (1, 2):
        for name, seed in (("t1", 2 * number), ("flair", 2 * number + 1)):
            scan = brain(seed=seed)
            write(tmp_path / f"p{number}" / f"{name}.{'nrrd' if name == 't1' else suffix}", scan, np.eye(3))
        mask = (tumour() > 0).astype(np.uint8)
        write(tmp_path / f"p{number}" / "Segmentation.seg.nrrd", mask, np.eye(3))
    dataset = open_dataset("nifti", tmp_path)
    assert set(dataset.channels) == {"flair", "t1"} and dataset[0]["image"].shape[0] == 2
    assert int(dataset[0]["mask"].sum()) == int(mask.sum())
    report = check_dataset("nifti", tmp_path, progress=False)
    assert report.exit_code == 0, str(report)


def test_the_stem_knows_the_suffixes():
    assert [stem(Path(name)) for name in ("a.NRRD", "a.mha", "a.seg.nrrd", "a.nii.gz")] == ["a", "a", "a.seg", "a"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.nrrd", b"NRRD0005\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\nendian: little\n\n" + bytes(16),
         "does not say where its voxels lie"),
        ("a.nrrd", b"no such thing", "cannot read"),
        pytest.param("a.mha", b"ObjectType = Image\nNDims = 3\n", "cannot read", marks=WITH_ITK),
        ("a.mha", b"ObjectType = Image\nNDims = 3\nDimSize = 90000 90000 90000\n", "GB of memory"),
        ("a.nii", b"NRRD0005\n" + bytes(400), "let its name end in .nrrd"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line(tmp_path, name, content, message, capfd):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_volume(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "module", "extra"), [("a.nrrd", "nrrd", "nrrd"), ("a.mha", "itk", "mha")])
def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch, name, module, extra):
    (tmp_path / name).write_bytes(b"NRRD0005")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf'pip install "medattn-lite\[{extra}\]"'):
        load_volume(tmp_path / name)
