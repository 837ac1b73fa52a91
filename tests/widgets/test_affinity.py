"""Claims about the affinity explorer: it shows what `explain` computes, step by step and composed, in every state."""

from __future__ import annotations

import itertools

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain import looks_at, read_affinities, received_attention, whereabouts
from medattn_lite.networks.rsanet import RSANet
from medattn_lite.widgets import affinity_explorer
from tests.widgets.conftest import make_affinity_explorer, make_model, make_segmenter


def in_words(places_read) -> str:
    places = ", ".join(
        f"{plane} {i}" for plane, i in zip(("axial", "coronal", "sagittal"), places_read.peak, strict=True)
    )
    return f"most at {places}, {places_read.peak_over_uniform:.3g} times an even share; " \
        f"half of it lies in {places_read.half_mass_share:.1%}"


@pytest.mark.parametrize(
    ("steps", "path"),
    [("all paths", None), ("coronal", "coronal"), ("all steps in turn", ("coronal", "sagittal", "axial"))],
)
def test_the_readout_says_what_looks_at_computes(steps, path):
    explorer = make_affinity_explorer("rsa", "non_local")
    explorer.set(image=1, axial=2, coronal=5, sagittal=9, layer="attention.decoder", steps=steps)
    image = explorer._images[1:2]
    for name, model in explorer._models.items():
        weights = looks_at(model, image, (2, 5, 9), layer="attention.decoder", path=path if name == "RSA" else None)
        assert in_words(whereabouts(weights[0], explorer._masks[1])) in explorer.summary
    assert "This voxel looks: axial 2, coronal 5, sagittal 9." in explorer.summary


def test_the_mean_of_the_masks_voxels_is_received_attention():
    explorer = make_affinity_explorer("rsa")
    explorer.set(image=2, asks="the mask, mean")
    model, image, mask = explorer._models["RSA"], explorer._images[2:3], explorer._masks[2:3]
    layer = explorer.state["layer"]
    assert (
        in_words(whereabouts(received_attention(model, image, voxels=mask, layer=layer)[0], mask[0]))
        in explorer.summary
    )
    explorer.set(asks="all voxels, mean")
    assert in_words(whereabouts(received_attention(model, image, layer=layer)[0], mask[0])) in explorer.summary


def test_one_direction_brings_its_own_matrix_and_its_marked_row_is_the_voxels_slice():
    explorer = make_affinity_explorer("rsa", "non_local")
    explorer.controls["steps"].value = "sagittal"
    assert explorer.state["matrix"] == "sagittal"
    explorer.set(sagittal=7)
    affinities = read_affinities(explorer._models["RSA"], explorer._images[:1])[explorer.state["layer"]]
    row = affinities.on_image_slices()["sagittal"][0, 7]
    assert f"Sagittal slice 7 looks most at {int(row.argmax())} ({float(row.max()):.2f})." in explorer.summary
    assert "10 sagittal slices counted from left to right; slice 7 is marked" in explorer.picture.alt
    explorer.set(matrix="axial")
    assert explorer.state["steps"] == "sagittal" and "8 axial slices" in explorer.picture.alt


@pytest.mark.parametrize("kinds", [("rsa",), ("non_local",), ("rsa", "non_local")])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_every_state_on_a_grid_is_drawn_without_an_error(kinds, spatial_dims):
    explorer = make_affinity_explorer(*kinds, spatial_dims=spatial_dims)
    choices = {name: control.options for name, control in explorer.controls.items() if name in ("steps", "asks")}
    choices["layer"] = [value for _, value in explorer.controls["layer"].options]
    for values in itertools.product(*choices.values()):
        figure, words = explorer.view(explorer.state_with(**dict(zip(choices, values, strict=True))))
        assert len(figure.axes) >= 3 * len(kinds) and words
    first = ("rows", "axial")[spatial_dims - 2]
    for index in (0, explorer.controls[first].max):
        explorer.set(**{first: index})
        assert explorer.error is None and f"{first} {index}" in explorer.summary
    assert ("steps" in explorer.controls) == ("rsa" in kinds)


def test_an_untrained_block_says_that_it_passes_its_input_on():
    net = RSANet(in_channels=2, num_classes=2, widths=(8, 16, 32))
    explorer = affinity_explorer(net, torch.rand(1, 2, 8, 12, 10))
    assert "every β is 0" in explorer.summary and "nothing is looked at" in explorer.picture.alt
    assert explorer.controls["image"].disabled
    explorer.set(steps="axial")
    assert "every β is 0" not in explorer.summary.split("RSANet")[1]


def test_it_starts_in_the_mask_and_leaves_the_network_as_it_was():
    net = make_segmenter("rsa").train()
    images, masks = torch.rand(1, 2, 8, 12, 10), torch.zeros(1, 1, 8, 12, 10)
    masks[0, 0, 1:4, 6:9, 2:5] = 1
    explorer = affinity_explorer(net, images, masks=masks)
    assert [explorer.state[plane] for plane in ("axial", "coronal", "sagittal")] == [2, 7, 3]
    assert net.training and not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: affinity_explorer(make_model("se"), torch.rand(1, 2, 32, 32)), "has no affinity"),
        (lambda: affinity_explorer(make_segmenter("rsa"), torch.rand(2, 8, 8)), "takes a batch"),
        (lambda: affinity_explorer({}, torch.rand(1, 2, 8, 8, 8)), "at least one network"),
        (lambda: affinity_explorer(make_segmenter("rsa"), torch.rand(1, 2, 8, 8, 8), masks=torch.ones(1, 4, 4, 4)),
         "masks have shape"),
        (lambda: affinity_explorer(
            {"a": make_segmenter("rsa"), "b": RSANet(in_channels=2, num_classes=2, widths=(8, 16), positions="010")},
            torch.rand(1, 2, 8, 8, 8)), "no layer in common"),
        (lambda: affinity_explorer(
            RSANet(in_channels=2, num_classes=2, widths=(8, 16), attention="non_local",
                   attention_options={"mode": "dot_product"}), torch.rand(1, 2, 8, 8, 8)), "no softmax"),
    ],
)  # fmt: skip
def test_what_cannot_be_explored_is_refused_in_one_line(make, says):
    with pytest.raises(UserError, match=says):
        make()
