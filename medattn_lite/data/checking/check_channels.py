"""The channels of one image looked at one after another: NaN, constant, copies, and where the head is.

An image of 512×512×300 with four channels takes 1.3 GB in single precision, and every copy of it as much again. What is
kept of a channel here is a hash, a sample of its voxels, and its share of the sum by which the head is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from medattn_lite.data.checking.duplicates import correlation, digest
from medattn_lite.data.transforms import NOISE_FLOOR, _border, _quantile

COPY = 0.9995  # correlation from which a channel counts as a rescaled copy of another
SAMPLED = 200_000  # voxels kept of a channel
MEND = "repair or leave out this case"


class HeadSum:
    """The head or brain of an image, as `transforms.foreground` finds it, from one channel after another."""

    def __init__(self) -> None:
        self._sum: np.ndarray | None = None  # of the channels whose air is dark, or of all while none was
        self._inside: np.ndarray | None = None
        self._added = 0
        self._dark = False

    def add(self, array: np.ndarray) -> None:
        """One channel, (D, H, W) and finite; one of another shape than the first counts for nothing."""
        channel = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
        if self._sum is None or self._inside is None:
            self._sum, self._inside = np.zeros(array.shape, np.float32), np.zeros(array.shape, bool)
        if self._sum.shape != array.shape:
            return
        scale = np.float32(_quantile(channel.reshape(1, -1), 0.99).clamp(min=1e-6).item())
        corner = channel.flatten()[0].item()
        dark = bool(_border(channel[None]).median() / float(scale) < NOISE_FLOOR)
        if dark and not self._dark:  # those before say nothing about where the head is
            self._sum[:], self._added, self._dark = 0, 0, True
        counts = dark or not self._dark
        for place, part in enumerate(channel.numpy()):
            self._inside[place] |= part != corner
            if counts:
                self._sum[place] += part / scale
        self._added += counts

    def head(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """(D, H, W) bool; None without a channel of this shape."""
        if self._sum is None or self._inside is None or self._sum.shape != shape:
            return None
        if _border(torch.from_numpy(self._inside[None])).float().mean() < 0.02:
            return self._inside
        return np.stack([part / np.float32(self._added) > NOISE_FLOOR for part in self._sum])


class Notes(Protocol):
    """Where what was found is noted, such as an `Inspection`."""

    problems: list[str]
    digests: dict[str, str]


class ChannelsLook:
    """What is wrong with the channels of a case, and the head that its mask should lie in.

    Args:
        report: the inspection that gets problems and digests.
        hashes: keep a digest of each channel, to find duplicates by.
    """

    def __init__(self, report: Notes, *, hashes: bool = True) -> None:
        self.report = report
        self.hashes = hashes
        self.samples: dict[str, tuple[tuple[int, ...], str, np.ndarray]] = {}
        self._heads = HeadSum()

    def add(self, name: str, array: np.ndarray, path: Path | None = None) -> None:
        """Looks at one channel, (D, H, W); add FLAIR first, so that it is named as the original of a copy."""
        shown = f"{path} (channel {name})" if path is not None else name
        low, high = array.min(), array.max()  # NaN and infinity reach both ends
        if not (np.isfinite(low) and np.isfinite(high)):
            share = 100 * float(np.mean([(~np.isfinite(part)).mean() for part in array]))
            self.report.problems.append(f"{shown} holds NaN or infinite values ({share:.2g} % of its voxels): {MEND}")
            return
        self._heads.add(array)
        if low == high:
            self.report.problems.append(f"{shown} is constant ({array.flat[0]:g} everywhere): {MEND}")
            return
        hashed = digest(array)
        if self.hashes:
            self.report.digests[name] = hashed
        step = max(1, array.size // SAMPLED)
        self.samples[name] = (array.shape, hashed, array.ravel()[::step].copy())

    def say(self) -> None:
        """Names the channels that are copies of another."""
        copies: set[str] = set()
        names = list(self.samples)
        for place, original in enumerate(names):
            for copy in names[place + 1:]:
                (shape, hashed, voxels), (other_shape, other_hash, others) = self.samples[original], self.samples[copy]
                if copy in copies or shape != other_shape:
                    continue
                same = hashed == other_hash
                if same or correlation(voxels, others) > COPY:
                    copies.add(copy)
                    self.report.problems.append(f"channel {copy} is a {'' if same else 'rescaled '}copy of {original}")
        if self.hashes:
            self.report.digests = dict(sorted(self.report.digests.items()))

    def head(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """(D, H, W) bool as `transforms.foreground` finds it; None without a channel of this shape."""
        return self._heads.head(shape)
