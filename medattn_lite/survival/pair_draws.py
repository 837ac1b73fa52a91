"""Bootstrap draws of a C-index without drawing a row: a pair counts as often as its two patients were drawn together.

    C(draw) = wᵀ A w / wᵀ P w        w: how often each patient was drawn; A: pairs in order; P: comparable pairs

The same draws as those of `bootstrap`, so the same interval, for two products of matrices. Pairs are made some rows at
a time, so that memory grows with N.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from medattn_lite.evaluation.intervals import drawn_counts, units_of
from medattn_lite.survival.concordance import SAME_RISK

ROWS = 512  # patients whose pairs are looked at together


def c_index_draws(
    event: np.ndarray, time: np.ndarray, risk: np.ndarray, *, groups: Sequence | None, n: int, seed: int
) -> np.ndarray:
    """The C-index of each of `n` draws of patients, (n,); NaN where no two patients of a draw can be compared.

    Args:
        event: (N,) bool.
        time: (N,) days.
        risk: (N,) higher means earlier death.
        groups: N patient ids, or None where each row is a patient.
        n: draws.
        seed: of the draws.
    """
    unit, units = units_of(len(time), groups)
    c_indices = []
    for counts in drawn_counts(units, n, seed):
        weights = counts[:, unit]  # (draws, N)
        agreeing, comparable = np.zeros(len(weights)), np.zeros(len(weights))
        for rows, in_order, known in pair_blocks(event, time, risk):
            block_weights = weights[:, rows]
            agreeing += np.einsum("dn,dn->d", block_weights @ in_order, weights)
            comparable += np.einsum("dn,dn->d", block_weights @ known, weights)
        c_indices.append(np.divide(agreeing, comparable, out=np.full(len(weights), np.nan), where=comparable > 0))
    return np.concatenate(c_indices)


def pair_blocks(
    event: np.ndarray, time: np.ndarray, risk: np.ndarray, rows: int = ROWS
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Pairs (i, j) in which i dies first, some i at a time: the i, in order (0, ½, 1) and comparable, (R, N) each."""
    for first in range(0, len(time), rows):
        block = slice(first, first + rows)
        day = time[block, None]
        known = ((day < time) | ((day == time) & ~event)) & event[block, None]
        apart = risk[block, None] - risk
        in_order = known * ((apart > SAME_RISK) + 0.5 * (np.abs(apart) <= SAME_RISK))
        yield block, in_order, known.astype(float)
