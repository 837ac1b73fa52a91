"""Controls whose cue is a place: a vein in the middle of a ring, the mirror place, a patch of the same direction.

A candidate has to look at one other place: near by, at the same place of another column, or wherever something
resembles it.
"""

from __future__ import annotations

import numpy as np

from medattn_lite.data.controls.control import LESION, LOOK_ALIKE, Canvas
from medattn_lite.data.controls.drawing import Place, background, bar, block, disc, inside, ring, spread, window


def fill_central_vein(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Four rings; two hold a dark dot in their middle and are lesions, the dots of the others lie away from rings."""
    canvas = Canvas.empty(background(rng, (n, *size))[:, None])
    rim, dot = ring(4.45, 5.7), np.ones((1, 1), dtype=bool)
    for index in range(n):
        rings = spread(rng, inside(size, 6), 4, gap=14)
        free = inside(size, 1)
        for place in rings:
            block(free, place, 9)
        loose = spread(rng, free, 2, gap=2)
        for number, place in enumerate(rings):
            lesion = number % 2 == 0
            region = window(place, rim)
            canvas.images[index, 0][region] += 1.5 * rim
            canvas.objects[index][region][rim] = LESION if lesion else LOOK_ALIKE
            canvas.numbers[index][region][rim] = number + 1
            canvas.cue[index][place] = True
            canvas.cue_numbers[index][place] = number + 1
            if cue or not lesion:
                canvas.images[index, 0][window(place if lesion else loose[number // 2], dot)] -= 2.0
    return canvas


def fill_mirror(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Two spots without a mirror image (lesions) and one pair (look-alikes) on tissue that is the same on both sides.

    The axis is not in the middle of the image but up to four columns beside it. Without the cue, lesions have a mirror
    image, too.
    """
    height, width = size
    tissue = background(rng, (n, height, width), coarse=4, smooth=0.3, noise=0.0)
    axes = rng.integers(width // 2 - 4, width // 2 + 5, n)  # first column of the right half
    canvas = Canvas.empty(rng.normal(0, 0.05, (n, 1, *size)))
    spot, columns = disc(1.5), np.arange(width)
    for index in range(n):
        axis = int(axes[index])
        canvas.images[index, 0] += tissue[index][:, np.maximum(columns, 2 * axis - 1 - columns).clip(max=width - 1)]
        free = np.zeros(size, dtype=bool)
        free[2 : height - 2, max(2, 2 * axis - width + 2) : axis - 4] = True
        left = _one_per_row(rng, free, 3)
        sides = rng.integers(0, 2, 3)
        mirrored = [(row, 2 * axis - 1 - column) for row, column in left]
        places = [(left, mirrored)[side][number] for number, side in enumerate(sides)]
        others = [(mirrored, left)[side][number] for number, side in enumerate(sides)]
        pairs = [*zip(places, others, strict=True), (others[2], places[2])]
        for number, (place, other) in enumerate(pairs):
            lesion = number < 2
            region, opposite = window(place, spot), window(other, spot)
            canvas.images[index, 0][region] += 1.5 * spot
            if lesion and not cue:
                canvas.images[index, 0][opposite] += 1.5 * spot
            canvas.objects[index][region][spot] = LESION if lesion else LOOK_ALIKE
            canvas.numbers[index][region][spot] = number + 1
            canvas.cue[index][opposite] |= spot
            canvas.cue_numbers[index][opposite][spot] = number + 1
    return canvas


def _one_per_row(rng: np.random.Generator, free: np.ndarray, count: int, *, gap: int = 6) -> list[Place]:
    """Places in random order whose rows are at least `gap` apart."""
    left, places = free.copy(), []
    for _ in range(count):
        if not left.any():
            return _one_per_row(rng, free, count, gap=gap)
        (row, column), = spread(rng, left, 1, gap=1)
        left[max(row - gap + 1, 0) : row + gap] = False
        places.append((row, column))
    return [places[place] for place in rng.permutation(count)]


def fill_reference(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Four bars of two directions, two of each; lesions are those of the direction of the ringed one."""
    canvas = Canvas.empty(background(rng, (n, *size), smooth=0.1)[:, None])
    patch, frame = np.ones((5, 5), dtype=bool), ring(2.9, 3.9)
    for index in range(n):
        angle = rng.uniform(0, np.pi)
        angles = (angle, angle + rng.uniform(np.pi / 4, 3 * np.pi / 4))
        free = inside(size, 4)
        primary = spread(rng, inside(size, 5), 1, gap=1)[0]
        block(free, primary, 3 + 2 + 5)
        where = window(primary, frame)
        canvas.cue[index][where] = True
        if cue:
            canvas.images[index, 0][where] += 1.5 * frame
            canvas.images[index, 0][window(primary, patch)] += 2.5 * bar(angles[0])
        for number, place in enumerate(spread(rng, free, 4, gap=6)):
            lesion = number % 2 == 0
            region = window(place, patch)
            canvas.images[index, 0][region] += 2.5 * bar(angles[0 if lesion else 1])
            canvas.objects[index][region] = LESION if lesion else LOOK_ALIKE
            canvas.numbers[index][region] = number + 1
    return canvas


def fill_two_scans(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Four bars of two directions on scan A, two of each; lesions are those of the direction of the bars on scan B."""
    canvas = Canvas.empty(np.stack([background(rng, (n, *size), smooth=0.1) for _ in range(2)], axis=1))
    patch = np.ones((5, 5), dtype=bool)
    rows = np.arange(size[0])[:, None] < size[0] // 2
    for index in range(n):
        angle = rng.uniform(0, np.pi)
        angles = (angle, angle + rng.uniform(np.pi / 4, 3 * np.pi / 4))
        upper = bool(rng.integers(2))
        on_a = inside(size, 3) & (rows == upper)
        on_b = inside(size, 3) & (rows != upper)
        on_a[size[0] // 2 - 5 : size[0] // 2 + 5] = False
        on_b[size[0] // 2 - 5 : size[0] // 2 + 5] = False
        for number, place in enumerate(spread(rng, on_a, 4, gap=6)):
            lesion, region = number % 2 == 0, window(place, patch)
            canvas.images[index, 0][region] += 2.5 * bar(angles[0 if lesion else 1])
            canvas.objects[index][region] = LESION if lesion else LOOK_ALIKE
            canvas.numbers[index][region] = number + 1
        for place in spread(rng, on_b, 4, gap=6):
            canvas.cue[index][window(place, patch)] = True
            if cue:
                canvas.images[index, 1][window(place, patch)] += 2.5 * bar(angles[0])
    return canvas
