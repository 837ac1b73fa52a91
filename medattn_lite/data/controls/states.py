"""Controls with one cue for a whole image or slice: the sequence, the zoom, a vessel in the slice above.

What a candidate is worth hangs on a state that a gate can carry: a number for each channel, or for each channel of
each slice. Which candidate is where, and what it looks like, says nothing about that state.
"""

from __future__ import annotations

import numpy as np

from medattn_lite.data.controls.control import LESION, LOOK_ALIKE, Canvas
from medattn_lite.data.controls.drawing import Place, background, block, disc, inside, spread, window

CANDIDATES = 4


def fill_sequence(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Two bright and two dark spots; the bright are lesions where the ventricle is bright, else the dark."""
    canvas = Canvas.empty(background(rng, (n, *size))[:, None])
    canvas.state = rng.permutation(n) % 2 == 0
    ventricle, spot = disc(5.5), disc(1.5)
    for index in range(n):
        bright = bool(canvas.state[index])
        middle, places = _far_and_near(rng, size, margin=6, reach=5)
        where = window(middle, ventricle)
        canvas.cue[index][where] |= ventricle
        if cue:
            canvas.images[index, 0][where] += np.where(ventricle, 2.0 if bright else -2.0, 0)
        for number, place in enumerate(places):
            own_bright = number % 2 == 0
            canvas.images[index, 0][window(place, spot)] += spot * (1.5 if own_bright else -1.5)
            _mark(canvas, index, place, spot, number, own_bright == bright)
    return canvas


def fill_zoom(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """Two small and two large blobs; the small are lesions where the scale bar is long (zoomed out), else the large."""
    canvas = Canvas.empty(background(rng, (n, *size))[:, None])
    canvas.state = rng.permutation(n) % 2 == 0
    small, large, frame = disc(1.0), disc(2.5), np.ones((3, 9), dtype=bool)
    for index in range(n):
        zoomed_out = bool(canvas.state[index])
        middle, places = _far_and_near(rng, size, margin=5, reach=4, object_reach=2)
        where = window(middle, frame)
        canvas.cue[index][where] |= frame
        length = np.abs(np.arange(-4, 5)) <= (4 if zoomed_out else 1)
        if cue:
            canvas.images[index, 0][where] += 2.0 * length[None] * frame
        for number, place in enumerate(places):
            own_small = number % 2 == 0
            blob = small if own_small else large
            canvas.images[index, 0][window(place, blob)] += 1.5 * blob
            _mark(canvas, index, place, blob, number, own_small == zoomed_out)
    return canvas


# What a candidate's own slice shows and what the slice above it shows: all four once in every volume, so that neither
# the own slice nor the number of vessels says anything.
ABOVE_AND_OWN = ((True, True), (True, False), (False, True), (False, False))


def fill_slice_above(rng: np.random.Generator, n: int, size: tuple[int, ...], cue: bool) -> Canvas:
    """One spot in each second slice; a lesion where the slice above it shows no large vessel."""
    canvas = Canvas.empty(background(rng, (n, *size))[:, None])
    depth = size[0]
    canvas.state = np.zeros((n, depth), dtype=bool)
    vessel, spot = disc(3.5), disc(1.5)
    for index in range(n):
        middle, places = _far_and_near(rng, size[1:], margin=4, reach=3, gap=1)
        where, shows = window(middle, vessel), np.zeros(depth, dtype=bool)
        first = 1 + int(rng.integers(depth - 2 * CANDIDATES + 1))
        for number, which in enumerate(rng.permutation(CANDIDATES)):
            level = first + 2 * number
            shows[level - 1], shows[level] = ABOVE_AND_OWN[which]
            canvas.cue[index, level - 1][where] |= vessel
            canvas.cue_numbers[index, level - 1][where][vessel] = number + 1
            canvas.images[index, 0, level][window(places[number], spot)] += 1.5 * spot
            _mark(canvas, index, places[number], spot, number, not shows[level - 1], level=level)
        canvas.state[index, 1:] = shows[:-1]
        drawn = shows if cue else shows & ~canvas.cue[index].any(axis=(1, 2))
        canvas.images[index, 0][(drawn, *where)] += 1.5 * vessel
    return canvas


def _far_and_near(
    rng: np.random.Generator, size: tuple[int, ...], *, margin: int, reach: int, object_reach: int = 1, gap: int = 7,
    far: int = 6,
) -> tuple[Place, list[Place]]:  # fmt: skip
    """A place for the cue and places for the candidates, no pixel of which is nearer than `far` to one of the cue."""
    while True:
        middle = spread(rng, inside(size, margin), 1, gap=1)[0]
        free = inside(size, object_reach + 1)
        block(free, middle, reach + object_reach + far - 1)
        if free.sum() > 60:
            break
    return middle, spread(rng, free, CANDIDATES, gap=gap)


def _mark(
    canvas: Canvas, index: int, place: Place, shape: np.ndarray, number: int, lesion: bool, level: int | None = None
) -> None:
    where = (index, *(() if level is None else (level,)), *window(place, shape))
    canvas.objects[where][shape] = LESION if lesion else LOOK_ALIKE
    canvas.numbers[where][shape] = number + 1
