"""Pairs of patients that can be compared, counted in N log N: for Harrell's C-index of one patient or of a million.

Two patients can be compared when one died, and the other was followed longer or left alive on that very day. Sorted by
time, the patients whom a death can be compared with are all those behind some row. The rows behind a row are at most
log₂ N blocks of 1, 2, 4, … rows, cut as a binary number is; in a block that is sorted by risk, one binary search finds
how many have the lower risk. Blocks are sorted, and searched for all deaths at once, one size after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medattn_lite.errors import UserError

SAME_RISK = 1e-8  # risks closer than this are tied, as in scikit-survival


@dataclass(frozen=True)
class PairCounts:
    """For each patient, pairs with all others, in which the patient died first or second; (N,) int each.

    Attributes:
        concordant: the higher risk died first.
        tied: one risk for both.
        comparable: known who died first.
    """

    concordant: np.ndarray
    tied: np.ndarray
    comparable: np.ndarray

    @property
    def agreeing(self) -> np.ndarray:
        """(N,) pairs in order, a tie as one half."""
        return self.concordant + 0.5 * self.tied

    @property
    def c_index(self) -> float:
        """Harrell's; NaN without a pair."""
        pairs = self.comparable.sum()
        return float(self.agreeing.sum() / pairs) if pairs else float("nan")


def pair_counts(
    event: np.ndarray,
    time: np.ndarray,
    risk: np.ndarray,
    *,
    tolerance: float = SAME_RISK,
    within: np.ndarray | None = None,
) -> PairCounts:
    """Counts each patient's pairs; memory grows with N, time with N log N.

    Args:
        event: (N,) bool, True where death was seen.
        time: (N,) days.
        risk: (N,) finite, higher means earlier death.
        tolerance: risks that differ by no more are tied; they need not be tied with a common third.
        within: (N,) fold of each; only patients of one fold are compared. All with all if None.
    """
    if within is not None:
        columns, total = [np.asarray(column) for column in (event, time, risk)], np.zeros((3, len(within)), dtype=int)
        for fold in np.unique(within):
            in_fold = np.asarray(within) == fold
            inside = pair_counts(*(column[in_fold] for column in columns), tolerance=tolerance)
            total[:, in_fold] = inside.concordant, inside.tied, inside.comparable
        return PairCounts(*total)
    event, time, risk = np.asarray(event, dtype=bool), np.asarray(time, dtype=float), np.asarray(risk, dtype=float)
    order = np.lexsort((~event, time))  # who left alive on the day of a death stands behind it
    event = event[order]
    rank, *wanted = (column[order] for column in _ranks(risk, tolerance))
    _, first, day = np.unique(time[order], return_index=True, return_inverse=True)
    deaths = np.bincount(day, event).astype(np.int64)  # of each day
    died = np.flatnonzero(event)
    counts = np.zeros((3, len(rank)), dtype=np.int64)  # concordant, tied, comparable

    # Who died first: the second is any row behind the deaths of that day.
    start = (first + deaths)[day[died]]
    lower, not_higher = _rows_behind(rank, start, [ranks[died] for ranks in wanted])
    counts[:, died] = lower, not_higher - lower, len(rank) - start

    # Who came second: the first is any death of an earlier day, or of the same day for who left alive.
    earlier = (np.cumsum(deaths) - deaths)[day] + np.where(event, 0, deaths[day])
    lower, not_higher = _rows_behind(rank[died][::-1], len(died) - earlier, wanted)
    counts += earlier - not_higher, not_higher - lower, earlier

    ordered = np.empty_like(counts)
    ordered[:, order] = counts
    return PairCounts(*ordered)


def harrell_c(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> float:
    """Computes Harrell's C-index (1982): the share of comparable pairs in which the higher risk dies first.

    Args:
        event: (N,) bool, True where death was seen, False where follow-up ended first.
        time: (N,) days to death or end of follow-up.
        risk: (N,) higher means earlier death.

    Returns:
        NaN where no two patients can be compared.

    Raises:
        UserError: a risk is not a number.
    """
    if not np.isfinite(risk).all():
        raise UserError("a risk is NaN or infinite: leave these patients out, or mend the model")
    return pair_counts(event, time, risk).c_index


def _ranks(risk: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) each: place of a risk among the different ones, how many of these lie below it, and how many not above it.

    A risk within the tolerance lies neither below nor above.
    """
    different, rank = np.unique(risk, return_inverse=True)
    below = _count(different, tolerance, side="left")
    upto = _count(different, -tolerance, side="right")
    return rank, below[rank], upto[rank]


def _count(different: np.ndarray, apart: float, *, side: Literal["left", "right"]) -> np.ndarray:
    """For each of K rising numbers, how many come before it by more than `apart` ("left"), or no less ("right")."""
    place = np.searchsorted(different, different - apart, side=side)
    inside = np.r_[different, np.inf]
    beyond = np.greater if side == "left" else np.greater_equal
    # Subtracting rounds, so the place may be one off: the difference itself decides.
    place -= (place > 0) & ~beyond(different - inside[place - 1], apart)
    return place + beyond(different - inside[place], apart)


def _rows_behind(rank: np.ndarray, start: np.ndarray, wanted: Sequence[np.ndarray]) -> np.ndarray:
    """How many rows from `start` on have a rank below each of the wanted ones: (M, Q).

    Args:
        rank: (N,) of each row.
        start: (Q,) first row of each question, 0 … N.
        wanted: M times (Q,).
    """
    rows = 1 << len(rank).bit_length()  # more than N
    beyond = int(max((ranks.max(initial=0) for ranks in wanted), default=0)) + 1  # a rank that no question counts
    blocks = np.full(rows, beyond)
    blocks[1 : len(rank) + 1] = np.minimum(rank, beyond)  # from row 1 on: 0 has no binary digit to begin a block with
    at = start + 1
    rows_behind = np.zeros((len(wanted), len(start)), dtype=np.int64)
    width = 1
    while width < rows:
        right_children = np.flatnonzero(at & width)
        number = at[right_children] // width
        blocks = np.sort(blocks.reshape(-1, width), axis=1)
        keys = (blocks + (beyond + 1) * np.arange(len(blocks))[:, None]).ravel()  # rising from block to block
        for counts, ranks in zip(rows_behind, wanted, strict=True):
            counts[right_children] += (
                np.searchsorted(keys, ranks[right_children] + (beyond + 1) * number) - width * number
            )
        at[right_children] += width
        width *= 2
    return rows_behind
