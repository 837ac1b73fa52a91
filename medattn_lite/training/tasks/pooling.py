"""A volume at a whole fraction of its resolution: the mean over blocks of voxels, and where they lie.

Coarse images can be had in two ways. Scanned (or rendered) at thick voxels they keep the noise of a single voxel; the
mean over 2×2×2 fine ones has an eighth of its variance.
"""

from __future__ import annotations

import numpy as np
from torch.nn import functional

from medattn_lite.data.dataset import Sample


def pooled(sample: Sample, factor: int) -> Sample:
    """A sample whose image is the mean over blocks of factor³ voxels, and its mask the block's largest label.

    Args:
        sample: `image` (C, D, H, W); `mask` (1, D, H, W), `affine` (4, 4) and the voxel size in `meta`, where known.
        factor: 1 leaves the sample as it is.

    Returns:
        sides divided by the factor, rounded down; the affine is that of the blocks' middles.
    """
    if factor == 1:
        return sample
    coarse: Sample = {**sample, "image": functional.avg_pool3d(sample["image"].float()[None], factor)[0]}
    if sample.get("mask") is not None:
        mask = functional.max_pool3d(sample["mask"].float()[None], factor)[0]
        coarse["mask"] = mask.to(sample["mask"].dtype)
    if sample.get("affine") is not None:
        scale = np.diag([factor, factor, factor, 1.0])
        scale[:3, 3] = (factor - 1) / 2  # the middle of the first block, in old voxels
        coarse["affine"] = np.asarray(sample["affine"], dtype=float) @ scale
    facts = sample.get("meta", {})
    sizes = {name: facts[name] for name in ("voxel_size_mm", "spacing_mm") if facts.get(name) is not None}
    larger = {name: tuple(factor * float(side) for side in size) for name, size in sizes.items()}
    return coarse | {"meta": {**facts, **larger}}
