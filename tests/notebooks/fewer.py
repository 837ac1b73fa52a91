"""Real patients for one notebook after another: what does not depend on them is made short.

Each notebook is run whole on phantoms, and one of them on all patients; `medattn check-data`, the readers' tests and
the recipes' read all patients too. Here the question is whether the code that depends on the data runs on real
patients, and a third of them answers it as well as all.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

STEPS = 4
SHORT_CONTROLS = f"""from dataclasses import replace
from medattn_lite.positive_controls import train
train.SETTINGS = {{name: replace(own, steps={STEPS}) for name, own in train.SETTINGS.items()}}"""


def with_short_controls(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy in which positive controls, which know nothing of patients, are trained for a few steps only."""
    cells = list(notebook.cells)
    [place] = [number for number, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
    cells.insert(place + 1, new_code_cell(SHORT_CONTROLS))
    return nbformat.from_dict({**notebook, "cells": cells})


def fewer_patients(root: Path, target: Path, *, every: int = 3) -> Path:
    """A folder with links to every third case of `root`, and to all files that describe cases.

    Args:
        root: a folder with one folder per case.
        target: the new folder.
        every: which of the cases, in order of their names, are taken.
    """
    target.mkdir()
    entries = sorted(root.iterdir())
    cases = [path for path in entries if path.is_dir()]
    for path in [*cases[::every], *(path for path in entries if not path.is_dir())]:
        (target / path.name).symlink_to(path.resolve())
    return target
