"""What a positive control is: a task with a story, and a seeded way to draw its images.

In every task as many candidates are lesions as are look-alikes. A candidate and its surroundings look the same in both
cases; what tells them apart, the cue, lies further away than a plain network of the stated receptive field can see.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medattn_lite.errors import UserError

LOOK_ALIKE, LESION = 1, 2


@dataclass(frozen=True)
class Drawn:
    """Images of a control, and what is where in them; S is (H, W) or (D, H, W).

    Attributes:
        images: (n, C, *S) float32.
        objects: (n, *S) int64: 0 none, 1 look-alike, 2 lesion.
        cue: (n, *S) bool: where the cue is, also where `cue=False` left it out.
        numbers: (n, *S) int64: 1, 2, … at the pixels of each candidate of an image, 0 elsewhere.
        cue_numbers: (n, *S) int64: at the pixels of a cue, the number of the one candidate that it belongs to; 0 at
            a cue that all candidates of an image share.
        state: (n,) or, where every slice has its own, (n, D) bool: what a gate has to know (the sequence, the zoom,
            whether the slice above shows a vessel); None where the cue is a place.
    """

    images: Tensor
    objects: Tensor
    cue: Tensor
    numbers: Tensor
    cue_numbers: Tensor
    state: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class Canvas:
    """The arrays of `Drawn` while a task fills them, as numpy arrays of n images."""

    images: np.ndarray
    objects: np.ndarray
    cue: np.ndarray
    numbers: np.ndarray
    cue_numbers: np.ndarray
    state: np.ndarray | None = None

    @classmethod
    def empty(cls, images: np.ndarray) -> Canvas:
        """Around images (n, C, *S), with nothing marked."""
        shape = (len(images), *images.shape[2:])
        marks = [np.zeros(shape, dtype=kind) for kind in (np.int64, bool, np.int64, np.int64)]
        return cls(images, *marks)

    def drawn(self) -> Drawn:
        """The same as tensors."""
        state = None if self.state is None else torch.from_numpy(self.state)
        return Drawn(
            torch.from_numpy(self.images.astype(np.float32)), torch.from_numpy(self.objects),
            torch.from_numpy(self.cue), torch.from_numpy(self.numbers), torch.from_numpy(self.cue_numbers), state,
        )  # fmt: skip


@dataclass(frozen=True)
class Control:
    """A task that one mechanism must win.

    Attributes:
        name: as in `CONTROLS`.
        title: for headings.
        story: what is seen and what counts, in one or two sentences.
        mechanism: the one that must win it: a name of `attention.names()`, "dual_fusion" or "seq2seq".
        spatial_dims: 2 or 3.
        channels: C, channels of an image.
        size: S, pixels along each axis.
        field: widest receptive field, in pixels in plane, that contains no pixel of a candidate's own cue at any pixel
            of the candidate, and nothing else that tells.
        number: of the task, for its random numbers.
        fill: draws into a canvas: `fill(rng, n, size, cue)`.
    """

    name: str
    title: str
    story: str
    mechanism: str
    spatial_dims: int
    channels: int
    size: tuple[int, ...]
    field: int
    number: int = dataclasses.field(repr=False)
    fill: Callable[[np.random.Generator, int, tuple[int, ...], bool], Canvas] = dataclasses.field(repr=False)

    def draw(self, n: int, *, seed: int = 0, cue: bool = True) -> Drawn:
        """Draws images; the same seed gives the same images on every machine.

        Args:
            n: how many.
            seed: 0 or more; another seed gives other images.
            cue: False leaves the cue out and nothing else: the same images, in which nothing tells lesions from
                look-alikes.

        Raises:
            UserError: no image asked for, or a negative seed.
        """
        if not isinstance(n, int | np.integer) or n < 1:
            raise UserError(f"n={n!r} images cannot be drawn: ask for 1 or more")
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise UserError(f"seed={seed!r}: use a whole number, 0 or more")
        return self.fill(np.random.default_rng([self.number, int(seed)]), int(n), self.size, cue).drawn()
