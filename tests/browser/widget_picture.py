"""One widget as JupyterLab shows it, as a picture for a page.

    python -m tests.browser.widget_picture          writes figures/counterfactual_widget.png

The counterfactual phantom, by integrated gradients, after its enhancement was taken away by keyboard.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.lab import CHECKOUT, HOW_TO_GET, chromium, course_folder, find_chromium, jupyter_lab
from tests.browser.notebook_page import NotebookPage

PICTURE = CHECKOUT / "figures" / "counterfactual_widget.png"
CELL = "from medattn_lite.widgets import counterfactual_phantom\ncounterfactual_phantom()"
REDRAWN = 60_000  # milliseconds


def main(out: Path = PICTURE) -> int:
    """Writes the picture; returns 2 without Chromium."""
    from PIL import Image

    if find_chromium() is None:
        print(HOW_TO_GET, file=sys.stderr)
        return 2
    with course_folder() as (root, home):
        nbformat.write(new_notebook(cells=[new_code_cell(CELL)]), root / "widget.ipynb")
        with jupyter_lab(root, home) as server, chromium() as browser:
            page = NotebookPage(browser, server, "widget.ipynb", width=1500)
            page.run_all()
            page.page.set_viewport_size({"width": 1500, "height": 1700})
            [explorer] = page.explorers()
            method = explorer.locator(".widget-dropdown", has_text="method").locator("select")
            method.select_option(label="integrated gradients")
            page.press("enhancement", "Home")
            explorer.locator(".medattn-readout", has_text="enhancement 0%").wait_for(timeout=REDRAWN)
            page.page.wait_for_timeout(1000)
            shot = home / "shot.png"
            explorer.screenshot(path=shot)
            server.end_kernels()
        Image.open(shot).convert("RGB").save(out, optimize=True)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
