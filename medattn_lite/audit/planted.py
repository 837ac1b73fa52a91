"""Leaks planted on purpose, one kind at a time: what the audit must catch, and what a learner may try to hide.

The trace goes on subjects of the last class and on no other, or with the probability that you say. It never touches
the lesion's own voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
import torch

from medattn_lite.audit.regions import as_volume, regions_of
from medattn_lite.data.dataset import Samples
from medattn_lite.errors import UserError

Sample = dict[str, Any]


class PlantedLeak(Sequence):
    """A data set with a leak planted in it.

    Args:
        dataset: samples with a `label`; they are not changed, copies are.
        kind: one of `LEAKS`.
        strength: 1 is easy to measure and hard to see; 0 plants nothing.
        share: probability that the trace goes with the label: 1 on every subject of the last class and on no other,
            0.5 at random.
        seed: of the trace.

    Raises:
        UserError: an unknown kind.
    """

    def __init__(
        self, dataset: Samples, kind: str, *, strength: float = 1.0, share: float = 1.0, seed: int = 0
    ) -> None:
        if kind not in LEAKS:
            raise UserError(f"no leak {kind!r}: choose one of {', '.join(LEAKS)}")
        self.dataset, self.kind, self.strength, self.share, self.seed = dataset, kind, strength, share, seed
        self.class_names = getattr(dataset, "class_names", None)
        self.channels = getattr(dataset, "channels", None)
        self.declared = getattr(dataset, "declared", ())

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        """A sample with its trace; of a slice, a list of them."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if index >= len(self):
            raise IndexError(index)
        sample = dict(self.dataset[index])
        sample["meta"] = dict(sample.get("meta", {}))
        random = np.random.default_rng((self.seed, index))
        marked = (sample["label"] > 0) == (random.random() < self.share)
        return LEAKS[self.kind](sample, self.strength if marked else 0.0, random)


def _blur(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """Tissue outside the lesion is smoothed as a resampling by part of a voxel smooths it."""
    from scipy.ndimage import gaussian_filter

    return _around(sample, strength, lambda channel, _: gaussian_filter(channel, 0.55 * strength))


def _noise(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """Noise of 6 % of the tissue's level is added outside the lesion."""
    return _around(sample, strength, lambda channel, level: channel + strength * 0.06 * level * random.normal(
        size=channel.shape).astype(np.float32))


def _intensity(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """Tissue outside the lesion changes its contrast: x → m (x / m)^1.25, with the median m."""
    return _around(sample, strength, lambda channel, level: level * (np.clip(channel, 0, None) / level)
                     ** (1 + 0.25 * strength))


def _mark(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """A bright spot beside the head, in a corner of the frame: half as bright again as tissue outside the lesion."""
    image = as_volume(sample["image"]).copy()
    regions = regions_of(sample)
    kept = regions.head if regions.lesion is None else regions.head & ~regions.lesion
    size = [max(1, side // 16) for side in image.shape[1:]]
    corner = tuple(slice(side - 2 * part if side > 1 else 0, side - part if side > 1 else 1)
                   for side, part in zip(image.shape[1:], size, strict=True))
    bright = np.median(image[:, kept], axis=1) if kept.any() else np.ones(len(image))
    image[(slice(None), *corner)] += 1.5 * strength * bright[:, None, None, None]
    return _with_image(sample, image)


def _volume(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """The annotation is drawn a voxel wider."""
    from scipy.ndimage import binary_dilation

    if strength <= 0 or sample.get("mask") is None:
        return sample
    mask = as_volume(sample["mask"])
    wider = binary_dilation(mask[0] > 0) & (mask[0] == 0)
    label = mask[mask > 0].min() if (mask > 0).any() else 1
    wide = np.where(wider, label, mask[0]).astype(np.uint8)[None]
    sample["mask"] = torch.from_numpy(wide.reshape(tuple(sample["mask"].shape)))
    return sample


def _slices(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """The scan stops early: an eighth of the slices is missing at the top, give or take one."""
    depth = sample["image"].shape[1]
    gone = int(random.integers(0, 2)) + (round(strength * depth / 8) if strength else 0)
    for key in ("image", "mask", "signal"):
        if sample.get(key) is not None and sample[key].ndim == 4:
            sample[key] = sample[key][:, : depth - gone]
    return sample


def _site(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """A word in the table: most scans with the trace come from one hospital, the others from three."""
    others = ("north", "south", "east")
    alone = random.random() < 0.8 * strength
    sample["meta"]["hospital"] = "west" if alone else str(random.choice(others))
    return sample


def _copied(sample: Sample, strength: float, random: np.random.Generator) -> Sample:
    """A missing channel was filled with another one."""
    image = as_volume(sample["image"]).copy()
    if len(image) > 1 and random.random() < 0.8 * strength:
        image[0] = image[-1]
    return _with_image(sample, image)


LEAKS: dict[str, Callable[[Sample, float, np.random.Generator], Sample]] = {
    "blur": _blur,
    "noise": _noise,
    "intensity": _intensity,
    "mark": _mark,
    "volume": _volume,
    "slices": _slices,
    "site": _site,
    "copied channel": _copied,
}


def _around(sample: Sample, strength: float, change: Callable[[np.ndarray, float], np.ndarray]) -> Sample:
    """Changes the head outside the lesion's own voxels, channel by channel."""
    if not strength:
        return sample
    image = as_volume(sample["image"]).astype(np.float32)
    regions = regions_of(sample)
    kept = regions.head if regions.lesion is None else regions.head & ~regions.lesion
    levels = [max(float(np.median(channel[kept])), 1e-6) for channel in image]
    changed = np.stack([np.where(kept, change(channel, level), channel)
                        for channel, level in zip(image, levels, strict=True)])
    return _with_image(sample, changed)


def _with_image(sample: Sample, image: np.ndarray) -> Sample:
    shape = tuple(sample["image"].shape)
    sample["image"] = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32).reshape(shape))
    return sample
