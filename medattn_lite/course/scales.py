"""The one word that says how long a notebook may take: smoke, laptop or paper."""

from __future__ import annotations

from typing import TypeVar

from medattn_lite.errors import UserError

T = TypeVar("T")

SCALES: dict[str, str] = {
    "smoke": "a first look: at most a minute a notebook on two CPU cores",
    "laptop": "a result worth looking at: at most ten minutes on two to four CPU cores",
    "paper": "the published sizes and schedule: needs a GPU",
}


def check_scale(scale: str) -> str:
    """The scale itself, if it is one.

    Raises:
        UserError: `scale` is none of smoke, laptop and paper.
    """
    if scale not in SCALES:
        raise UserError(f"SCALE is {scale!r}, but it must be one of {', '.join(SCALES)}")
    return scale


def scale_numbers(scale: str, *, smoke: T, laptop: T, paper: T) -> T:
    """Chooses the numbers for this scale; a network's class is the same at each.

    Args:
        scale: the notebook's parameter `SCALE`.
        smoke: what to use for a first look.
        laptop: what to use for a result worth looking at.
        paper: what the paper used.

    Returns:
        The one of the three that belongs to `scale`; a dict, a tuple or a single number.

    Raises:
        UserError: `scale` is none of smoke, laptop and paper.
    """
    return {"smoke": smoke, "laptop": laptop, "paper": paper}[check_scale(scale)]
