"""Claims about planes: what lies where, at which size, under which overlay."""

from __future__ import annotations

import numpy as np
import pytest

from medattn_lite import plots
from medattn_lite.plots.layer_names import short_names
from medattn_lite.plots.overlays import make_overlay
from medattn_lite.plots.panels import AXIAL, CORONAL, PLANES, SAGITTAL, default_window, take_slice, voxel_spacing

SHAPE = (10, 14, 12)


def bright_voxel(d, h, w):
    volume = np.zeros(SHAPE, np.float32)
    volume[d, h, w] = 1.0
    return volume


def millimetres(axes, image):
    """Where the brightest pixel of an image lies in its axes, as a share of the frame from left and bottom."""
    row, column = np.unravel_index(int(np.argmax(image.get_array())), image.get_array().shape)
    left, right, bottom, top = image.get_extent()
    x = left + (column + 0.5) / image.get_array().shape[1] * (right - left)
    y = bottom + (row + 0.5) / image.get_array().shape[0] * (top - bottom)
    low_x, high_x = axes.get_xlim()
    low_y, high_y = axes.get_ylim()
    return (x - low_x) / (high_x - low_x), (y - low_y) / (high_y - low_y)


@pytest.mark.parametrize(
    ("voxel", "sides"),
    [
        ((9, 7, 6), ("middle", "top", "top")),  # superior
        ((5, 13, 6), ("top", "middle", "right")),  # anterior
        ((5, 7, 0), ("left", "left", "middle")),  # the person's left
    ],
)
def test_a_voxel_lies_on_the_side_that_the_letters_say(voxel, sides):
    figure = plots.three_planes(bright_voxel(*voxel), position=voxel, window=(0, 1))
    for axes, side in zip(figure.axes, sides, strict=False):
        x, y = millimetres(axes, axes.get_images()[0])
        on_side = {"left": x < 0.2, "right": x > 0.8, "top": y > 0.7, "middle": 0.35 < x < 0.65 and 0.35 < y < 0.65}
        assert on_side[side], (axes.get_title(loc="left"), side, x, y)


def test_letters_stand_at_their_edges():
    figure = plots.three_planes(bright_voxel(5, 7, 6))
    for axes, plane in zip(figure.axes, PLANES, strict=False):
        left, right, bottom, top = plane.orientation_labels
        places = {text.get_text(): text.get_position() for text in axes.texts}
        assert places[left][0] < 0.1 < 0.9 < places[right][0]
        assert places[bottom][1] < 0.1 < 0.9 < places[top][1]
    assert [plane.orientation_labels for plane in (AXIAL, CORONAL, SAGITTAL)] == [
        ("L", "R", "P", "A"), ("L", "R", "I", "S"), ("P", "A", "I", "S"),
    ]  # fmt: skip


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 1.0, 0.5), (0.7, 2.0, 3.0)])
def test_a_millimetre_is_as_long_in_every_direction_and_every_plane(spacing):
    figure = plots.three_planes(bright_voxel(5, 7, 6), spacing=spacing)
    pixels = []
    for axes, plane in zip(figure.axes, PLANES, strict=False):
        left, right, bottom, top = axes.get_images()[0].get_extent()
        assert right - left == pytest.approx(SHAPE[plane.columns] * spacing[plane.columns])
        assert top - bottom == pytest.approx(SHAPE[plane.rows] * spacing[plane.rows])
        box = axes.get_window_extent()
        pixels += [box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim())]
    assert np.ptp(pixels) < 1e-6 * max(pixels)


def test_the_affine_gives_voxel_size_and_millimetres():
    turned = np.array([[0, 0, -0.8, 10], [0, 1.2, 0, -60], [3.0, 0, 0, -20], [0, 0, 0, 1]])
    assert voxel_spacing(turned) == pytest.approx((3.0, 1.2, 0.8))
    alt = plots.alt_text(plots.three_planes(bright_voxel(5, 7, 6), position=(4, 5, 10), affine=turned))
    assert "x +2, y -54, z -8 mm" in alt


def test_planes_show_the_slices_of_the_position():
    volume = np.random.default_rng(0).random(SHAPE)
    figure = plots.three_planes(volume, position=(2, 3, 4))
    expected = (volume[2], volume[:, 3], volume[:, :, 4])
    for axes, plane, slice_ in zip(figure.axes, PLANES, expected, strict=False):
        assert np.array_equal(axes.get_images()[0].get_array(), slice_)
        assert np.array_equal(take_slice(volume, plane, (2, 3, 4)[plane.across]), slice_)


def test_the_crosshair_meets_at_the_voxel_and_leaves_it_free():
    figure = plots.three_planes(bright_voxel(2, 3, 4), position=(2, 3, 4), spacing=(4, 1, 1))
    coronal = figure.axes[1]
    points = np.concatenate([line.get_xydata() for line in coronal.get_lines()])
    across, along = points[points[:, 1] == 8.0], points[points[:, 0] == 4.0]  # z = 2 · 4 mm, x = 4 · 1 mm
    assert len(across) == len(along) == 4
    assert np.min(np.abs(across[:, 0] - 4.0)) > 0.2
    assert plots.three_planes(bright_voxel(2, 3, 4), crosshair=False).axes[0].get_lines()[:] == []


@pytest.mark.parametrize("position", [(10, 0, 0), (0, -1, 0), (1, 2)])
def test_a_position_outside_the_volume_is_refused(position):
    with pytest.raises(ValueError, match="outside the volume of shape"):
        plots.three_planes(np.zeros(SHAPE), position=position)


