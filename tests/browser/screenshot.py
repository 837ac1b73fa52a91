"""Look at a notebook as a reader sees it: run it in JupyterLab in Chromium and write one tall picture.

    python -m tests.browser.screenshot notebooks/01_attention_scores.ipynb page.png
    python -m tests.browser.screenshot NOTEBOOK OUT.png --press "axial I→S=ArrowRight*8" --dark
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tests.browser.lab import HOW_TO_GET, chromium, course_folder, find_chromium, jupyter_lab
from tests.browser.notebook_page import NotebookPage


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 1 if the page showed an error, 2 without Chromium."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--press", action="append", default=[], metavar="LABEL=KEY*TIMES", help="move a slider first")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true", help="JupyterLab's dark theme")
    options = parser.parse_args(arguments)
    if find_chromium() is None:
        print(HOW_TO_GET, file=sys.stderr)
        return 2
    with course_folder() as (root, home):
        shutil.copy(options.notebook, root)
        with jupyter_lab(root, home, dark=options.dark) as server, chromium() as browser:
            page = NotebookPage(browser, server, options.notebook.name, width=options.width)
            began = time.monotonic()
            page.run_all()
            print(f"ran in {time.monotonic() - began:.1f} s")
            for order in options.press:
                label, _, keys = order.rpartition("=")
                key, _, times = keys.partition("*")
                page.press(label, key, int(times or 1))
                page.page.wait_for_timeout(1500)
            page.screenshot(options.out)
            errors = page.errors()
            for line in [*errors, *page.crashes, *page.outside]:
                print(line, file=sys.stderr)
            server.end_kernels()
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
