"""What stands beside a survival network so that its C-index can be read: controls that must work, fail, or be the end.

    outline     Cox's model of two numbers measured in the tumour's mask, its volume and the dead share of its core.
                Of phantoms it must be above chance, because deaths depend on both. A network that stays below it has
                not read the tumour.
    shuffled    the same network, outcomes shuffled among the training patients and among those whom the state
                is chosen on. The test has the true ones: it must be at chance.
    oracles     a phantom's true risk: the best that anything could reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medattn_lite.data.phantom.survival import AGE, RESECTIONS
from medattn_lite.survival.c_index_intervals import c_index
from medattn_lite.survival.follow_up import FollowUp

OUTLINE = ("log volume", "dead share of the core")
DEAD, ENHANCING = 1, 4  # labels of BraTS: 1 is the core that does not enhance
LIVING_CORE = 0.2  # a core of which less than this enhances is no dead one: it is a low-grade tumour's


def outline_values(sample: Mapping[str, Any]) -> tuple[float, float]:
    """Computes log(1 + the tumour's mL), of voxels where their size is unknown, and the dead share of its core.

    Args:
        sample: `mask` (1, D, H, W) with BraTS' labels; any other numbers above 0 are tumour without a dead part.

    Returns:
        NaN for both without a mask; a dead share of 0 where hardly anything enhances.
    """
    mask = sample.get("mask")
    if mask is None:
        return float("nan"), float("nan")
    size = sample["meta"].get("voxel_size_mm", sample["meta"].get("spacing_mm"))
    volume = float((mask > 0).sum()) * (1.0 if size is None else float(np.prod(size)) / 1000)
    dead, enhancing = (float((mask == label).sum()) for label in (DEAD, ENHANCING))
    has_ring = enhancing > LIVING_CORE * (dead + enhancing)
    return float(np.log1p(volume)), dead / (dead + enhancing) if has_ring else 0.0


def deal_outcomes(rows: Sequence[np.ndarray], *, count: int, seed: Sequence[int]) -> np.ndarray:
    """Whose outcome each patient gets when outcomes are shuffled within groups of rows, (count,).

    Args:
        rows: groups, such as training and validation rows; all others keep their own.
        count: patients in all.
        seed: of the dealing.
    """
    whose = np.arange(count)
    for number, group in enumerate(rows):
        whose[group] = np.random.default_rng([*seed, number]).permutation(group)
    return whose


def oracle_scores(
    facts: Sequence[Mapping[str, Any]], time: np.ndarray, event: np.ndarray, *, draws: int
) -> dict[str, dict[str, Any]]:
    """C-index of the phantoms' true risk, whole and in two parts: from age and resection, and from the tumour.

    Args:
        facts: `meta` of N phantoms.
        time: (N,) days.
        event: (N,) bool.
        draws: of the bootstrap.
    """
    whole = np.array([row_facts["oracle_risk"] for row_facts in facts])
    clinical = np.array(
        [AGE * (row_facts["age_years"] - 60) / 10 + RESECTIONS[row_facts["resection"]] for row_facts in facts]
    )
    risks = {"all": whole, "age and resection": clinical, "tumour": whole - clinical}
    return {name: c_index(FollowUp(time, event), risk, n=draws).as_dict() for name, risk in risks.items()}
