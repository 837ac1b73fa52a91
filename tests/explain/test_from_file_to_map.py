"""BIDS, a DICOM study and MedMNIST's file, each from file to map: the map's peak is the file's brightest voxel.

The network is a plain reader of one channel, so that it is known where its map must be highest; what is tested is all
that lies between: reading, turning into the package's orientation, explaining, turning back, writing.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medattn_lite.cli import main
from medattn_lite.data import SOURCES, open_dataset, save_volume
from medattn_lite.data.fetching.catalogue import Mirror
from medattn_lite.data.fetching.fetch_data_set import fetch_source
from medattn_lite.explain import explain_image
from tests.data import test_bids, test_medmnist
from tests.data.makers import brain, save
from tests.data.server import Site, serve


class OneChannel(nn.Module):
    """Its layer passes on one channel of the image; class 1 is the brighter the image, class 0 the darker."""

    def __init__(self, channels: int, chosen: int) -> None:
        super().__init__()
        self.layer = nn.Conv3d(channels, 1, kernel_size=1, bias=False)
        with torch.no_grad():
            self.layer.weight.zero_()[0, chosen] = 1.0

    def forward(self, image: Tensor) -> Tensor:
        bright = self.layer(image).mean(dim=(1, 2, 3, 4))  # (B,)
        return torch.stack([-bright, bright], dim=1)


def write_map(sample: dict[str, Any], channel: str, path: Path) -> np.ndarray:
    """The file's voxels of a map of a sample, written to `path`."""
    network = OneChannel(len(sample["channels"]), list(sample["channels"]).index(channel))
    explained = explain_image(network, sample["image"][None].float(), method="Grad-CAM", layer="layer",
                              target=lambda output: output[:, 1])  # fmt: skip
    place = {"affine": sample["affine"]} if sample["grid"] is None else {"grid": sample["grid"]}
    save_volume(explained.values[0], path, **place)
    return np.asarray(nib.load(path).dataobj)


def peak(array: np.ndarray) -> tuple[int, ...]:
    return tuple(int(place) for place in np.unravel_index(int(array.argmax()), array.shape))


def test_a_bids_tree(tmp_path: Path) -> None:
    for subject in ("01", "02"):
        test_bids.scan(tmp_path, subject)
    flair = tmp_path / "sub-02" / "anat" / "sub-02_FLAIR.nii.gz"
    flair.unlink()
    values = brain(seed=7)
    values[4, 17, 11] = 10 * values.max()
    save(values, flair)
    dataset = open_dataset("bids", tmp_path)
    sample = next(one for one in dataset if one["subject"] == "sub-02")
    written = write_map(sample, "flair", tmp_path / "map.nii.gz")
    assert peak(written) == peak(values) == (4, 17, 11)
    assert np.allclose(nib.load(tmp_path / "map.nii.gz").affine, nib.load(flair).affine)


def test_a_dicom_study(tmp_path: Path) -> None:
    pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    pytest.importorskip("dicom2nifti", reason="the extra 'dicom' is not installed")
    from tests.data import test_dicom

    values = test_dicom.voxels(1)
    values[3, 8, 4] = 9000
    test_dicom.write(tmp_path / "study" / "a", series=4, description="FLAIR", values=values)
    test_dicom.write(tmp_path / "study" / "b", series=5, description="T1", values=test_dicom.voxels(2))
    assert main(["import", str(tmp_path / "study"), str(tmp_path / "nifti")]) == 0
    [file] = (tmp_path / "nifti").rglob("flair_s004.nii.gz")
    [sample] = open_dataset("nifti", tmp_path / "nifti")
    written = write_map(sample, "flair", tmp_path / "map.nii.gz")
    assert peak(written) == peak(np.asarray(nib.load(file).dataobj))
    map_affine, file_affine = nib.load(tmp_path / "map.nii.gz").affine, nib.load(file).affine
    assert np.allclose(map_affine, file_affine)
    across, along, up = test_dicom.SPACING
    left, back, above = -5.0 + 3 * across, -7.0 + 8 * along, 20.0 + 4 * up  # of DICOM, mm
    assert np.allclose(map_affine @ [*peak(written), 1], [-left, -back, above, 1], atol=1e-3)


@pytest.mark.network
def test_medmnists_file_from_a_server_of_this_computer(tmp_path: Path) -> None:
    with np.load(io.BytesIO(test_medmnist.content())) as arrays:
        kept = dict(arrays)
    first = next(name for name in kept if name.endswith("_images"))
    kept[first][1, 5, 12, 20] = 255  # the one brightest voxel, at a place that no mirror or turn leaves alone
    stream = io.BytesIO()
    np.savez_compressed(stream, **kept)
    body = stream.getvalue()
    with serve(Site(files={"/files/nodulemnist3d.npz?download=1": body})) as site:
        (file,) = SOURCES["medmnist3d"].layouts["nodule"]
        here = replace(file, mirrors=(Mirror("here", site.url("/files/nodulemnist3d.npz?download=1")),),
                       checksum=f"md5:{hashlib.md5(body).hexdigest()}")  # fmt: skip
        local_source = replace(SOURCES["medmnist3d"], layouts={"nodule": (here,)})
        got = fetch_source(local_source, tmp_path, accept_licence=True, progress=False, say=lambda line: None)
    sample = open_dataset("medmnist3d", got.path)[1]
    written = write_map(sample, sample["channels"][0], tmp_path / "map.nii.gz")
    assert peak(sample["image"][0].numpy()) == (5, 12, 20)  # axes as they lie in the file
    place = nib.load(tmp_path / "map.nii.gz").affine @ [*peak(written), 1]
    assert np.allclose(place, np.asarray(sample["affine"]) @ [5, 12, 20, 1], atol=1e-3)
