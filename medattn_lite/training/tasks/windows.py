"""Sliding windows: a whole volume predicted piece by piece, and how many pieces that takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from medattn_lite.errors import UserError

MOST_WINDOWS = 2000  # per image; the recipes need fewer than 500


def slide(
    predict: Callable[[Tensor], Tensor], image: Tensor, size: Sequence[int], *, overlap: float = 0.5, batch: int = 4,
    progress: bool = False,
) -> Tensor:
    """Predicts window by window (MONAI's), the middle of a window counting more than its border.

    Args:
        predict: (B, C, *size) to (B, R, *size).
        image: (1, C, D, H, W), no side smaller than the window's.
        size: of the window.
        overlap: of neighbouring windows, 0 to below 1.
        batch: windows at once.
        progress: show a bar.

    Returns:
        (1, R, D, H, W).
    """
    from monai.inferers import SlidingWindowInferer

    inferer = SlidingWindowInferer(roi_size=tuple(size), sw_batch_size=batch, overlap=overlap, mode="gaussian",
                                   progress=progress)  # fmt: skip
    output = inferer(image, predict)
    assert isinstance(output, Tensor), "MONAI gives what `predict` gives"
    return output


def count_windows(shape: Sequence[int], size: Sequence[int], *, overlap: float) -> int:
    """How many windows `slide` cuts an image into.

    Args:
        shape: of the image, (D, H, W) in voxels.
        size: of the window, as many numbers.
        overlap: of neighbouring windows, 0 to below 1.
    """
    count = 1
    for length, window in zip(shape, size, strict=True):
        step = window if window >= length else max(1, int(window * (1 - overlap)))
        count *= math.ceil(max(length - window, 0) / step) + 1
    return count


def require_few_windows(shapes: Sequence[Sequence[int]], size: Sequence[int], *, overlap: float) -> None:
    """Looks at how long prediction would take, before anything is trained.

    Args:
        shapes: of the images, (D, H, W) in voxels.
        size: of the window.
        overlap: of neighbouring windows, 0 to below 1.

    Raises:
        UserError: an image would be cut into more than `MOST_WINDOWS` windows.
    """
    shape = max(shapes, key=lambda shape_of_case: count_windows(shape_of_case, size, overlap=overlap))
    count = count_windows(shape, size, overlap=overlap)
    if count > MOST_WINDOWS:
        grid, window = ("×".join(map(str, sides)) for sides in (shape, size))
        raise UserError(f"size={','.join(map(str, size))} with overlap={overlap:g} cuts an image of {grid} voxels into "
                        f"{count:,} windows of {window}: take a larger size or less overlap (at most "
                        f"{MOST_WINDOWS:,} windows per image)")  # fmt: skip