def test_an_overlay_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="resample the overlay"):
        plots.three_planes(np.zeros(SHAPE), overlay=np.zeros((3, 3, 3)))


def test_a_map_is_as_opaque_as_it_is_large():
    values = np.linspace(0, 4, 5).reshape(1, 5)
    overlay = make_overlay(values, (1, 5), opacity=0.8)
    assert overlay.colours(values)[0, :, 3] == pytest.approx(0.8 * np.array([0, 0.25, 0.5, 0.75, 1]))


def test_a_signed_map_shows_strong_values_of_both_signs():
    values = np.array([[-2.0, -1.0, 0.0, 1.0]])
    opacity = make_overlay(values, (1, 4), opacity=1.0).colours(values)[0, :, 3]
    assert opacity == pytest.approx([1.0, 0.5, 0.0, 0.5])


def test_missing_values_of_a_map_are_transparent():
    values = np.array([[np.nan, 1.0]])
    assert make_overlay(values, (1, 2), opacity=1.0).colours(values)[0, :, 3] == pytest.approx([0.0, 1.0])


def test_a_mask_is_drawn_in_class_colours_and_background_is_clear():
    mask = np.array([[0, 1, 2, 4]], np.uint8)
    overlay = make_overlay(mask, (1, 4), opacity=0.4)
    colours = overlay.colours(mask)
    assert colours[0, :, 3] == pytest.approx([0, 0.4, 0.4, 0.4])
    assert len({tuple(rgb) for rgb in colours[0, 1:, :3]}) == 3
    assert overlay.unique_names() == {1: "core, not enhancing", 2: "oedema", 4: "enhancing tumour"}


def test_a_mask_with_one_label_is_a_lesion_and_given_names_win():
    mask = np.array([[0, 1]], np.uint8)
    assert make_overlay(mask, (1, 2)).names == {1: "lesion"}
    assert make_overlay(mask.astype(np.float32), (1, 2), labels={1: "tumour"}).unique_names() == {1: "tumour"}
    assert make_overlay(mask > 0, (1, 2)).names == {1: "lesion"}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_empty_overlay_is_said_to_be_empty(dtype):
    figure = plots.three_planes(np.zeros(SHAPE), overlay=np.zeros(SHAPE, dtype), overlay_title="Grad-CAM")
    assert "Overlay Grad-CAM, which is zero everywhere" in plots.alt_text(figure)
    assert "Grad-CAM: nothing to show (zero everywhere)" in [text.get_text() for text in figure.axes[-1].texts]


def test_the_window_ignores_air_and_single_bright_voxels():
    image = np.zeros((40, 40, 40), np.float32)
    image[10:30, 10:30, 10:30] = np.random.default_rng(0).uniform(100, 200, (20, 20, 20))
    image[20, 20, 20] = 9000
    low, high = default_window(image)
    assert 95 < low < 105 and 195 < high < 205
    assert default_window(np.full((3, 3), 7.0)) == (7.0, 8.0)
    assert default_window(np.full((3, 3), np.nan)) == (0.0, 1.0)


def test_a_montage_takes_slices_that_hold_something():
    volume = np.zeros((40, 8, 8), np.float32)
    volume[10:30, 2:6, 2:6] = np.random.default_rng(0).random((20, 4, 4))
    titles = [axes.get_title(loc="left") for axes in plots.slice_montage(volume, slices=5).axes]
    assert len(titles) == 5 and all(10 <= int(title) < 30 for title in titles)


def test_contrasts_go_to_the_slice_where_the_mask_is_largest():
    mask = np.zeros((1, *SHAPE), np.uint8)
    mask[0, 3, 2:4, 2:4], mask[0, 7, 2:9, 2:9] = 1, 1
    figure = plots.contrasts_row(np.zeros((2, *SHAPE)), names=["t1", "t2"], overlay=mask)
    assert "axial slice 7" in plots.alt_text(figure)


@pytest.mark.parametrize("size", [(4, 4), (16, 15), (2, 16, 16)])
def test_plots_bring_no_map_to_another_grid(size):
    """One upsampler alone knows where a layer looks: `medattn_lite.explain.to_image_grid`."""
    with pytest.raises(ValueError, match="to_image_grid"):
        plots.spatial_map_overlay(np.zeros((16, 16)), np.ones(size))


def test_a_flat_spatial_map_is_called_flat():
    figure = plots.spatial_map_overlay(np.random.default_rng(0).random((16, 16)), np.full((16, 16), 0.5))
    assert "nearly flat" in plots.alt_text(figure)


def test_layer_names_lose_what_they_share():
    names = ["layer1.0.cbam.channel", "layer1.1.cbam.channel", "layer2.0.cbam.channel"]
    assert list(short_names(names).values()) == ["layer1.0", "layer1.1", "layer2.0"]
    assert list(short_names(["gate"]).values()) == ["gate"]
    assert list(short_names(["0.gate", "1.gate"]).values()) == ["0.gate", "1.gate"]


@pytest.mark.parametrize("highest", [12_345.0, 999.7, 0.00002])
def test_grey_key_writes_large_and_small_intensities_in_full(highest: float):
    figure = plots.three_planes(np.linspace(0.0, highest, 8**3).reshape(8, 8, 8), window=(0.0, highest))
    key = next(axes for axes in figure.axes if axes.get_title(loc="left") == "window")
    labels = [label.get_text() for label in key.get_xticklabels()]
    assert all("e" not in text for text in labels) and float(labels[-1]) == pytest.approx(highest, rel=0.01), labels
