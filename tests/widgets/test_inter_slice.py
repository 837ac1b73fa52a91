"""Claims about the inter-slice explorer by itself."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain import read_inter_slice
from medattn_lite.widgets import inter_slice_explorer
from tests.widgets.conftest import make_explorer, make_grader, make_images, make_model, make_volumes

LAYER = "layer2.0.iam.channel"


def test_it_starts_in_the_slice_with_most_of_the_tumour():
    assert make_explorer("inter-slice").state["slice"] == 5


def test_the_readout_says_the_gates_that_are_used():
    explorer = make_explorer("inter-slice")
    explorer.set(image=2, layer=LAYER, towards_mean=0.5, closed=1)
    reading = read_inter_slice(make_grader(), make_volumes()[0][2:3], LAYER, towards_mean=0.5, closed=1)
    first, second = reading.gates[LAYER].mean(0).tolist()
    assert second == 0.0 and f"layer2: mean gates of its 2 slices {first:.2f}, 0.00." in explorer.summary
    assert (
        "50% towards their mean over the slices" in explorer.summary
        and "slice 1 of this block closed" in explorer.summary
    )
    assert "50% towards the mean, slice 1 closed" in explorer.picture.alt


def test_another_block_has_its_own_slices_and_none_is_closed():
    explorer = make_explorer("inter-slice")
    explorer.set(closed=3)
    explorer.controls["layer"].value = LAYER
    assert explorer.state["closed"] == "none" and explorer.controls["closed"].options == ("none", 0, 1)
    assert explorer.error is None


def test_the_inter_slice_explorer_refuses_what_it_cannot_show():
    volumes, masks = make_volumes()
    with pytest.raises(UserError, match="no inter-slice attention"):
        inter_slice_explorer(make_model("cbam", 3), torch.rand(2, 2, 32, 32, 32))
    with pytest.raises(UserError, match="batch of volumes"):
        inter_slice_explorer(make_grader(), make_images())
    with pytest.raises(UserError, match="2 labels for 3 images"):
        inter_slice_explorer(make_grader(), volumes, [0, 1])
    with pytest.raises(UserError, match="do not fit"):
        inter_slice_explorer(make_grader(), volumes, masks=masks[:, :8])
