"""The limits of a notebook of this course, in one place; `broken_limits` says which one a notebook breaks."""

from __future__ import annotations

import re
import statistics
from typing import Any

CELLS = (25, 60)
CODE_LINES_MEDIAN = 8
CODE_LINES_MOST = 30
MARKDOWN_WORDS = 120
PARAMETERS = {"SCALE", "DEVICE", "SEED", "DATA", "DATA_ROOT"}


def code_lines(source: str) -> int:
    """Lines of a code cell that are not empty."""
    return sum(bool(line.strip()) for line in source.splitlines())


def words(markdown: str) -> int:
    """Words that a reader reads: no formulas, no addresses, no HTML tags, no table rules."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "x", markdown, flags=re.DOTALL)
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)
    return len(re.findall(r"[^\W_]+(?:['’.,\-:/][^\W_]+)*", text))


def broken_limits(notebook: Any) -> list[str]:
    """One line for each limit broken."""
    cells = [cell for cell in notebook.cells if cell.get("id") not in ("navigation", "install")]
    code = [cell for cell in cells if cell.cell_type == "code"]
    markdown = [cell for cell in cells if cell.cell_type == "markdown"]
    lengths = [code_lines(cell.source) for cell in code]
    broken = []
    if not CELLS[0] <= len(cells) <= CELLS[1]:
        broken.append(f"{len(cells)} cells; {CELLS[0]} to {CELLS[1]} are allowed")
    if 2 * len(markdown) < len(cells):
        broken.append(f"{len(markdown)} of {len(cells)} cells are markdown; at least half must be")
    if statistics.median(lengths or [0]) > CODE_LINES_MEDIAN:
        broken.append(f"code cells have {statistics.median(lengths)} lines in the median; at most {CODE_LINES_MEDIAN}")
    heights = [len(cell.source.splitlines()) for cell in code]  # as a reader scrolls it, empty lines and all
    broken += [f"a code cell has {n} lines; at most {CODE_LINES_MOST}: {_start(cell)}"
               for cell, n in zip(code, heights, strict=True) if n > CODE_LINES_MOST]
    broken += [f"a markdown cell has {words(cell.source)} words; at most {MARKDOWN_WORDS}: {_start(cell)}"
               for cell in markdown if words(cell.source) > MARKDOWN_WORDS]
    return broken


def _start(cell: Any) -> str:
    return repr(cell.source.strip().split("\n")[0][:60])
