"""Claims about the split explorer by itself."""

from __future__ import annotations

import pytest

from medattn_lite.errors import UserError
from medattn_lite.explain import read_splits
from medattn_lite.widgets import split_explorer
from tests.widgets.conftest import make_explorer, make_images, make_model

LAYER = "layer3.0.conv2.rsoftmax"


def test_the_readout_says_the_shares_that_are_used():
    explorer = make_explorer("splits")
    explorer.set(image=1, layer=LAYER, channel=5, even=0.5)
    shares = read_splits(make_model("splits"), make_images()[1:2], LAYER, towards_uniform=0.5).shares[LAYER][:, 5]
    assert f"layer3, channel 5: split 1 {shares[0]:.2f} and split 2 {shares[1]:.2f}" in explorer.summary
    assert "moved 50% towards uniform" in explorer.summary and "moved 50% towards uniform" in explorer.picture.alt


def test_with_its_own_shares_the_prediction_before_and_after_is_one():
    explorer = make_explorer("splits")
    names, probabilities = (
        ("healthy", "tumour"),
        read_splits(make_model("splits"), make_images()[:1], LAYER).probabilities,
    )
    best = int(probabilities.argmax())
    assert f"the model says {names[best]} ({probabilities[best]:.3f})." in explorer.summary


def test_a_block_with_fewer_channels_takes_the_channel_along():
    explorer = make_explorer("splits")
    explorer.set(layer="layer4.0.conv2.rsoftmax", channel=63)
    explorer.controls["layer"].value = "layer1.0.conv2.rsoftmax"
    assert explorer.state["channel"] == explorer.controls["channel"].max == 7
    assert explorer.error is None


def test_the_split_explorer_refuses_what_it_cannot_show():
    with pytest.raises(UserError, match="no split attention"):
        split_explorer(make_model("cbam"), make_images())
    with pytest.raises(UserError, match="batch of slices"):
        split_explorer(make_model("splits"), make_images(3))
    with pytest.raises(UserError, match="2 labels for 3 images"):
        split_explorer(make_model("splits"), make_images(), labels=[0, 1])
