"""Claims about each of the three explorers by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.attention import attend
from medattn_lite.errors import UserError
from medattn_lite.explain import channel_gates, ranked_channels, spatial_gates, switched_off
from medattn_lite.plots.gate_view import gate_view
from medattn_lite.training import predict_probabilities
from medattn_lite.widgets import attention_playground, gate_explorer, slice_explorer
from tests.widgets.conftest import make_explorer, make_images, make_model, make_sample


@pytest.mark.parametrize(("label", "score"), [("dot", "dot"), ("scaled dot", "scaled")])
def test_the_playground_says_what_attend_computes(label, score):
    vectors = [(1.0, 1.0), (-1.0, 0.5), (0.0, -1.5)]
    playground = attention_playground(query=(0.5, -1.0), keys=vectors, score=label, temperature=0.5)
    keys = torch.tensor(vectors)
    scores, weights, context = attend(torch.tensor([0.5, -1.0]), keys, keys, score=score, temperature=0.5)
    for number in range(1, len(vectors) + 1):
        words = f"key {number}: {scores[number - 1]:z.2f} → {weights[number - 1]:.2f}"
        assert words in playground.summary
    assert f"Context ({context[0]:z.2f}, {context[1]:z.2f})" in playground.summary


def test_a_cold_playground_takes_the_best_key_alone_and_a_hot_one_takes_the_mean():
    playground = attention_playground()
    playground.set(temperature=0.1)
    assert "with weight 1.00" in playground.summary
    playground.set(temperature=10.0, query_x=0.1, query_y=0.0)
    assert "with weight 0.25" in playground.summary


def test_additive_score_is_the_sum_of_hyperbolic_tangents():
    playground = attention_playground(query=(1.0, 0.0), keys=[(1, 0), (-1, 0)], score="additive")
    expected = np.tanh(2.0) + np.tanh(0.0)
    assert f"key 1: {expected:.2f} →" in playground.summary
    assert "key 2: 0.00 →" in playground.summary


def test_only_the_keys_that_take_part_have_sliders():
    playground = attention_playground()
    for count in (2, 5, 3):
        playground.set(keys=count)
        shown = [i for i in range(1, 6) if playground.controls[f"key_{i}_x"].layout.display != "none"]
        assert shown == list(range(1, count + 1))


@pytest.mark.parametrize(
    "wrong",
    [{"keys": [(1, 1)]}, {"keys": [(1, 1)] * 6}, {"query": (1, 2, 3)}, {"query": (5, 0)}, {"score": "cosine"},
     {"temperature": 0.0}],
)  # fmt: skip
def test_the_playground_refuses_what_its_sliders_cannot_show(wrong):
    with pytest.raises(UserError):
        attention_playground(**wrong)


def test_the_slice_explorer_starts_in_the_lesion_on_the_first_overlay():
    explorer = slice_explorer(make_sample())
    state = explorer.state
    assert state["channel"] == "t1ce" and state["overlay"] == "mask"
    assert make_sample()["mask"][0, state["axial"], state["coronal"], state["sagittal"]] > 0
    assert "at the cross: enhancing tumour" in explorer.summary


def test_the_cross_reads_intensity_and_place():
    sample = make_sample()
    explorer = slice_explorer(sample)
    explorer.set(axial=2, coronal=3, sagittal=4)
    assert f"Intensity at the cross {sample['image'][0, 2, 3, 4]:.2f}" in explorer.summary
    assert "(x -14, y -28, z -10 mm)" in explorer.summary
    assert "axial slice 2 of 12" in explorer.picture.alt


def test_each_channel_has_a_window_of_its_own():
    explorer = slice_explorer(make_sample())
    assert explorer.controls["window"].max <= 3
    explorer.set(channel="flair")
    low, high = explorer.state["window"]
    assert explorer.controls["window"].max > 45 and high > 45 and low >= explorer.controls["window"].min
    explorer.set(channel="t1ce", window=(0.25, 0.5))
    assert explorer.state["window"] == (0.25, 0.5) and "window 0.25 to 0.50" in explorer.summary


def test_without_an_overlay_opacity_rests():
    sample = {key: value for key, value in make_sample().items() if key not in ("mask", "signal")}
    explorer = slice_explorer(sample)
    assert explorer.state["overlay"] == "none" and explorer.controls["opacity"].disabled
    assert slice_explorer(make_sample()).controls["opacity"].disabled is False


def test_overlays_of_the_readers_own_come_first_and_keep_their_numbers():
    values = np.zeros((12, 16, 14))
    values[6, 8, 7] = 0.25
    explorer = slice_explorer(make_sample(), overlays={"Grad-CAM": values})
    assert explorer.state["overlay"] == "Grad-CAM"
    explorer.set(axial=6, coronal=8, sagittal=7)
    assert "at the cross: 0.25" in explorer.summary
    assert list(explorer.controls["overlay"].options) == ["Grad-CAM", "mask", "signal", "none"]


def test_the_slice_explorer_does_not_change_the_sample():
    sample = make_sample()
    before = {name: np.array(sample[name], copy=True) for name in ("image", "mask", "signal", "affine")}
    slice_explorer(sample).set(axial=1)
    assert all(np.array_equal(np.asarray(sample[name]), values) for name, values in before.items())


def test_a_flat_sample_and_a_misfitting_overlay_are_refused():
    with pytest.raises(UserError, match=r"shows volumes \(C, D, H, W\)"):
        slice_explorer({"image": torch.zeros(1, 8, 8)})
    with pytest.raises(UserError, match="overlay 'cam' has shape"):
        slice_explorer(make_sample(), overlays={"cam": np.zeros((3, 3, 3))})


def test_a_constant_volume_can_be_explored():
    explorer = slice_explorer({"image": torch.zeros(1, 6, 6, 6)})
    explorer.set(axial=1)
    assert explorer.error is None and explorer.state["channel"] == "channel 0"


@pytest.mark.parametrize("kind", ["se", "cbam"])
def test_the_gate_explorer_shows_the_prediction_of_switched_off(kind):
    model, images = make_model(kind), make_images()
    explorer = gate_explorer(model, images, labels=[0, 1, 1], names=["healthy", "tumour"])
    gates = channel_gates(model, images)
    layer = list(gates)[1]
    explorer.set(image=2, layer=layer, most_open=3, most_closed=1, channel=5)
    order = ranked_channels(gates[layer][2])
    off = sorted({*order[:3], order[-1], 5})
    with switched_off(model, layer, off):
        after = predict_probabilities(model, images[2:])[0]
    before = predict_probabilities(model, images)[2]
    best = int(before.argmax())
    assert f"With {len(off)} switched off in layer2" in explorer.summary
    assert f"went from {before[best]:.3f} to {after[best]:.3f}" in explorer.summary
    name = ["healthy", "tumour"][best]
    assert f"Image 2 (channel 0): tumour. The model says {name} ({before[best]:.3f})" in explorer.summary


def test_a_channel_that_is_off_already_is_said():
    explorer = gate_explorer(make_model("se"), make_images())
    explorer.set(most_open=3)
    first = ranked_channels(channel_gates(explorer._model, explorer._images[:1])[explorer.state["layer"]][0])[0]
    before = explorer.picture.value, explorer.picture.alt
    explorer.set(channel=int(first))
    assert f"Channel {first} was off already." in explorer.summary
    assert explorer.picture.value != before[0] and explorer.picture.alt != before[1]


def test_the_model_is_as_it_was_after_exploring():
    model = make_model("cbam").train()
    state = {name: values.clone() for name, values in model.state_dict().items()}
    explorer = gate_explorer(model, make_images())
    explorer.set(most_open=4)
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(values, state[name]) for name, values in model.state_dict().items())


def test_another_layer_opens_all_gates_and_offers_its_own_channels():
    explorer = make_explorer("se")
    layers = [layer for _, layer in explorer.controls["layer"].options]
    explorer.set(most_open=5, channel=3)
    explorer.controls["layer"].value = layers[0]
    assert explorer.state["most_open"] == 0 and explorer.state["channel"] == "none"
    assert explorer.controls["most_open"].max == 64
    assert explorer.controls["channel"].options[-1] == 63


def test_all_gates_of_a_layer_can_be_switched_off():
    explorer = make_explorer("cbam")
    explorer.set(most_open=explorer.controls["most_open"].max)
    assert "With 256 switched off" in explorer.summary


def test_spatial_controls_are_there_only_for_models_with_spatial_maps():
    assert {"spatial", "opacity"} <= set(make_explorer("cbam").controls)
    assert not {"spatial", "opacity"} & set(make_explorer("se").controls)


def test_a_spatial_map_lies_where_its_layer_looks():
    model, images = make_model("cbam"), make_images()
    layer = gate_explorer(model, images).state["spatial"]
    coarse = spatial_gates(model, images[:1])[layer][0]  # (8, 8): every fourth pixel, from the first on
    on_image = gate_explorer(model, images)._readings(0)[1][layer]  # (32, 32)
    torch.testing.assert_close(on_image[::4, ::4], coarse)


def test_volumes_are_explored_slice_by_slice():
    explorer = gate_explorer(make_model("cbam", 3), make_images(3))
    assert explorer.controls["slice"].max == 31
    before = bytes(explorer.picture.value)
    explorer.set(slice=3)
    assert "Axial slice 3" in explorer.summary and bytes(explorer.picture.value) != before


def test_the_spatial_map_and_the_picture_are_of_the_slice_that_is_chosen(monkeypatch):
    model, images = make_model("cbam", 3), make_images(3)
    drawn = []

    def noting(picture, **options):
        drawn.append((picture, options["spatial"]))
        return gate_view(picture, **options)

    monkeypatch.setattr("medattn_lite.widgets.gates.gate_view", noting)
    explorer = gate_explorer(model, images)
    layer = explorer.state["spatial"]
    coarse = spatial_gates(model, images[1:2])[layer][0]  # (D, H, W): every fourth voxel, from the first on
    assert len(coarse) > 2 and (coarse[1:] - coarse[:1]).abs().amax(dim=(1, 2)).min() > 1e-4, "all slices alike"
    for level in range(0, 32, 4):
        explorer.set(image=1, slice=level, background=1)
        assert explorer.error is None
        picture, map_ = drawn[-1]
        assert torch.equal(picture, images[1, 1, level])
        torch.testing.assert_close(map_[::4, ::4], coarse[level // 4])
        low, high = float(map_.min()), float(map_.max())
        assert f"Axial slice {level}." in explorer.summary and f"from {low:.2f} to {high:.2f}" in explorer.summary


def test_one_image_is_enough():
    explorer = gate_explorer(make_model("se"), make_images()[:1])
    assert explorer.controls["image"].disabled
    explorer.set(most_open=2)
    assert explorer.error is None


def test_wrong_inputs_to_the_gate_explorer_are_refused():
    plain = torch.nn.Sequential(torch.nn.Conv2d(2, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with pytest.raises(UserError, match="no channel gates"):
        gate_explorer(plain, make_images())
    with pytest.raises(UserError, match="takes a batch"):
        gate_explorer(make_model("se"), make_images()[0])
    with pytest.raises(UserError, match="2 labels for 3 images"):
        gate_explorer(make_model("se"), make_images(), labels=[0, 1])
