"""What a method finds before `explain_image` brings it to the image's grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from medattn_lite.explain.model import Target


@dataclass(frozen=True)
class MethodResult:
    """A map on the grid where it was found.

    Attributes:
        values: (B, d, h, w) or (B, h, w).
        scores: (B,) the target's value for each image; NaN without a target.
        layer: where it was taken; None for methods of the image itself.
        notes: what a reader must know.
        target: what was asked, fixed to the images; None for attention.
    """

    values: Tensor
    scores: Tensor
    layer: str | None = None
    notes: tuple[str, ...] = ()
    target: Target | None = None


def notes_for(rows: Tensor, words: str) -> list[str]:
    """A note about the images that it is true of, by number; none where there is none.

    Args:
        rows: (B,) bool.
        words: the note.
    """
    if not bool(rows.any()):
        return []
    numbers = torch.nonzero(rows).flatten().tolist()
    return [words if len(rows) == 1 else f"image {', '.join(map(str, numbers))}: {words}"]
