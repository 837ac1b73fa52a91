"""One axial slice after another: cut from a volume, labelled, scaled to one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from medattn_lite.data.dataset import Dataset, Sample
from medattn_lite.data.nifti_io.volumes import voxel_sizes
from medattn_lite.data.transforms import foreground, normalise

ENOUGH_HEAD = 0.4  # of the largest slice's foreground


@dataclass
class Slice:
    """One axial slice.

    Attributes:
        subject: its patient.
        depth: index in its volume.
        height: 0 at the lowest slice used of the patient, 1 at the highest.
        head: foreground, as a share of the patient's largest slice.
        tumour: tumour area, as a share of the patient's largest foreground.
        label: class, None where the slice is left out.
        image: (C, H, W), normalised.
        mask: (1, H, W) uint8, empty where the volume has none.
        signal: (1, H, W) bool, for phantoms.
    """

    subject: str
    depth: int
    height: float
    head: float
    tumour: float
    label: int | None
    image: torch.Tensor = field(repr=False)
    mask: torch.Tensor = field(repr=False)
    signal: torch.Tensor | None = field(repr=False)


def samples_of(dataset: Dataset, progress: bool) -> Iterable[Sample]:
    """The samples one by one, with a bar."""
    from tqdm.auto import tqdm

    numbers = tqdm(range(len(dataset)), desc="reading slices", unit="patient", disable=not progress, leave=False)
    return (dataset[number] for number in numbers)


def slices_of(sample: Sample, task: str, min_tumour: float) -> list[Slice]:
    """The slices of one sample that show enough head."""
    image: torch.Tensor = sample["image"]
    mask: torch.Tensor | None = sample.get("mask")
    signal: torch.Tensor | None = sample.get("signal")
    if image.ndim == 3:  # a picture is one slice
        image = image.unsqueeze(1)
        mask, signal = (None if x is None else x.unsqueeze(1) for x in (mask, signal))
    if task == "presence" and mask is None:
        return []
    inside = foreground(image)
    head = inside[0].flatten(1).sum(dim=1).float()
    largest = head.max().clamp(min=1)
    tumour = torch.zeros_like(head) if mask is None else (mask > 0).any(dim=0).flatten(1).sum(dim=1).float()
    used = torch.nonzero(head >= ENOUGH_HEAD * largest).flatten().tolist()
    scored = normalise(image, inside)
    slices = []
    for depth in used:
        area = float(tumour[depth] / largest)
        slices.append(Slice(
            subject=sample["subject"],
            depth=depth,
            height=(depth - used[0]) / max(used[-1] - used[0], 1),
            head=float(head[depth] / largest),
            tumour=area,
            label=_label(sample, task, area, min_tumour if mask is not None else 0.0),
            image=scored[:, depth],
            mask=torch.zeros_like(scored[:1, depth], dtype=torch.uint8) if mask is None else mask[:, depth],
            signal=None if signal is None else signal[:, depth],
        ))
    return slices


def _label(sample: Sample, task: str, area: float, min_tumour: float) -> int | None:
    if task == "presence":
        return 1 if area >= min_tumour else 0 if area == 0 else None
    return int(sample["label"]) if area >= min_tumour and sample.get("label") is not None else None


def fit_slice(item: Slice, sample: Sample, size: Sequence[int]) -> Slice:
    """Scales a slice to fit `size` with its true aspect ratio, and pads the rest."""
    inner, pads = letterbox(item.image.shape[1:], sample.get("affine"), size)
    image = item.image[None]
    if inner != tuple(image.shape[2:]):
        image = F.interpolate(image, size=inner, mode="bilinear", antialias=True)
    image = torch.stack([F.pad(channel, pads, value=float(channel.min())) for channel in image[0]])
    signal = None if item.signal is None else F.pad(_nearest(item.signal, inner), pads)
    return replace(item, image=image, mask=F.pad(_nearest(item.mask, inner), pads), signal=signal)


def letterbox(
    shape: Sequence[int], affine: np.ndarray | None, size: Sequence[int]
) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Finds how a slice fits into a picture with its true aspect ratio.

    Args:
        shape: (H, W) of the slice.
        affine: of its volume; None for square pixels.
        size: (H, W) of the picture.

    Returns:
        size that the slice is scaled to, and the padding around it: left, right, lower H, upper H, as torch pads.
    """
    high, wide = (1.0, 1.0) if affine is None else voxel_sizes(np.asarray(affine))[1:]
    height, width = shape[0] * high, shape[1] * wide  # mm
    scale = min(size[0] / height, size[1] / width)
    inner = (min(size[0], max(1, round(height * scale))), min(size[1], max(1, round(width * scale))))
    margin = (size[1] - inner[1], size[0] - inner[0])
    return inner, (margin[0] // 2, margin[0] - margin[0] // 2, margin[1] // 2, margin[1] - margin[1] // 2)


def _nearest(labels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(labels.shape[1:]) == size:
        return labels
    return F.interpolate(labels[None].float(), size=size, mode="nearest-exact")[0].to(labels.dtype)
