"""Every explorer there is, with the networks that ship, at three sizes of the screen and at 200 % zoom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medattn_lite import widgets
from medattn_lite.widgets.ready import READY
from tests.browser.one_screen import SIZES, faults, zoom

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEEP = os.environ.get("MEDATTN_SCREENSHOTS")  # a folder: a picture of each explorer at each size is left there
READY_HERE = [name for name in READY if name != "volume"]  # the viewer has tests of its own, test_viewer_in_lab.py
OTHERS = {
    "gate": "from tests.widgets.conftest import make_images, make_model\n"
            "from medattn_lite.widgets import gate_explorer\ngate_explorer(make_model('cbam'), make_images())",
    "split": "from medattn_lite.widgets import split_explorer\nsplit_explorer(make_model('splits'), make_images())",
    "survival": "from tests.widgets.test_survival_explorer import make_cohort, survival_explorer\n"
                "survival_explorer(make_cohort())",
}  # fmt: skip
"""Explorers that are made of a user's network or cohort, as their own tests make them."""
NAMED_OTHERWISE = {"attention_playground": "playground", "counterfactual_phantom": "counterfactual",
                   "explanation_browser": "explanations", "mechanism_comparison": "mechanisms",
                   "slice_explorer": "slices"}  # fmt: skip


def test_no_explorer_is_left_out() -> None:
    functions = set(widgets.__all__) - {"Explorer", "view_volume"}
    short = {NAMED_OTHERWISE.get(name, name.removesuffix("_explorer").replace("_", "-")) for name in functions}
    assert short == {*READY_HERE, *OTHERS}


def test_every_explorer_fits_every_screen(open_notebook, write_notebook) -> None:
    names = [*READY_HERE, *OTHERS]
    cells = [f"from medattn_lite.widgets.ready import ready\nready({name!r})" for name in READY_HERE]
    page = open_notebook(write_notebook("all.ipynb", [*cells, *OTHERS.values()]))
    page.run_all()
    assert page.errors() == []
    explorers = page.explorers()
    assert len(explorers) == len(names)
    found = {}
    for size in SIZES:
        page.page.set_viewport_size({"width": size[0], "height": size[1]})
        if size == SIZES[2]:
            page.page.keyboard.press("Control+b")  # a narrow window has no room for the side bar
        page.page.wait_for_timeout(1000)
        for name, one in zip(names, explorers, strict=True):
            wrong = faults(one, zoom=zoom(size))
            if wrong:
                found[f"{name} at {size[0]}×{size[1]}"] = wrong
            if KEEP:
                one.scroll_into_view_if_needed()
                one.screenshot(path=str(Path(KEEP) / f"{name}-{size[0]}.png"))
    assert found == {}
    assert page.errors() == [] and page.outside == [] and page.crashes == [], "\n".join(page.crashes)
