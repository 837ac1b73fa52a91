"""Orientation: whatever the file says, the package sees I→S, P→A, L→R, and the file gets back its own."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medattn_lite.data.nifti_io.volumes import load_volume, save_volume
from medattn_lite.errors import UserError

CODES = ["".join(axes) for order in itertools.permutations(("RL", "AP", "SI")) for axes in itertools.product(*order)]
DTYPES = ["uint8", "int16", "uint16", "int32", "float32", "float64"]


def oriented(code: str, shape: tuple[int, int, int], *, tilt: float = 0.0) -> np.ndarray:
    """An affine whose axes point to `code`, with its own spacing and, in radians, a tilt."""
    affine = np.eye(4)
    axes = nib.orientations.axcodes2ornt(tuple(code))
    columns = np.zeros((3, 3))
    for axis, (world, flip) in enumerate(axes):
        columns[int(world), axis] = flip * (0.8 + 0.4 * axis)
    turn = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ columns
    affine[:3, 3] = (12.5, -7.25, 3.0)
    return affine


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    code=st.sampled_from(CODES),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    dtype=st.sampled_from(DTYPES),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
    slope=st.sampled_from([None, (1.0, 0.0), (0.5, 0.0), (2.0, -3.0), (0.1, 7.0)]),
    big_endian=st.booleans(),
    tilt=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 1000),
)
def test_any_axis_order_and_flip_comes_back_byte_equal(
    tmp_path_factory, code, shape, dtype, suffix, slope, big_endian, tilt, seed
):
    folder = tmp_path_factory.mktemp("round")
    voxels = (np.random.default_rng(seed).normal(size=shape) * 50 + 100).astype(dtype)
    image = nib.Nifti1Image(voxels, oriented(code, shape, tilt=tilt), dtype=dtype)
    header = image.header.as_byteswapped(">" if big_endian else "<")
    header["descrip"] = b"scanner 3"
    image = nib.Nifti1Image(voxels, image.affine, header)
    image.header.set_data_dtype(np.dtype(dtype).newbyteorder(">" if big_endian else "<"))
    path = folder / f"first{suffix}"
    nib.save(image, path)
    if slope is not None and suffix == ".nii":  # nibabel chooses the scaling itself: write the bytes
        raw = bytearray(path.read_bytes())
        raw[112:120] = np.array(slope, dtype=">f4" if big_endian else "<f4").tobytes()
        path.write_bytes(bytes(raw))

    volume = load_volume(path, dtype=None)
    again = save_volume(volume.array, folder / f"again{suffix}", grid=volume.grid)

    assert content(again) == content(path)


@pytest.mark.parametrize("code", CODES)
def test_indices_grow_to_superior_anterior_and_right(tmp_path, code):
    shape = (3, 4, 5)
    nib.save(nib.Nifti1Image(np.zeros(shape, np.float32), oriented(code, shape)), tmp_path / "a.nii")
    volume = load_volume(tmp_path / "a.nii")
    step = volume.affine[:3, :3]
    assert "".join(nib.aff2axcodes(volume.affine)) == "SAR"
    assert step[2, 0] > 0 and step[1, 1] > 0 and step[0, 2] > 0


@settings(max_examples=40, deadline=None)
@given(code=st.sampled_from(CODES), tilt=st.floats(-0.6, 0.6), seed=st.integers(0, 100))
def test_every_voxel_keeps_its_place_in_the_world(tmp_path_factory, code, tilt, seed):
    """The affine of an oblique scan follows the permutation: a marked voxel lies at the same millimetres."""
    folder, shape = tmp_path_factory.mktemp("world"), (4, 5, 6)
    place = np.random.default_rng(seed).integers(0, shape)
    voxels = np.zeros(shape, np.float32)
    voxels[tuple(place)] = 1
    affine = oriented(code, shape, tilt=tilt)
    nib.save(nib.Nifti1Image(voxels, affine), folder / "a.nii")
    volume = load_volume(folder / "a.nii")
    here = np.argwhere(volume.array == 1)[0]
    np.testing.assert_allclose(volume.affine @ [*here, 1], affine @ [*place, 1], atol=1e-4)


def test_a_map_made_on_the_loaded_array_lies_on_its_image(tmp_path):
    image = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(image, oriented("PIR", (4, 5, 6))), tmp_path / "image.nii.gz")
    volume = load_volume(tmp_path / "image.nii.gz")
    save_volume(volume.array > 0, tmp_path / "map.nii.gz", grid=volume.grid)
    written = nib.load(tmp_path / "map.nii.gz")
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), image > 0)
    np.testing.assert_allclose(written.affine, nib.load(tmp_path / "image.nii.gz").affine)


def test_a_map_of_fractions_is_not_rounded_to_the_images_integers(tmp_path):
    nib.save(nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)), tmp_path / "image.nii")
    volume = load_volume(tmp_path / "image.nii", dtype=None)
    heat = volume.array.astype(np.float64) / 7
    save_volume(heat, tmp_path / "heat.nii", grid=volume.grid)
    np.testing.assert_allclose(load_volume(tmp_path / "heat.nii").array, heat, rtol=1e-6)


def test_channels_come_first_and_go_back_last(tmp_path):
    voxels = np.random.default_rng(1).normal(size=(3, 4, 5, 2)).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, oriented("LPS", (3, 4, 5))), tmp_path / "four.nii")
    volume = load_volume(tmp_path / "four.nii", dtype=None, four_d=True)
    assert volume.array.shape == (2, 5, 4, 3)
    save_volume(volume.array, tmp_path / "again.nii", grid=volume.grid)
    assert (tmp_path / "again.nii").read_bytes() == (tmp_path / "four.nii").read_bytes()


def test_an_affine_alone_is_enough_to_save_a_phantom(tmp_path):
    array = np.random.default_rng(2).normal(size=(3, 4, 5)).astype(np.float32)
    affine = np.array([[0, 0, 2.0, -5], [0, 2.5, 0, -6], [3.0, 0, 0, -7], [0, 0, 0, 1]])
    save_volume(array, tmp_path / "phantom.nii.gz", affine=affine)
    assert "".join(nib.aff2axcodes(nib.load(tmp_path / "phantom.nii.gz").affine)) == "RAS"
    volume = load_volume(tmp_path / "phantom.nii.gz")
    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.affine, affine)
    assert volume.spacing_mm == pytest.approx((3.0, 2.5, 2.0))


def test_an_existing_file_is_left_alone_unless_asked(tmp_path):
    path = tmp_path / "map.nii"
    save_volume(np.zeros((2, 2, 2), np.float32), path, affine=np.eye(4))
    before = path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        save_volume(np.ones((2, 2, 2), np.float32), path, affine=np.eye(4))
    assert path.read_bytes() == before
    save_volume(np.ones((2, 2, 2), np.float32), path, affine=np.eye(4), overwrite=True)
    assert load_volume(path).array.min() == 1


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def no_room(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_room)
    with pytest.raises(UserError, match="disk is full"):
        save_volume(np.zeros((2, 2, 2), np.float32), tmp_path / "map.nii", affine=np.eye(4))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [10, 200, 352, 500])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_truncated_file_is_named_with_its_remedy(tmp_path, suffix, keep):
    path = tmp_path / f"cut{suffix}"
    voxels = np.random.default_rng(0).integers(0, 1000, (8, 8, 8)).astype(np.int16)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=rf"cut{suffix}.*cut short.*download it again"):
        load_volume(path)


@pytest.mark.parametrize(
    ("shape", "four_d", "words"),
    [((4, 4, 4, 3), False, "4-D"), ((4, 4), False, "3 dimensions"), ((4, 4, 4), True, "4 dimensions")],
)
def test_other_dimensions_are_refused(tmp_path, shape, four_d, words):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4)), tmp_path / "odd.nii")
    with pytest.raises(UserError, match=f"odd.nii.*{words}"):
        load_volume(tmp_path / "odd.nii", four_d=four_d)


def test_a_fourth_axis_of_one_is_no_fourth_axis(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5, 1), np.float32), np.eye(4)), tmp_path / "one.nii")
    volume = load_volume(tmp_path / "one.nii", dtype=None)
    assert volume.array.shape == (5, 4, 3)
    save_volume(volume.array, tmp_path / "again.nii", grid=volume.grid)
    assert (tmp_path / "again.nii").read_bytes() == (tmp_path / "one.nii").read_bytes()


@pytest.mark.parametrize("name", ["absent.nii", "notes.nii", "."])
def test_what_is_no_volume_gets_one_line(tmp_path, name):
    (tmp_path / "notes.nii").write_text("not an image")
    with pytest.raises(UserError) as caught:
        load_volume(tmp_path / name)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_an_affine_without_an_inverse_is_refused(tmp_path):
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.float32), np.eye(4))
    image.set_sform(np.diag([1.0, 0, 1, 1]), code=1)
    image.header["qform_code"] = 0
    nib.save(image, tmp_path / "flat.nii")
    with pytest.raises(UserError, match="flat.nii.*left and right"):
        load_volume(tmp_path / "flat.nii")


@pytest.mark.parametrize(("path", "words"), [("map.txt", "must end in"), ("absent/map.nii", "no folder")])
def test_a_wrong_target_is_refused(tmp_path, path, words):
    with pytest.raises(UserError, match=words):
        save_volume(np.zeros((2, 2, 2)), tmp_path / path, affine=np.eye(4))


@pytest.mark.parametrize("dtype", [np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), np.complex64])
def test_colours_and_complex_numbers_are_refused_by_name(tmp_path, dtype):
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), dtype), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(UserError, match="a.nii holds colours or complex numbers"):
        load_volume(tmp_path / "a.nii")


@pytest.mark.parametrize(("value", "dtype"), [(300.0, np.uint8), (-1, np.uint8), (np.nan, np.int16),
                                              (5_000_000_000, None), (2**63, np.uint64)])
def test_values_are_never_wrapped_around_to_fit_a_data_type(tmp_path, value, dtype):
    array = np.full((3, 4, 5), value)
    with pytest.raises(UserError, match="a.nii.* do not fit"):
        save_volume(array, tmp_path / "a.nii", affine=np.eye(4), dtype=dtype)
    assert list(tmp_path.iterdir()) == []


def test_an_array_of_another_shape_does_not_fit_the_grid(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / "a.nii")
    grid = load_volume(tmp_path / "a.nii").grid
    with pytest.raises(UserError, match="shape"):
        save_volume(np.zeros((3, 4, 5)), tmp_path / "b.nii", grid=grid)


def test_real_volumes_come_back_byte_equal(real_data, tmp_path):
    files = [
        *sorted(real_data.glob("brats_layout/LGG/*/*_seg.nii.gz")),
        *sorted(real_data.glob("open_ms_data/cross_sectional/MNI/patient07/GOLD*.nii.gz")),
        *sorted(real_data.glob("deepmedic_brats2015/*/brainmask.nii.gz"))[:1],
    ]  # has a slope
    assert files
    for number, path in enumerate(files):
        volume = load_volume(path, dtype=None)
        again = save_volume(volume.array, tmp_path / f"{number}.nii", grid=volume.grid)
        assert content(again) == content(path), path
