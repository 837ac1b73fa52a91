"""The live viewer, the mouse in the explorers' planes and the dark theme, in JupyterLab."""

from __future__ import annotations

import io

import numpy as np
import pytest

from medattn_lite.plots.dark import contrast
from tests.browser.canvas import LOADED, drawn, move_by_keyboard
from tests.browser.one_screen import faults, faults_by_screen
from tests.browser.test_widgets_in_lab import SAMPLE

pytestmark = pytest.mark.browser
pytest.importorskip("anywidget", reason='no anywidget: pip install "medattn-lite[viewer]"')

VIEW = """
from medattn_lite.widgets import view_volume
ball = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 40, 32)), indexing="ij"))
inside = torch.as_tensor((ball**2).sum(0) < 0.8)
sample["image"] = sample["image"] * inside + inside
near = torch.as_tensor(np.exp(-4 * ((ball - 0.3)**2).sum(0)), dtype=torch.float32) * inside
view_volume(sample, {"a map": near, "tumour": "mask", "t1": "t1"}, channel="flair", title="a ball")
"""
LETTERS = """element => [...element.querySelectorAll('.medattn-readout div, .widget-label, .widget-readout')]
  .filter(e => e.offsetParent && e.innerText.trim()).map(e => {
    const seen = element => getComputedStyle(element).backgroundColor;
    let paper = e;
    while (paper !== document.body && /rgba\\(0, 0, 0, 0\\)|transparent/.test(seen(paper))) paper = paper.parentElement;
    return [e.innerText.slice(0, 30), getComputedStyle(e).color, seen(paper)];
  })"""


def rgb(css: str) -> tuple[float, ...]:
    return tuple(float(part) / 255 for part in css[css.index("(") + 1 : -1].split(",")[:3])


def picture(explorer: object) -> np.ndarray:
    from PIL import Image

    shot = explorer.locator("img.medattn-picture").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=int)


def at(explorer: object, across: float, down: float) -> tuple[float, float]:
    """A point of the page by its place in the picture."""
    box = explorer.locator("img.medattn-picture").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_the_viewer_draws_follows_the_keyboard_and_asks_nobody(open_notebook, write_notebook):
    pytest.importorskip("ipyniivue", reason='no ipyniivue: pip install "medattn-lite[viewer]"')
    page = open_notebook(write_notebook("viewer.ipynb", [SAMPLE, VIEW]))
    page.run_all()
    assert page.errors() == []
    page.page.set_viewport_size({"width": 1366, "height": 768})
    viewer = page.page.locator(".medattn-viewer")
    viewer.wait_for(timeout=LOADED)
    assert viewer.count() == 1 and page.page.locator("iframe").count() == 0, "live niivue, not the page"
    first = drawn(viewer)
    assert (np.ptp(first, axis=-1) > 60).mean() > 0.005, "the map and the mask are in colour"
    box = viewer.bounding_box()
    assert box["height"] <= 640, "controls and canvas on one screen"
    moved, text = move_by_keyboard(viewer, "axial I→S")
    assert "axial 19" in text and "a map:" in text and "tumour:" in text
    move_by_keyboard(viewer, "opacity", "ArrowLeft")
    canvas = viewer.locator("canvas").first.bounding_box()
    page.page.mouse.click(canvas["x"] + canvas["width"] * 0.1, canvas["y"] + canvas["height"] / 2)
    viewer.locator(".medattn-readout", has_not_text="axial 19, coronal 25, sagittal 20").wait_for(timeout=30_000)
    assert page.loose_sliders() == 0
    assert faults_by_screen(page, [viewer]) == {}
    assert page.errors() == [] and page.crashes == [] and page.outside == []


def test_the_mouse_moves_the_cross_leafs_and_sets_the_window_and_a_dark_page_has_dark_pictures(
    open_notebook, write_notebook
):
    page = open_notebook(write_notebook("mouse.ipynb", [SAMPLE, "slice_explorer(sample)", "attention_playground()"]))
    page.run_all()
    page.page.set_viewport_size({"width": 1366, "height": 768})
    explorer, playground = page.explorers()
    explorer.scroll_into_view_if_needed()
    readout = explorer.locator(".medattn-readout")
    assert "axial 11, coronal 19, sagittal 13" in readout.inner_text()
    mouse = page.page.mouse
    mouse.move(*at(explorer, 0.05, 0.5))
    mouse.wheel(0, -100)  # before the click the wheel is the page's
    page.page.wait_for_timeout(1500)
    assert "axial 11, coronal 19, sagittal 13" in readout.inner_text()
    explorer.scroll_into_view_if_needed()
    mouse.click(*at(explorer, 0.02, 0.7))  # lower left in the axial plane: posterior, left
    readout.filter(has_text="axial 11").filter(has_not_text="coronal 19").wait_for(timeout=30_000)
    words = readout.inner_text()
    coronal, sagittal = (int(words.split(f"{name} ")[1].split(" ")[0].strip(",")) for name in ("coronal", "sagittal"))
    assert coronal < 12 and sagittal < 4, words
    for _ in range(3):
        mouse.wheel(0, -100)
    readout.filter(has_text="axial 14").wait_for(timeout=30_000)
    window = words.split("window ")[1].split(".  ")[0][:12]
    mouse.move(*at(explorer, 0.25, 0.5))
    mouse.down()
    mouse.move(*at(explorer, 0.05, 0.4), steps=4)
    mouse.up()
    readout.filter(has_not_text=f"window {window}").wait_for(timeout=30_000)
    assert "axial 14" in readout.inner_text(), "a drag does not move the cross"
    light = picture(playground)
    assert np.median(light) > 240
    page.page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.page.locator(".lm-Menu-item", has_text="JupyterLab Dark").first.click()
    page.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'", timeout=60_000)
    for one in (playground, explorer):
        one.scroll_into_view_if_needed()
        for _ in range(120):
            if np.median(picture(one)[-8:]) < 60:
                break
            page.page.wait_for_timeout(500)
        assert np.median(picture(one)[-8:]) < 60, "the picture stays white on a dark page"
        assert faults(one) == []
        weak = [(text, round(contrast(rgb(ink), rgb(paper)), 1)) for text, ink, paper in one.evaluate(LETTERS)
                if contrast(rgb(ink), rgb(paper)) < 4.5]  # fmt: skip
        assert weak == []
    assert page.errors() == [] and page.crashes == [] and page.outside == []
