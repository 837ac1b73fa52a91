"""Pencils of the controls: smooth backgrounds, spots, rings, bars, and places that keep their distance."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from medattn_lite.errors import UserError

Place = tuple[int, int]
TRIES = 200


def background(
    rng: np.random.Generator, shape: tuple[int, ...], *, coarse: int = 8, smooth: float = 0.3, noise: float = 0.1
) -> np.ndarray:
    """Smooth tissue and white noise, (n, H, W) or (n, D, H, W); each slice has a tissue of its own.

    Args:
        rng: random numbers.
        shape: of the images.
        coarse: pixels between two independent values of the tissue.
        smooth: standard deviation of the tissue's values.
        noise: standard deviation of the noise.
    """
    height, width = shape[-2:]
    knots = (height // coarse + 2, width // coarse + 2)
    values = torch.from_numpy(rng.normal(0, smooth, (1, int(np.prod(shape[:-2])), *knots)))
    tissue = F.interpolate(values, size=(height, width), mode="bilinear", align_corners=True)[0].numpy()
    return tissue.reshape(shape) + rng.normal(0, noise, shape)


def disc(radius: float) -> np.ndarray:
    """A filled circle as a (2r + 1, 2r + 1) mask."""
    half = int(radius)
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    return rows**2 + columns**2 <= radius**2


def ring(inner: float, outer: float) -> np.ndarray:
    """What lies between two circles, as a mask."""
    half = int(outer)
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.sqrt(rows**2 + columns**2)
    return (distance >= inner) & (distance <= outer)


def bar(angle: float, *, half: int = 2, width: float = 0.8) -> np.ndarray:
    """A bright bar through the middle of a square, dark beside it, of mean 0: what tells its angle is its shape.

    Args:
        angle: in radians; the bar of an angle + π is the same.
        half: the square has 2 · half + 1 pixels per side.
        width: of the bar, in pixels (standard deviation across).
    """
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    across = rows * np.cos(angle) - columns * np.sin(angle)
    inside = rows**2 + columns**2 <= (half + 0.5) ** 2
    pattern = np.exp(-0.5 * (across / width) ** 2) * inside
    return np.where(inside, pattern - pattern[inside].mean(), 0)


def window(place: Place, pattern: np.ndarray) -> tuple[slice, slice]:
    """The slices of an image that a pattern with odd sides covers around a place."""
    (row, column), (height, width) = place, pattern.shape
    top, left = row - height // 2, column - width // 2
    return slice(top, top + height), slice(left, left + width)


def spread(rng: np.random.Generator, free: np.ndarray, count: int, *, gap: int) -> list[Place]:
    """Random places in random order, each pair at least `gap` pixels apart along one axis.

    Args:
        rng: random numbers.
        free: (H, W) bool, where a place may be.
        count: how many.
        gap: least distance, as the larger of the two axes' distances.

    Raises:
        UserError: no room for so many.
    """
    for _ in range(TRIES):
        left, places = free.copy(), []
        for _ in range(count):
            inside = np.flatnonzero(left)
            if not len(inside):
                break
            row, column = divmod(int(inside[rng.integers(len(inside))]), free.shape[1])
            places.append((row, column))
            block(left, (row, column), gap - 1)
        if len(places) == count:  # places found late lie closer to the others: no role may hang on the order
            return [places[place] for place in rng.permutation(count)]
    raise UserError(f"no room for {count} places {gap} pixels apart in {free.shape[0]} × {free.shape[1]}: draw fewer")


def inside(size: tuple[int, ...], margin: int) -> np.ndarray:
    """(H, W) bool: True further than `margin` pixels from the edge."""
    height, width = size
    free = np.zeros(size, dtype=bool)
    free[margin : height - margin, margin : width - margin] = True
    return free


def block(free: np.ndarray, place: Place, reach: int) -> None:
    """Takes a square around a place out of where one may be, in the array itself."""
    row, column = place
    free[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = False
