"""Every notebook as a learner meets it: open, Run All, no error, every slider moves its picture and its readout."""

from __future__ import annotations

import pytest

from tests.browser.conftest import LEARNER_COPIES
from tests.browser.one_screen import faults

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_there_are_notebooks_to_test():
    assert LEARNER_COPIES, "notebooks/ holds no learner's copies: run python -m medattn_lite.course.generate"


@pytest.mark.parametrize("notebook", LEARNER_COPIES, ids=lambda path: path.stem)
def test_the_notebook_runs_and_every_slider_works_by_keyboard(notebook, open_notebook, record_property):
    page = open_notebook(f"notebooks/{notebook.name}")
    page.run_all()
    assert page.errors() == []
    assert page.loose_sliders() == 0, "a slider outside an Explorer: nothing shows whether it works"
    page.page.set_viewport_size({"width": 1366, "height": 768})
    assert {number: found for number, one in enumerate(page.explorers(), start=1) if (found := faults(one))} == {}
    moved = {number: page.move_sliders(explorer) for number, explorer in enumerate(page.explorers(), start=1)}
    record_property("sliders", moved)
    still = [(number, *slider) for number, sliders in moved.items() for slider in sliders.items()]
    assert [slider for slider in still if slider[-1] != "moved"] == []
    assert page.errors() == []
    assert page.crashes == [] and page.outside == []
