"""Labels of a tumour to the three regions that are scored: whole tumour, tumour core, enhancing tumour.

    whole tumour (WT)      1 ∪ 2 ∪ 4      core, oedema, enhancing
    tumour core (TC)       1 ∪ 4
    enhancing tumour (ET)  4

The regions overlap: each is a channel of its own, with a sigmoid of its own. Labels are those of every sample
(1 necrotic and non-enhancing core, 2 oedema, 4 enhancing); a resection cavity (5) belongs to none of them. A mask
of 0 and 1 only, such as the FLAIR abnormality of the LGG set, knows the whole tumour and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from medattn_lite.errors import UserError

REGIONS = {"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}
CAVITY = 5


def known_regions(labels: Iterable[int]) -> tuple[str, ...]:
    """The regions that masks with these labels can tell apart.

    Args:
        labels: every label that occurs in a data set, over all its patients.

    Raises:
        UserError: labels that mean something else.
    """
    present = {int(label) for label in labels} - {0}
    if not present:
        raise UserError("no mask of this data set has a label above 0: there is nothing to learn")
    if present == {1}:
        return ("WT",)
    if present - {*REGIONS["WT"], CAVITY}:
        raise UserError(f"masks with labels {sorted(present)} are not tumour regions: expected 1 core, 2 oedema, 4 "
                        "enhancing, or 1 alone; say what yours mean, as in --set label_map=1:1,2:2,3:4 (nifti, bids)")
    return tuple(REGIONS)


def tumour_regions(mask: Tensor, names: Sequence[str] = tuple(REGIONS)) -> Tensor:
    """Turns a mask of labels into one mask per region.

    Args:
        mask: (1, D, H, W) or (1, H, W) labels.
        names: regions wanted, in order.

    Returns:
        (R, D, H, W) uint8 of 0 and 1.

    Raises:
        UserError: an unknown region.
    """
    unknown = [name for name in names if name not in REGIONS]
    if unknown:
        raise UserError(f"no tumour region is called {unknown[0]!r}: use {', '.join(REGIONS)}")
    masks = [torch.isin(mask, torch.tensor(REGIONS[name], dtype=mask.dtype, device=mask.device)) for name in names]
    return torch.cat(masks).to(torch.uint8)


def region_labels(regions: Tensor, names: Sequence[str]) -> Tensor:
    """Regions that lie inside each other as one mask of labels, the way back from `tumour_regions`.

    Args:
        regions: (R, D, H, W) or (R, H, W) of 0 and 1, or of False and True.
        names: of the regions, in order. The inner ones lie over the outer; the whole tumour alone gets label 1.

    Returns:
        (D, H, W) or (H, W) uint8: 2 oedema, 1 the rest of the core, 4 enhancing. A network may put the core where it
        does not see a tumour; it is drawn nevertheless.

    Raises:
        UserError: an unknown region.
    """
    unknown = [name for name in names if name not in REGIONS]
    if unknown:
        raise UserError(f"no tumour region is called {unknown[0]!r}: use {', '.join(REGIONS)}")
    numbers = {"WT": 2, "TC": 1, "ET": 4} if len(names) > 1 else dict.fromkeys(names, 1)
    labels = torch.zeros(regions.shape[1:], dtype=torch.uint8, device=regions.device)
    for name in REGIONS:  # from the outside in
        if name in names:
            labels[regions[list(names).index(name)].bool()] = numbers[name]
    return labels
