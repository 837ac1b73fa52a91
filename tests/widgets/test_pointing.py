"""Click, wheel and drag in a plane, without a browser: the point that was clicked is the voxel that is shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.plots.places import plane_places
from medattn_lite.plots.planes import three_planes
from medattn_lite.plots.show import render_png
from medattn_lite.widgets import attention_playground, page, slice_explorer


@pytest.fixture
def explorer():
    affine = np.diag([2.0, 1.0, 1.5, 1.0])  # voxels that are not cubes
    mask = torch.zeros(1, 12, 30, 20, dtype=torch.uint8)
    mask[0, 6:8, 10:14, 8:12] = 1
    image = torch.rand(2, 12, 30, 20, generator=torch.Generator().manual_seed(0))
    return slice_explorer({"image": image, "mask": mask, "channels": ("t1", "flair"), "affine": affine})


def centre(place, row, column):
    """The point of the picture over a voxel's middle."""
    (left, top, right, bottom), view, extent = place.box, place.view, place.extent
    x = extent[0] + (column + 0.5) / place.shape[1] * (extent[1] - extent[0])
    y = extent[2] + (row + 0.5) / place.shape[0] * (extent[3] - extent[2])
    return (left + (x - view[0]) / (view[1] - view[0]) * (right - left),
            bottom - (y - view[2]) / (view[3] - view[2]) * (bottom - top))  # fmt: skip


def test_a_bright_voxel_lies_where_the_picture_is_bright():
    """The whole way: a voxel is drawn, its brightest pixel is found in the PNG, and the place under it is the voxel."""
    import io

    from PIL import Image

    volume = np.zeros((12, 30, 20), dtype=np.float32)
    volume[7, 21, 4] = 1.0
    figure = three_planes(volume, position=(7, 21, 4), spacing=(2.0, 1.0, 1.5), window=(0.0, 1.0), crosshair=False)
    picture = np.asarray(Image.open(io.BytesIO(render_png(figure))).convert("L"), dtype=float)
    for place, expected in zip(plane_places(figure), [(21, 4), (7, 4), (7, 21)], strict=True):
        high, wide = picture.shape
        left, top, right, bottom = (round(side * size) for side, size in zip(place.box, (wide, high) * 2, strict=True))
        inside = picture[top + 25 : bottom - 25, left + 25 : right - 25]  # without the letters at its sides
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        assert place.voxel((left + 25 + column + 0.5) / wide, (top + 25 + row + 0.5) / high) == expected


@pytest.mark.parametrize(("number", "row", "column", "expected"), [
    (0, 25, 3, {"coronal": 25, "sagittal": 3}), (1, 9, 17, {"axial": 9, "sagittal": 17}),
    (2, 2, 28, {"axial": 2, "coronal": 28}),
])  # fmt: skip
def test_a_click_brings_the_cross_to_the_voxel_under_it(explorer, number, row, column, expected):
    x, y = centre(explorer._places[number], row, column)
    explorer._pointed({"kind": "click", "x": x, "y": y})
    assert {name: explorer.state[name] for name in expected} == expected
    assert all(f"{name} {index}" in explorer.summary for name, index in expected.items())


def test_the_wheel_leafs_as_far_as_it_was_turned_and_stops_at_the_end(explorer):
    x, y = centre(explorer._places[0], 15, 10)
    start = explorer.state["axial"]
    explorer._pointed({"kind": "wheel", "x": x, "y": y, "total": 2})
    explorer._pointed({"kind": "wheel", "x": x, "y": y, "total": 3})
    assert explorer.state["axial"] == start + 3
    explorer._pointed({"kind": "wheel", "x": x, "y": y, "total": -40})
    assert explorer.state["axial"] == 0


def test_a_drag_sets_window_and_level_from_where_it_began(explorer):
    explorer.set(window=(0.3, 0.7))
    x, y = centre(explorer._places[0], 15, 10)
    for right in (-0.1, -0.2):  # one drag, told twice
        explorer._pointed({"kind": "drag", "number": 1, "x": x, "y": y, "right": right, "down": 0.0})
    low, high = explorer.state["window"]
    assert high - low == pytest.approx(0.4 * 2 ** (3 * -0.2), abs=0.03)
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.03)
    explorer._pointed({"kind": "drag", "number": 2, "x": x, "y": y, "right": 0.0, "down": -0.5})
    assert sum(explorer.state["window"]) / 2 < 0.45, "up is brighter: the middle of the window falls"


def test_outside_the_planes_and_where_there_are_none_nothing_happens(explorer):
    before = explorer.state
    for kind in ("click", "wheel", "drag"):
        explorer._pointed({"kind": kind, "x": 0.5, "y": 0.999, "total": 5, "right": 0.3})
    assert explorer.state == before
    playground = attention_playground()
    assert playground._pointing.able(playground._places) == [] and playground._hint.value == ""


def test_the_next_explorer_begins_as_dark_as_the_page(monkeypatch):
    pytest.importorskip("anywidget", reason='no anywidget: pip install "medattn-lite[viewer]"')
    monkeypatch.setitem(page._LAST, "dark", False)
    first = attention_playground()
    light = first.picture.value
    first._page.dark = True
    assert first.picture.value != light
    assert attention_playground().picture.value == first.picture.value
    first._page.dark = False
    assert first.picture.value == light


def test_without_anywidget_an_explorer_works_by_its_controls(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert page.page_pointer() is None
    explorer = attention_playground()
    assert len(explorer.children[0].children) == 4 and explorer.picture.value
