"""Small notebooks for the tests, made on the spot."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'SCALE = "smoke"\nDEVICE = "auto"\nSEED = 0\nDATA = "phantom"\nDATA_ROOT = None'
VALUES = {"SCALE": "smoke", "DEVICE": "cpu", "SEED": 3, "DATA": "phantom", "DATA_ROOT": None}


def make_notebook(path: Path, *sources: str, parameters: str | None = PARAMETERS, tags: dict[int, str] | None = None,
                  title: str = "A small notebook") -> Path:
    """Write a notebook with a title, a parameters cell (unless None) and one code cell a source."""
    cells = [new_markdown_cell(f"# {title}")]
    if parameters is not None:
        cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for number, source in enumerate(sources):
        tag = (tags or {}).get(number)
        cells.append(new_code_cell(source, metadata={"tags": [tag]} if tag else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path
