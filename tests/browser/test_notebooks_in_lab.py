"""Every notebook as a learner meets it: run to its end by papermill in JupyterLab's kernel, then looked at and used.

A notebook is run once. papermill executes it, with its parameters, in the kernel that JupyterLab holds for it; then the
notebook is opened in Chromium, where every slider has to move its picture and its readout. Without Chromium the first
half is run alone, in a kernel of its own. The notebook with all explorers is run the one way that is not papermill's:
by JupyterLab's menu.
"""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest

from medattn_lite.course.outcome import cell_errors, exercise_states, widget_errors
from medattn_lite.course.report import picture_alt
from medattn_lite.course.runner import NotebookRun, run_notebook
from tests.browser.attached import attached_to
from tests.browser.canvas import move_by_keyboard
from tests.browser.conftest import LEARNER_COPIES
from tests.browser.lab import find_chromium
from tests.browser.one_screen import faults_by_screen

SMOKE = {"SCALE": "smoke", "DEVICE": "cpu", "SEED": 0, "DATA": "phantom", "DATA_ROOT": None}
SMOKE_SECONDS = 60
BY_MENU = "11"
every_notebook = pytest.mark.parametrize("notebook", LEARNER_COPIES, ids=lambda path: path.stem)


def check(run: NotebookRun, record_property) -> None:
    """No error, no exercise solved yet, pictures with descriptions."""
    record_property("seconds", round(run.seconds, 1))
    print(f"{run.name}: {run.seconds:.1f} s, limit for a quiet machine {SMOKE_SECONDS} s")
    assert run.ok, "\n".join(run.errors)
    assert set(run.exercises.values()) <= {"not attempted yet"}
    cells = nbformat.read(run.executed, as_version=4).cells
    pictures = [output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    assert pictures, "a notebook shows something"
    assert all(len(picture_alt(picture)) > 20 for picture in pictures), "every picture has its description"


def explorers_in(run: NotebookRun) -> int:
    """How many explorers the executed copy holds: a widget with a picture for where there is no kernel."""
    cells = nbformat.read(run.executed, as_version=4).cells
    kinds = [set(output.get("data", {})) for cell in cells for output in cell.get("outputs", [])]
    return sum({"application/vnd.jupyter.widget-view+json", "image/png"} <= kind for kind in kinds)


def test_there_are_notebooks_to_test():
    assert LEARNER_COPIES, "notebooks/ holds no learner's copies: run medattn notebooks"


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is not None, reason="run in JupyterLab's kernel, by the next test")
@every_notebook
def test_a_notebook_runs_to_its_end_at_smoke_scale(notebook: Path, tmp_path: Path, record_property) -> None:
    check(run_notebook(notebook, out=tmp_path, parameters=SMOKE), record_property)


def run_by_menu(page, executed: Path) -> NotebookRun:
    """What papermill's run would hold, of a notebook that JupyterLab has run and saved."""
    began = time.perf_counter()
    page.run_all()
    seconds = time.perf_counter() - began
    page.save()
    notebook = nbformat.read(executed, as_version=4)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source)
    return NotebookRun(executed.stem, executed, seconds=seconds, exercises=exercise_states(notebook),
                       errors=[*cell_errors(notebook), *widget_errors(notebook)])  # fmt: skip


@pytest.mark.browser
@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_to_its_end_and_every_slider_works_by_keyboard(
    notebook: Path, server, open_notebook, record_property
) -> None:
    if notebook.stem.startswith(BY_MENU):
        page = open_notebook(f"notebooks/{notebook.name}")
        run = run_by_menu(page, server.root / "notebooks" / notebook.name)
        assert len(page.explorers()) > 3, "the notebook with all explorers"
        check(run, record_property)
    else:
        kernel = server.start_kernel(f"notebooks/{notebook.name}")
        run = run_notebook(notebook, out=server.root / "notebooks", parameters=SMOKE, managers=attached_to(kernel))
        check(run, record_property)
        server.trust(run.executed)
        page = open_notebook(f"notebooks/{notebook.name}")
        page.wait_for_widgets()
    assert len(page.explorers()) == explorers_in(run)
    use(page, record_property)


def use(page, record_property) -> None:
    """No error, all on one screen, every slider moves picture and readout, nobody outside is asked."""
    assert page.errors() == []
    assert page.loose_sliders() == 0, "a slider outside an Explorer: nothing shows whether it works"
    page.page.set_viewport_size({"width": 1366, "height": 768})
    for viewer in page.viewers():
        move_by_keyboard(viewer, "axial I→S")
    moved = {number: page.move_sliders(explorer) for number, explorer in enumerate(page.explorers(), start=1)}
    record_property("sliders", moved)
    still = [(number, *slider) for number, sliders in moved.items() for slider in sliders.items()]
    assert [slider for slider in still if slider[-1] != "moved"] == []
    assert page.errors() == []
    assert page.crashes == [] and page.outside == []
    assert faults_by_screen(page, [*page.explorers(), *page.viewers()]) == {}  # the last: it leaves a narrow window
