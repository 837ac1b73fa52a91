"""Series of one examination on one grid: a point stays at its millimetres, masks keep labels, nothing is replaced."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medattn_lite.data import open_dataset
from medattn_lite.data.checking.check_folder import check_dataset
from medattn_lite.data.nifti_io.one_grid import onto_one_grid
from medattn_lite.errors import UserError


def series(path: Path, shape: tuple[int, ...], sizes: tuple[float, ...], *, label: bool = False) -> Path:
    """A ball of 9 mm at (5, -4, 6) mm, on a grid around the middle."""
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -np.array(sizes) * (np.array(shape) - 1) / 2
    places = np.indices(shape).reshape(3, -1).T @ affine[:3, :3] + affine[:3, 3]
    distance = np.linalg.norm(places - [5, -4, 6], axis=1).reshape(shape)
    values = (distance < 9) * 3 if label else np.exp(-((distance / 9) ** 2)) * 100 + 1
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype(np.uint8 if label else np.float32), affine), path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    raw = tmp_path / "raw" / "p1"
    return {"flair": series(raw / "flair.nii.gz", (50, 60, 20), (1.0, 1.0, 3.0)),
            "t1": series(raw / "t1.nii.gz", (40, 40, 50), (1.5, 1.5, 1.2)),
            "mask": series(raw / "mask.nii.gz", (40, 40, 50), (1.5, 1.5, 1.2), label=True)}  # fmt: skip


def centre(image: nib.Nifti1Image) -> np.ndarray:
    weights = np.asarray(image.dataobj, dtype=float)
    weights = np.where(weights > 20, weights, 0) if weights.max() > 10 else weights
    return image.affine[:3, :3] @ [np.average(axis, weights=weights) for axis in np.indices(weights.shape)] \
        + image.affine[:3, 3]


def test_what_no_data_set_took_is_read_afterwards(files, tmp_path):
    raw = tmp_path / "raw"
    assert "to one grid first" in str(check_dataset("nifti", raw, progress=False))
    onto_one_grid(files, "flair", tmp_path / "one" / "p1", labels=["mask"])
    assert "to one grid first" not in str(check_dataset("nifti", tmp_path / "one", progress=False))
    sample = open_dataset("nifti", tmp_path / "one")[0]
    assert sample["image"].shape == (2, 20, 60, 50) and sorted(sample["mask"].unique().tolist()) == [0, 3]


def test_a_point_stays_where_it_was_and_the_reference_is_not_changed(files, tmp_path):
    made = onto_one_grid(files, "flair", tmp_path / "one", labels=["mask"])
    before, after = nib.load(files["flair"]), nib.load(made["flair"])
    assert np.array_equal(np.asarray(before.dataobj), np.asarray(after.dataobj))
    for name in ("t1", "mask"):
        moved = nib.load(made[name])
        assert np.allclose(moved.affine, before.affine) and moved.shape == before.shape
        assert np.allclose(centre(moved), [5, -4, 6], atol=0.6), name
    shifted = np.asarray(nib.load(made["t1"]).dataobj)[::-1]  # a negative control: the mirrored image is elsewhere
    assert not np.allclose(centre(nib.Nifti1Image(shifted, before.affine)), [5, -4, 6], atol=0.6)


@pytest.mark.parametrize("mistake", ["reference", "there", "elsewhere", "4-D", "damaged"])
def test_a_mistake_is_one_line_and_replaces_nothing(files, tmp_path, mistake):
    out, reference, message = tmp_path / "one", "flair", "exists already"
    if mistake == "reference":
        reference, message = "t2", "no series 't2': there are flair, t1, mask"
    if mistake == "there":
        out.mkdir()
        (out / "t1.nii.gz").write_bytes(b"mine")
    if mistake == "elsewhere":
        image = nib.load(files["t1"])
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), np.diag([1.5, 1.5, 1.2, 1.0])), files["t1"])
        message = "% of .*flair.nii.gz: they are not of one place"
    if mistake == "4-D":
        nib.save(nib.Nifti1Image(np.ones((4, 4, 4, 2), np.float32), np.eye(4)), files["t1"])
        message = "where a 3-D volume is expected"
    if mistake == "damaged":
        files["t1"].write_bytes(files["t1"].read_bytes()[:300])
        message = "cannot read"
    with pytest.raises(UserError, match=message):
        onto_one_grid(files, reference, out, labels=["mask"])
    assert mistake != "there" or (out / "t1.nii.gz").read_bytes() == b"mine" and len(list(out.iterdir())) == 1
