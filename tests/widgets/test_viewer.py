"""The viewer page: nothing from outside, the right voxels under the right letters, bad input in one line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from medattn_lite.data.nifti_io.volumes import save_volume
from medattn_lite.errors import UserError
from medattn_lite.widgets import view_volume

AFFINE = np.array([[0.0, 0, 2, -20], [0, 2, 0, -30], [2, 0, 0, -10], [0, 0, 0, 1]])  # (D, H, W) to x, y, z


def sample() -> dict:
    image = np.zeros((2, 16, 24, 20), dtype=np.float32)
    image[:, 3:13, 4:20, 4:16] = 1.0
    image[1] *= np.linspace(1, 2, 20, dtype=np.float32)  # brighter to the right
    mask = np.zeros((1, 16, 24, 20), dtype=np.uint8)
    mask[0, 8, 10, 14] = 1
    return {"image": image, "mask": mask, "affine": AFFINE, "channels": ("t1", "flair")}


def test_the_page_asks_nobody_and_can_be_saved(tmp_path):
    view = view_volume(sample(), "mask", channel="flair", title="a test")
    view.save_as_html(tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "a test" in page and len(page) > 50_000
    assert re.findall(r'(?:src|href)=["\']https?://', page) == []


@pytest.mark.parametrize("index", [(8, 10, 14), (5, 16, 6)])
def test_the_page_opens_at_the_overlay(index):
    """The one voxel of the mask decides, through its affine, where the three planes cut; nilearn rounds to a voxel."""
    given = sample()
    given["mask"][:] = 0
    given["mask"][0][index] = 1
    page = view_volume(given, "mask", channel="flair").html
    shown = json.loads(re.search(r'"affine": (\[\[[-\d., \[\]]+\]\])', page)[1])
    cut = json.loads(re.search(r'"numSlice": (\{"X"[^}]+\})', page)[1])
    place = np.asarray(shown) @ [cut["X"], cut["Y"], cut["Z"], 1.0]
    assert np.allclose(place[:3], (AFFINE @ [*index, 1.0])[:3], atol=2.0), (place, AFFINE @ [*index, 1.0])


def test_a_file_and_an_array_are_shown_too(tmp_path):
    volume = sample()["image"][1]
    save_volume(volume, tmp_path / "flair.nii.gz", affine=AFFINE)
    save_volume(sample()["mask"][0], tmp_path / "map.nii.gz", affine=AFFINE)
    assert len(view_volume(tmp_path / "flair.nii.gz", tmp_path / "map.nii.gz").html) > 10_000
    assert len(view_volume(volume).html) > 10_000


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"source": np.zeros((8, 8))}, r"shows volumes \(D, H, W\)"), ({"channel": "t2"}, "no channel 't2'"),
        ({"channel": 5}, "no channel 5"), ({"opacity": 2.0}, "opacity is 2.0"),
        ({"overlay": np.ones((3, 3, 3))}, "bring them to one grid"),
        ({"overlay": np.zeros((16, 24, 20))}, "nothing of"),
        ({"overlay": np.full((16, 24, 20), np.nan)}, "NaN"), ({"source": np.full((4, 4, 4), np.inf)}, "mend it first"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(changed, message):
    source = changed.pop("source", sample())
    with pytest.raises(UserError, match=message):
        view_volume(source, **changed)
