"""The viewer page: nothing from outside, the right voxels under the right letters, bad input in one line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from medattn_lite.data.nifti_io.volumes import save_volume
from medattn_lite.errors import UserError
from medattn_lite.widgets import view_volume
from medattn_lite.widgets.volume_page import LARGEST

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
    volume_sample = sample()
    volume_sample["mask"][:] = 0
    volume_sample["mask"][0][index] = 1
    page = view_volume(volume_sample, "mask", channel="flair").html
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
        ({"overlay": np.zeros((16, 24, 20))}, "nothing of"), ({"colour_map": "rainbows"}, "no colour map 'rainbows'"),
        ({"overlay": {"map": np.zeros((16, 24, 20)), "mask": np.zeros((16, 24, 20), dtype=int)}}, "nothing of"),
        ({"overlay": np.full((16, 24, 20), np.nan)}, "NaN"), ({"source": np.full((4, 4, 4), np.inf)}, "mend it first"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(changed, message):
    source = changed.pop("source", sample())
    with pytest.raises(UserError, match=message):
        view_volume(source, **changed)


def test_several_overlays_and_an_empty_one_are_named():
    shown = sample()
    view = view_volume(shown, {"a map": shown["image"][0] * 0.5, "tumour": "mask", "T1 over it": "t1",
                               "nothing": np.zeros((16, 24, 20))}, channel="flair")  # fmt: skip
    assert [(overlay.name, overlay.kind) for overlay in view.layers.overlays] == [
        ("a map", "map"), ("tumour", "mask"), ("t1, over it", "map")]  # fmt: skip
    assert "Over it: a map, tumour, t1" in view.summary and "Nothing to draw in nothing" in view.summary
    assert "extra viewer shows all" in view._frame()


def test_an_explanation_is_shown_under_its_own_name():
    class Found:
        values, method, target = sample()["image"][:1], "Grad-CAM", "high grade"

    view = view_volume(sample(), Found())
    assert view.layers.overlays[0].name == "Grad-CAM of high grade"
    as_tensors = view_volume(torch.as_tensor(sample()["image"]), torch.as_tensor(sample()["mask"]), channel=1)
    assert as_tensors.layers.overlays[0].kind == "mask" and as_tensors.layers.chosen == 1
    assert view_volume(Found()).layers.contrasts[0].name == "Grad-CAM of high grade"


def test_a_small_lesion_outlasts_the_thinning_of_a_large_volume():
    wide = np.zeros((300, 20, 20), dtype=np.float32)
    wide[5:295, 3:17, 3:17] = np.random.default_rng(0).uniform(1, 2, (290, 14, 14))
    lesion = np.zeros(wide.shape, dtype=np.uint8)
    lesion[151, 11, 7] = 1  # between the voxels that are kept
    page = view_volume(wide, lesion).html
    assert len(page) <= LARGEST
    place = np.asarray(json.loads(re.search(r'"affine": (\[\[[-\d., \[\]]+\]\])', page)[1]))
    cut = json.loads(re.search(r'"numSlice": (\{"X"[^}]+\})', page)[1])
    assert np.allclose((place @ [cut["X"], cut["Y"], cut["Z"], 1])[:3], (7, 11, 151), atol=4.5)


def test_a_page_replaces_nothing(tmp_path):
    (tmp_path / "map.html").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        view_volume(sample()).save_as_html(tmp_path / "map.html")
    assert (tmp_path / "map.html").read_text() == "mine"


def test_a_run_that_is_read_later_holds_the_page_and_no_canvas(monkeypatch):
    monkeypatch.setenv("MEDATTN_NO_KERNEL", "1")
    shown = view_volume(sample(), "mask")._repr_mimebundle_()
    assert set(shown) == {"text/html", "text/plain"} and "<script" not in shown["text/html"]
    assert shown["text/html"].startswith('<iframe title="t1') or 'title="' in shown["text/html"]


def test_without_niivue_the_widget_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "text/html" in view_volume(sample())._repr_mimebundle_()
    with pytest.raises(UserError, match=r"medattn-lite\[viewer\]"):
        _ = view_volume(sample()).widget


class TestCanvas:
    """The live viewer without a browser: what niivue is told."""

    @pytest.fixture
    def canvas(self):
        pytest.importorskip("ipyniivue", reason='no ipyniivue: pip install "medattn-lite[viewer]"')
        shown = sample()
        return view_volume(shown, {"a map": shown["image"][0] * 0.5, "tumour": "mask"}, channel="flair").widget

    def test_niivue_gets_every_layer_on_the_samples_grid(self, canvas):
        import gzip

        import nibabel as nib

        files = [nib.Nifti1Image.from_bytes(gzip.decompress(file.data)) for file in canvas.canvas.volumes]
        assert [file.shape for file in files] == [(20, 24, 16)] * 3
        assert np.allclose(files[0].get_fdata().transpose(2, 1, 0), sample()["image"][1], atol=1e-6)
        assert np.allclose(files[2].affine @ [14, 10, 8, 1], AFFINE @ [8, 10, 14, 1])
        assert files[2].get_fdata()[14, 10, 8] == 1

    def test_the_sliders_move_the_cross_and_the_cross_moves_the_sliders(self, canvas):
        canvas.controls["axial"].value = 3
        assert canvas.canvas.scene.crosshair_pos[2] == pytest.approx(3.5 / 16)
        assert "axial 3," in canvas.readout.value
        canvas._clicked({"vox": [14, 10, 8]})
        assert canvas.position == (8, 10, 14) and "tumour: lesion" in canvas.readout.value
        assert canvas.canvas.scene.crosshair_pos[2] == pytest.approx(3.5 / 16)  # niivue knows it already

    def test_each_overlay_keeps_its_own_opacity_and_colours(self, canvas):
        canvas.controls["opacity"].value = 0.25
        canvas.controls["colours"].value = "inferno"
        canvas.controls["overlay"].value = "tumour"
        assert canvas.controls["opacity"].value == 0.6 and canvas.controls["colours"].disabled
        canvas.controls["opacity"].value = 0.9
        canvas.controls["overlay"].value = "a map"
        assert (canvas.controls["opacity"].value, canvas.controls["colours"].value) == (0.25, "inferno")
        assert [layer.opacity for layer in canvas.canvas.volumes] == [1.0, 0.25, 0.9]
        assert canvas.canvas.volumes[1].colormap == "inferno"

    def test_another_contrast_brings_its_own_window(self, canvas):
        before = canvas.controls["window"].value
        canvas.controls["contrast"].value = 0
        assert canvas.canvas.volumes[0].name == "t1.nii.gz" and canvas.controls["window"].value != before
        canvas.controls["window"].value = (0.2, 0.7)
        assert canvas.canvas.volumes[0].cal_max == pytest.approx(0.7, abs=0.03)
