"""A figure for a dark page: dark paper, text that can be read, data and images as they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from medattn_lite.plots.dark import DARK_PAPER, contrast, on_dark, turned
from medattn_lite.plots.planes import three_planes
from medattn_lite.plots.show import render_png
from medattn_lite.plots.style import CLASS_COLOURS, INK, MUTED
from medattn_lite.widgets import attention_playground


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(render_png(figure))).convert("RGB"), dtype=int)


def test_contrast_is_that_of_wcag():
    assert contrast("white", "black") == pytest.approx(21) and contrast("red", "red") == pytest.approx(1)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.01)  # the well-known border


@pytest.mark.parametrize("colour", [INK, MUTED, "black", *CLASS_COLOURS])
def test_every_colour_of_the_style_is_readable_as_text(colour):
    assert contrast(turned(colour, needed=4.5)[:3], DARK_PAPER) >= 4.5


def test_all_text_of_a_figure_can_be_read_and_the_paper_is_dark():
    figure = on_dark(attention_playground().static())
    seen = pixels(figure)  # ticks are made while drawing
    assert np.median(seen) <= 40
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert len(texts) > 20
    assert {text.get_text(): contrast(text.get_color(), DARK_PAPER) for text in texts
            if contrast(text.get_color(), DARK_PAPER) < 4.5} == {}  # fmt: skip


def test_an_image_and_its_map_keep_their_colours():
    random = np.random.default_rng(0)
    image, mask = random.random((12, 30, 20)), np.zeros((12, 30, 20), dtype=int)
    mask[4:8, 10:20, 5:15] = 1
    light = pixels(three_planes(image, overlay=mask))
    dark = pixels(on_dark(three_planes(image, overlay=mask)))
    assert light.shape == dark.shape
    inside = (slice(60, light.shape[0] - 110), slice(10, light.shape[1] - 10))
    same = (light[inside] == dark[inside]).all(-1)
    assert same.mean() > 0.95, "the planes are what they were"
    assert light[-3, -3].min() > 250 and dark[-3, -3].max() < 40


def test_a_light_figure_is_drawn_as_before():
    first = render_png(attention_playground().static())
    on_dark(attention_playground().static())
    assert render_png(attention_playground().static()) == first
