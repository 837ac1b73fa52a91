"""One JupyterLab and one Chromium for all browser tests of a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.browser.lab import CHECKOUT, HOW_TO_GET, Server, chromium, find_chromium, jupyter_lab
from tests.browser.notebook_page import NotebookPage

LEARNER_COPIES = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab over a copy of the learners' notebooks."""
    if find_chromium() is None:
        pytest.skip(HOW_TO_GET)
    pytest.importorskip("playwright", reason="no Playwright: pip install playwright (its own browsers are not needed)")
    root, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    (root / "notebooks").mkdir()
    for notebook in LEARNER_COPIES:
        shutil.copy(notebook, root / "notebooks")
    if (CHECKOUT / "figures").is_dir():
        shutil.copytree(CHECKOUT / "figures", root / "figures")
    with jupyter_lab(root, home) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """The system's Chromium, one for all tests of a worker: Playwright runs once in a process."""
    if find_chromium() is None:
        pytest.skip(HOW_TO_GET)
    pytest.importorskip("playwright", reason="no Playwright: pip install playwright (its own browsers are not needed)")
    with chromium() as running:
        yield running


@pytest.fixture
def open_notebook(server: Server, browser: object) -> Iterator[object]:
    """Function path → NotebookPage; every page is closed and its kernel ended after the test."""
    pages: list[NotebookPage] = []

    def open_page(path: str) -> NotebookPage:
        pages.append(NotebookPage(browser, server, path))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()
    server.end_kernels()


@pytest.fixture
def write_notebook(server: Server) -> object:
    """Function (name, cells) → path of a new notebook in the server's folder."""

    def write(name: str, cells: list[str]) -> str:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, Path(server.root, name))
        return name

    return write
