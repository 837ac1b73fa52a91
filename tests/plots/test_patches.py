"""Claims about the picture of one patch's attention."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from medattn_lite.plots.alt import alt_text
from medattn_lite.plots.patches import patch_weights

SLICE = np.arange(24 * 20, dtype=float).reshape(24, 20)


def frames(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_the_frame_lies_on_the_pixels_of_the_asking_patch():
    axes = patch_weights(SLICE, [(2, 3)], side=4).axes[0]
    for frame in frames(axes):
        assert frame.get_xy() == (3 * 4 - 0.5, 2 * 4 - 0.5)
        assert (frame.get_width(), frame.get_height()) == (4, 4)


def test_each_map_has_its_own_colour_scale_and_lies_on_the_slice():
    weights = np.zeros((6, 5))
    weights[1, 4] = 0.5
    figure = patch_weights(SLICE, [(0, 0), (2, 3)], side=4, weights=[weights, weights / 5])
    pictures = [axes.images[0] for axes in figure.axes if axes.get_title(loc="left") == "its weights"]
    assert [picture.get_clim() for picture in pictures] == [(0.0, 0.5), (0.0, 0.1)]
    assert all(picture.get_extent() == [-0.5, 19.5, -0.5, 23.5] for picture in pictures)


def test_the_description_names_where_the_patch_looks():
    weights = np.zeros((6, 5))
    weights[1, 4], weights[3, 0], weights[5, 2] = 0.5, 0.3, 0.2
    assert "looks most at the patches 1, 4, 3, 0 and 5, 2" in alt_text(
        patch_weights(SLICE, [(2, 3)], side=4, weights=[weights])
    )


def test_a_missing_map_is_refused():
    with pytest.raises(ValueError, match="one per query"):
        patch_weights(SLICE, [(0, 0), (1, 1)], side=4, weights=[np.ones((6, 5))])
