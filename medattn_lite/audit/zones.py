"""The same kind of tissue is left out in every class: a zone of each other class, fitted to the head.

What lies far from a lesion depends on the lesion: without the tissue around large lesions by the ventricles, or
around one on the dura, the rest of a head has another histogram and another sharpness. So every case leaves out its
own zone and one of a case of each other class; for survival, one of the patient at the mirrored rank of risk. All
classes then lack the same zones, and the rest differs by what is not the lesion's place and size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_CELLS = 64  # along a side: a zone is kept until other cases borrow it


@dataclass(frozen=True)
class Zone:
    """A lesion and its margin.

    Attributes:
        cells: (D, H, W) bool, the box around the head, at most 64 cells along a side.
    """

    cells: np.ndarray

    @classmethod
    def of(cls, zone: np.ndarray, head: np.ndarray) -> Zone | None:
        """A zone in the box around its own head, both (D, H, W) bool; None without a head."""
        box = box_of(head)
        if box is None:
            return None
        inside = zone[box]
        shape = tuple(min(side, MOST_CELLS) for side in inside.shape)
        return cls(inside[_places(inside.shape, shape)].copy())

    def fitted(self, head: np.ndarray) -> np.ndarray:
        """The zone at the same place of another head, (D, H, W) bool."""
        mask, box = np.zeros(head.shape, dtype=bool), box_of(head)
        if box is not None:
            mask[box] = self.cells[_places(self.cells.shape, mask[box].shape)]
        return mask


def box_of(head: np.ndarray) -> tuple[slice, slice, slice] | None:
    """The box around a head, (D, H, W) bool; None where it is empty."""
    if not head.any():
        return None
    used = [np.flatnonzero(head.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    depth, height, width = (slice(places[0], places[-1] + 1) for places in used)
    return depth, height, width


def choose_zones(
    groups: Sequence[Any], zones: Sequence[Zone | None], *, partners: Sequence[int] | None = None, seed: int = 0
) -> list[list[Zone]]:
    """What every case borrows; a case without a zone borrows one of its own class too.

    Args:
        groups: the class of each case.
        zones: the zone of each, None without a lesion.
        partners: for survival, who borrows from whom; the groups are not looked at.
        seed: of the choice.
    """
    random = np.random.default_rng(seed)
    known = [at for at, zone in enumerate(zones) if zone is not None]
    if partners is not None:
        return [_of_partner(at, partners[at], zones, known, random) for at in range(len(zones))]
    owners = {group: random.permutation([at for at in known if groups[at] == group]) for group in dict.fromkeys(groups)}
    used = dict.fromkeys(owners, 0)
    chosen = []
    for group, zone in zip(groups, zones, strict=True):
        borrowed = []
        for other, cases in owners.items():
            if len(cases) and (other != group or zone is None):  # in turn, so that each is borrowed about as often
                borrowed.append(zones[cases[used[other] % len(cases)]])
                used[other] += 1
        chosen.append(borrowed)
    return chosen


def mirrored(scores: np.ndarray) -> list[int]:
    """The partner of each patient: the one as far from the other end of the order of scores, (N,)."""
    order = np.argsort(scores, kind="stable")
    partners = np.empty(len(order), dtype=int)
    partners[order] = order[::-1]
    return partners.tolist()


def _of_partner(
    at: int, partner: int, zones: Sequence[Zone | None], known: list[int], random: np.random.Generator
) -> list[Zone]:
    wanted = [partner] if zones[at] is not None else [at, partner]
    if not known:
        return []
    lent = (zones[case] for case in wanted)
    drawn = (zone if zone is not None else zones[int(random.choice(known))] for zone in lent)
    return [zone for zone in drawn if zone is not None]


def _places(old: Sequence[int], new: Sequence[int]) -> tuple[np.ndarray, ...]:
    """The nearest places on an old grid of each place on a new one of the same extent."""
    return np.ix_(*(((np.arange(after) + 0.5) * before / after).astype(int)
                    for before, after in zip(old, new, strict=True)))
