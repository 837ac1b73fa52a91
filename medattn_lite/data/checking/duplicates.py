"""Finds identical images, and images that are rescaled copies of one another."""

from __future__ import annotations

import hashlib

import numpy as np


def digest(array: np.ndarray) -> str:
    """A hash of shape and values."""
    hasher = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    # where it lies: no copy of a large array
    hasher.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of two arrays of one shape, without the background that both share; 0 where there is too little."""
    step = max(1, first.size // 200_000)
    pairs = np.stack([first.ravel()[::step], second.ravel()[::step]]).astype(np.float64)
    pairs = pairs[:, (pairs != pairs[:, :1]).any(axis=0)]  # without the background, which is alike everywhere
    if pairs.shape[1] < 100 or pairs.std(axis=1).min() == 0:
        return 0.0
    return float(np.atleast_2d(np.corrcoef(pairs))[0, 1])
