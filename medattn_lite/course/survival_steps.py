"""What notebook 08 needs around its subject: boxes around tumours, what the phantoms' law holds, a made-up cohort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from medattn_lite.survival import FollowUp

HEAD_MM = (156.0, 240.0, 240.0)  # (D, H, W) that an image of unknown voxel size is taken to cover


def boxed_patients(dataset: Iterable[dict[str, Any]], *, spacing_mm: float, side: int) -> list[dict[str, Any]]:
    """Cuts a normalised box around the tumour of each patient whose follow-up is known.

    Args:
        dataset: raw samples.
        spacing_mm: edge of a voxel, for images of unknown voxel size.
        side: of the box, in voxels.
    """
    from medattn_lite.data import crop_around, normalise
    from medattn_lite.training.tasks import resample_unknown

    samples = []
    for sample in dataset:
        if sample.get("time"):
            plain = {**sample, "image": normalise(sample["image"])}
            samples.append(crop_around(resample_unknown(plain, HEAD_MM, spacing_mm), (side,) * 3))
    return samples


def true_log_risks(samples: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Reads the log risk by which phantoms die, (N,): all of it, and the part that the tumour holds.

    Age, and how much was removed, are not in the picture; the rest is.
    """
    from medattn_lite.data.phantom import AGE, RESECTIONS

    meta = [sample["meta"] for sample in samples]
    everything = np.array([patient["oracle_risk"] for patient in meta])
    unseen = np.array([AGE * (patient["age_years"] - 60) / 10 + RESECTIONS[patient["resection"]] for patient in meta])
    return {"ceiling: the tumour": everything - unseen, "ceiling: everything": everything}


def cohorts_that_leave(seed: int, *, patients: int = 3000) -> Iterator[tuple[float, FollowUp, np.ndarray]]:
    """Makes one cohort five times, with more and more patients who leave by chance.

    Half of the patients die early, about a year on, and `risk` tells who dies first among them; the other half dies
    later, and it tells nothing of them. Patients leave evenly until year 1,000,000, 40, 20, 12 or 8; the study closes
    in year 7.

    Args:
        seed: of everything.
        patients: number of them.

    Yields:
        per cent who left before they died, the follow-up in years, and the risk (N,).
    """
    from medattn_lite.survival import FollowUp

    random = np.random.default_rng(seed)
    risk = random.normal(size=patients)
    early = random.random(patients) < 0.5
    death = np.where(early, random.exponential(np.exp(-1.5 * risk)), 3 + random.exponential(2, patients))
    for longest in (1e6, 40, 20, 12, 8):
        end = np.minimum(random.uniform(0, longest, size=patients), 7)
        left = 100 * float(np.mean((end < death) & (end < 7)))
        yield left, FollowUp(np.minimum(death, end), death <= end), risk
