"""Mass effect: tissue displaced from where a lesion grows, as one field of shifts in mm.

Tissue at distance `r` from a centre comes from `r − a (r/R) exp(1 − r/R)`: nothing moves at the centre,
the shift is largest (`a`) at the lesion's edge `R` and fades outside; at the skull it is 0. The anatomy
is looked up once, at the shifted points, so that tissue that moved is as sharp as tissue that did not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from medattn_lite.data.phantom.fields import smoothstep, triple


@dataclass(frozen=True)
class Push:
    """What one lesion does to the tissue around it.

    Attributes:
        centre_mm: World (z, y, x) of the lesion's centre in mm.
        radius_mm: Distance at which the shift is largest.
        amount_mm: Largest shift; at most a third of the radius is used, so that tissue never folds over.
        reach_mm: Distance from the centre at which the shift has faded out.
    """

    centre_mm: tuple[float, float, float]
    radius_mm: float
    amount_mm: float
    reach_mm: float


def push(centre: torch.Tensor, radius_mm: float, amount_mm: float, reach_mm: float) -> Push:
    """A `Push` from a centre given as a tensor (z, y, x) in mm."""
    return Push(triple(float(value) for value in centre), radius_mm, amount_mm, reach_mm)


def displacement(points: torch.Tensor, brain_depth: torch.Tensor, pushes: tuple[Push, ...]) -> torch.Tensor:
    """How far the tissue at each point has moved, `(n, 3)` as (z, y, x) in mm; it comes from `points − shift`.

    Args:
        points: World points `(n, 3)` as (z, y, x) in mm.
        brain_depth: Depth of each point under the hull of the brain in mm, `(n,)`.
        pushes: One per lesion; their shifts add up.
    """
    shift = torch.zeros_like(points)
    free = smoothstep(brain_depth, 0.0, 14.0)
    for push in pushes:
        away = points - points.new_tensor(push.centre_mm)
        distance = away.square().sum(-1).sqrt()
        length = min(push.amount_mm, 0.33 * push.radius_mm) / push.radius_mm * torch.exp(1 - distance / push.radius_mm)
        length = length * smoothstep(distance, push.reach_mm, 0.6 * push.reach_mm)
        shift += (length * free)[..., None] * away
    return shift
