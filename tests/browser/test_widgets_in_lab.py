"""Claims about the three explorers in JupyterLab, on random inputs, and about what these tests would notice."""

from __future__ import annotations

import time

import pytest

from tests.browser.one_screen import faults_by_screen

pytestmark = pytest.mark.browser

SAMPLE = """
import numpy as np, torch
torch.manual_seed(0)
from medattn_lite.plots import show
from medattn_lite.widgets import attention_playground, gate_explorer, slice_explorer
mask = torch.zeros(1, 24, 40, 32, dtype=torch.uint8)
mask[0, 8:16, 10:30, 8:20] = 2
mask[0, 10:14, 14:24, 10:16] = 4
affine = np.diag([1.0, 1.0, 1.0, 1.0])
sample = {"image": torch.rand(2, 24, 40, 32), "mask": mask, "channels": ("t1", "flair"), "affine": affine}
"""
MODEL = """
from medattn_lite.networks.resnet_cbam import ResNetCBAM
model = ResNetCBAM(spatial_dims=2, in_channels=2, num_classes=2, layers=(1, 1, 1, 1), width=8)
explorer = gate_explorer(model, torch.randn(3, 2, 64, 64), labels=[0, 1, 0], names=["healthy", "tumour"])
explorer
"""
FRAGILE = """
from dataclasses import dataclass

import ipywidgets
from medattn_lite.widgets import Explorer, attention_playground

@dataclass(frozen=True)
class Number:
    number: int


class Fragile(Explorer[Number]):
    State = Number

    def view(self, state):
        if state.number > 1:
            raise ZeroDivisionError("this state has no picture")
        return attention_playground().static(), f"The number is {state.number}."

Fragile({"number": ipywidgets.IntSlider(value=0, min=0, max=5, description="number")})
"""
BROKEN = {  # what the page says → the cell
    "Error displaying widget": """from IPython.display import display
display({"application/vnd.jupyter.widget-view+json": {"model_id": "gone", "version_major": 2}}, raw=True)""",
    "broken widget": """import ipywidgets
ipywidgets.Image(value=b"", format="png", tooltip="an Image without a description")""",
    "ZeroDivisionError": "1 / 0",
}


def test_every_slider_of_the_three_explorers_moves_picture_text_and_readout(open_notebook, write_notebook):
    cells = [SAMPLE, "attention_playground()", "slice_explorer(sample)", MODEL, "show(explorer.static())"]
    page = open_notebook(write_notebook("three_widgets.ipynb", cells))
    page.run_all()
    assert page.errors() == [] and page.outside == [] and page.crashes == []
    moved = [page.move_sliders(explorer) for explorer in page.explorers()]
    # Temperature, number of keys, the query and five keys (the fifth comes when their number moves); three planes,
    # opacity and two ends of the window; image, most open, least open, channel and opacity.
    assert [len(sliders) for sliders in moved] == [14, 6, 5], moved
    assert [slider for sliders in moved for slider in sliders.items() if slider[1] != "moved"] == []
    assert page.errors() == [] and page.outside == [] and page.crashes == []
    words = [explorer.locator("img.medattn-picture").get_attribute("title") for explorer in page.explorers()]
    assert all(len(text.split()) > 8 for text in words), "a picture without alt text"


def test_explorers_fit_the_screen(open_notebook, write_notebook):
    """One run, seen in four windows: the page is laid out anew for each."""
    cells = [SAMPLE, "attention_playground()", "slice_explorer(sample)", MODEL]
    page = open_notebook(write_notebook("screen.ipynb", cells))
    page.run_all()
    assert len(page.explorers()) == 3
    assert faults_by_screen(page, page.explorers()) == {}


def test_a_fast_hand_does_not_queue_pictures(open_notebook, write_notebook):
    page = open_notebook(write_notebook("fast.ipynb", [SAMPLE, "slice_explorer(sample)"]))
    page.run_all()
    [explorer] = page.explorers()
    page.press("axial I→S", "Home")
    page.press("axial I→S", "ArrowRight", 20)
    began = time.monotonic()
    explorer.locator(".medattn-readout", has_text="axial 20").wait_for(timeout=30_000)
    drawn = explorer.locator("img.medattn-picture")
    page.page.wait_for_function("p => p.title.includes('axial slice 20')", arg=drawn.element_handle(), timeout=30_000)
    assert time.monotonic() - began < 20, "the picture came long after the slider had stopped"


def test_an_error_behind_a_slider_shows_in_the_readout_and_is_noticed(open_notebook, write_notebook):
    page = open_notebook(write_notebook("fragile.ipynb", [FRAGILE]))
    page.run_all()
    assert page.errors() == []
    page.press("number", "ArrowRight", 2)
    page.page.locator('.medattn-readout [role="alert"]').wait_for(timeout=30_000)
    assert any("ZeroDivisionError" in error and "no picture" in error for error in page.errors())


def test_these_tests_see_broken_cells_and_broken_widgets(open_notebook, write_notebook):
    """Each in one page: none hides another. The cell that fails comes last, since nothing is run after it."""
    page = open_notebook(write_notebook("broken.ipynb", list(BROKEN.values())))
    page.run_all()
    for _ in range(60):  # the page takes its time to say so
        errors = page.errors()
        if len(errors) >= len(BROKEN):
            break
        page.page.wait_for_timeout(250)
    assert [seen for seen in BROKEN if not any(seen in error for error in errors)] == [], errors


def test_a_request_to_the_outside_is_refused_and_noted(open_notebook, write_notebook):
    cell = "from IPython.display import HTML\nHTML('<img src=\"https://example.org/pixel.png\" alt=\"outside\">')"
    page = open_notebook(write_notebook("outside.ipynb", [cell]))
    page.run_all()
    page.page.wait_for_timeout(500)
    assert set(page.outside) == {"https://example.org/pixel.png"}
