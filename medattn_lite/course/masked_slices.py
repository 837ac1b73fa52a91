"""One slice of each patient with its mask on it, as a sheet that can be looked at in a minute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def slice_with_most(mask: Tensor) -> int:
    """Finds the slice (D, …) of a mask with most of it; the middle one where the mask is empty."""
    areas = (mask > 0).flatten(1).sum(dim=1)
    return int(areas.argmax()) if bool(areas.any()) else len(mask) // 2


def show_masked_slices(slices: Mapping[str, tuple[Tensor, Tensor]], *, title: str) -> None:
    """Shows pictures with their masks: on one sheet where all are of one size, else one after another.

    Args:
        slices: name of the patient → picture (H, W) and mask (H, W).
        title: of the sheet, such as the channel's name.
    """
    from medattn_lite import plots

    def sheet(names: list[str]) -> None:
        pictures = torch.stack([slices[name][0] for name in names])
        masks = torch.stack([slices[name][1] > 0 for name in names]).to(torch.uint8)
        options: dict[str, Any] = {"labels": {1: "mask"}, "opacity": 0.35, "orientation_labels": True, "title": title}
        plots.show(plots.image_grid(pictures, titles=names, overlays=masks, **options))

    same_shape = len({picture.shape for picture, _ in slices.values()}) == 1
    for names in [list(slices)] if same_shape else [[name] for name in slices]:
        sheet(names)
