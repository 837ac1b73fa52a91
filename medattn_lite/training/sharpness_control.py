"""Does a presence network call a healthy slice a tumour when it is less sharp?

A rendering artefact once blurred the brain around every tumour of the phantom, and a network learned the blur.
Here the same healthy heads are scanned as they are and after a blur of the tissue as strong as interpolation at
half a voxel. A network that looks at the tumour calls as many slices of one kind as of the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from medattn_lite.data.phantom import PhantomCohort
from medattn_lite.data.slice_cutting import fit_slice, slices_of
from medattn_lite.evaluation.mean_intervals import paired_share_interval
from medattn_lite.evaluation.metrics import auc
from medattn_lite.networks.trained import load_trained

BLUR = 0.45  # σ in voxels; takes as much roughness away as linear interpolation at half a voxel
HEIGHTS = (0.25, 0.85)  # of the head: where tumours occur


def sharpness_control(
    name: str = "presence_resnesat", *, subjects: int = 40, seed: int = 1000, blur: float = BLUR, progress: bool = True
) -> dict[str, Any]:
    """Healthy slices called tumour, sharp and blurred.

    Args:
        name: A network that ships, trained on presence by slice.
        subjects: Healthy heads.
        seed: Of the heads; not one that the network was trained with.
        blur: Extra blur of the tissue, σ in voxels.
        progress: Show a bar.

    Returns:
        Share called tumour (P above 0.5) sharp and blurred, their paired difference by head, the median
        probabilities, the AUC of blurred against sharp (0.5: cannot be told apart), and what was run.
    """
    from tqdm.auto import tqdm

    trained = load_trained(name)
    settings = trained.facts["settings"]
    phantom = {"shape": tuple(settings["size"]), **settings["phantom"]}
    phantom["shape"] = tuple(phantom["shape"])
    cohort = PhantomCohort(2 * subjects, task="presence", seed=seed, **phantom)
    rows: dict[str, list[float]] = {"sharp": [], "blurred": []}
    heads: list[str] = []
    for index in tqdm(range(0, 2 * subjects, 2), desc="healthy heads", disable=not progress, leave=False):
        for kind, soften in (("sharp", 0.0), ("blurred", blur)):
            sample = cohort.render(cohort.subject(index), soften=soften)
            slices = [item for item in slices_of(sample, "presence", 0.01) if HEIGHTS[0] <= item.height <= HEIGHTS[1]]
            images = torch.stack([fit_slice(item, sample, trained.size).image for item in slices])
            with torch.no_grad():
                rows[kind] += trained.network(images).softmax(dim=1)[:, 1].tolist()
        heads += [sample["subject"]] * len(slices)
    sharp, blurred = np.array(rows["sharp"]), np.array(rows["blurred"])
    difference = paired_share_interval(blurred > 0.5, sharp > 0.5, groups=heads)
    return {
        "network": name,
        "called_tumour_sharp": float(np.mean(sharp > 0.5)),
        "called_tumour_blurred": float(np.mean(blurred > 0.5)),
        "difference": difference.as_dict(),
        "median_probability_sharp": float(np.median(sharp)),
        "median_probability_blurred": float(np.median(blurred)),
        "auc_blurred_against_sharp": auc(np.repeat([0, 1], len(sharp)), np.concatenate([sharp, blurred])),
        "heads": subjects, "slices": len(sharp), "blur_voxels": blur, "seed": seed,
    }  # fmt: skip
