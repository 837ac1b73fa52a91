"""What notebook 08 needs around its subject: boxes around tumours, what the phantoms' law holds, a training, scores,
a made-up cohort, and what a library says when it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.data.dataset import Sample

if TYPE_CHECKING:
    from medattn_lite.survival import FollowUp, Predicted

HEAD_MM = (156.0, 240.0, 240.0)  # (D, H, W) that an image of unknown voxel size is taken to cover


def boxed_patients(dataset: Iterable[Sample], *, spacing_mm: float, side: int) -> list[Sample]:
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
            plain: Sample = {**sample, "image": normalise(sample["image"])}
            samples.append(crop_around(resample_unknown(plain, HEAD_MM, spacing_mm), (side,) * 3))
    return samples


def true_log_risks(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Reads the log risk by which phantoms die, (N,): all of it, and the part that the tumour holds.

    Age, and how much was removed, are not in the picture; the rest is.
    """
    from medattn_lite.data.phantom import AGE, RESECTIONS

    meta = [sample["meta"] for sample in samples]
    everything = np.array([patient["oracle_risk"] for patient in meta])
    unseen = np.array([AGE * (patient["age_years"] - 60) / 10 + RESECTIONS[patient["resection"]] for patient in meta])
    return {"ceiling: the tumour": everything - unseen, "ceiling: everything": everything}


def train_mirrored(
    network: nn.Module,
    images: Tensor,
    rows: np.ndarray,
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    iterations: int,
    batch_size: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Trains a network in place by AdamW, on images each of which is mirrored left to right in half of its batches.

    Args:
        network: from images (B, C, D, H, W) to outputs (B, K).
        images: (N, C, D, H, W), on the CPU; W is left to right.
        rows: of the images, to train on.
        loss: of outputs (B, K), on the CPU, and their rows (B,).
        iterations: steps of the optimiser.
        batch_size: images per step, none of them twice; all where there are fewer.
        seed: of the batches, and of what is mirrored.
        device: where to train.

    Returns:
        the network, on the CPU, in eval mode.
    """
    generator, pool = torch.Generator().manual_seed(seed), torch.from_numpy(rows)
    network.to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
    for _ in range(iterations):
        batch = pool[torch.randperm(len(pool), generator=generator)[:batch_size]]
        mirrored = torch.rand(len(batch), 1, 1, 1, 1, generator=generator) < 0.5
        seen = torch.where(mirrored, images[batch].flip(-1), images[batch])
        value = loss(network(seen.to(device)).cpu(), batch)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return network.cpu().eval()


def uno_and_brier(predicted: Predicted) -> tuple[float, float]:
    """Scores predictions in two ways beside Harrell's C-index.

    Returns:
        Uno's C-index of deaths before nine tenths of the follow-up times (later ones would have large weights), and
        the Brier score integrated over the days of the predictions.
    """
    from medattn_lite.survival import c_index_ipcw, integrated_brier

    until = float(np.quantile(predicted.patients.time, 0.9))
    uno = c_index_ipcw(predicted.patients, predicted.risk, until=until, n=0).value
    return uno, integrated_brier(predicted.patients, predicted.survival, predicted.days, train=predicted.train)


def refusal(function: Callable[..., Any], *arguments: Any) -> str:
    """Returns what a function says when it refuses its arguments by a `ValueError`; "not refused" if it takes them."""
    try:
        function(*arguments)
    except ValueError as error:
        return str(error)
    return "not refused"


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
