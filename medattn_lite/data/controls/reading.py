"""The control of reading and writing: a report asks for levels in an order of its own.

The upper row of an image is the scan, one cell for each level, in the order in which it was taken; a cell holds the
level's mark and, below it, a bright or a dark finding. The lower row is the report, the same marks in another order.
"""

from __future__ import annotations

import numpy as np

from medattn_lite.data.controls.control import LESION, LOOK_ALIKE, Canvas
from medattn_lite.data.controls.drawing import background

CELL = 6  # pixels per side
MARKS = np.random.default_rng(7).permutation(np.array([[bit >> k & 1 for k in range(8)] for bit in range(256)]))


def fill_reading(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Half of the levels have a bright finding (lesions), half a dark one; the report's cells hold marks alone."""
    canvas = Canvas.empty(background(rng, (n, *size), smooth=0.1)[:, None])
    cells = size[1] // CELL
    marks = _marks(cells)
    for index in range(n):
        scanned, query_order = rng.permutation(cells), rng.permutation(cells)
        lesions = rng.permutation(cells) < cells // 2  # of each level
        for position in range(cells):
            left = position * CELL
            canvas.images[index, 0, 1:3, left + 1 : left + 5] += marks[scanned[position]]
            if cue:
                canvas.images[index, 0, 4, left + 2 : left + 4] += 1.5 if lesions[scanned[position]] else -1.5
            canvas.cue[index, 3:CELL, left + 1 : left + 5] = True
            canvas.cue_numbers[index, 3:CELL, left + 1 : left + 5] = (
                np.flatnonzero(query_order == scanned[position])[0] + 1
            )
            below = canvas.images[index, 0, CELL:, left : left + CELL]
            below[1:3, 1:5] += marks[query_order[position]]
            lower = (index, slice(CELL + 1, CELL + 3), slice(left + 1, left + 5))
            canvas.objects[lower] = LESION if lesions[query_order[position]] else LOOK_ALIKE
            canvas.numbers[lower] = position + 1
    return canvas


def _marks(cells: int) -> np.ndarray:
    """(cells, 2, 4) patterns of four bright and four dark pixels, far from each other."""
    balanced = MARKS[MARKS.sum(axis=1) == 4]
    chosen: list[np.ndarray] = []
    for least in (4, 3, 2):
        for mark in balanced:
            if len(chosen) < cells and all((mark != drawn).sum() >= least for drawn in chosen):
                chosen.append(mark)
    return np.array(chosen).reshape(cells, 2, 4) * 2.0 - 1.0
