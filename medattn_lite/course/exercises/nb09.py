"""Checks of notebook 09: the weights of Grad-CAM++, the voxel that a layer looks at, a fair score for a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.exercises.nb09_planes import check_planes, fair_mass

FRACTION_HINT = "For g > 0, α · g = g / (2 + S g), with S the sum of A's channel over its places."
STEP_HINT = "`first += step * ((kernel - 1) * dilation / 2 - padding)`, then `step *= stride`."


@exercise("09-weights", title="Exercise 09.1, Grad-CAM++")
def check_weights(weights: Callable[[Tensor, Tensor], Tensor]) -> Result:
    """(B, K, …) activations and gradients to (B, K) weights of (09.3)."""
    generator = torch.Generator().manual_seed(9)
    tiny = torch.tensor([[[[[1.0, 2.0]]]]]), torch.tensor([[[[[3.0, -1.0]]]]])
    slices = torch.rand(3, 4, 1, 5, 2, generator=generator), 10 * torch.randn(3, 4, 1, 5, 2, generator=generator)
    volume = torch.randn(2, 3, 2, 3, 4, generator=generator).relu(), torch.randn(2, 3, 2, 3, 4, generator=generator)
    holes = torch.rand(1, 2, 3, 2, 2, generator=generator), torch.randn(1, 2, 3, 2, 2, generator=generator).relu()
    return compare_function(
        weights,
        reference=_weights,
        cases=[tiny, volume, holes, slices, (volume[0], -volume[1].abs())],
        errors={"must match the size": ("Places and channels are mixed up, or an axis was lost.",
                                        "`.flatten(2)` makes (B, K, places); `.sum(2, keepdim=True)` keeps the axis.")},
        mistakes=[
            Mistake(lambda A, G: G.flatten(2).mean(2), "these are the weights of Grad-CAM, (09.1)", FRACTION_HINT),
            Mistake(_divided, "where g is 0 you divide 0 by 0, and NaN spreads over the sum", FRACTION_HINT),
            Mistake(lambda A, G: _sum(_alpha(A, G) * G.flatten(2)),
                    "negative gradients are counted too: the ReLU around g is missing", "`G.flatten(2).clamp(min=0)`"),
            Mistake(lambda A, G: _sum(_positive(G) / (2 + A.flatten(2) * _positive(G))),
                    "you multiplied g³ by A at the same place; (09.3) has the sum of A over all places", FRACTION_HINT),
            Mistake(lambda A, G: _sum(_positive(G) / (2 + A.flatten(2).mean(2, keepdim=True) * _positive(G))),
                    "you took the mean of A over its places; (09.3) has the sum", FRACTION_HINT),
            Mistake(lambda A, G: _sum(_positive(G) / (2 + A.flatten(2).sum((1, 2), keepdim=True) * _positive(G))),
                    "the sum runs over the channels as well; each channel has its own", "Sum over axis 2 only."),
            Mistake(lambda A, G: _terms(A, G).mean(2), "you took the mean over the places; (09.3) adds them up",
                    "`.sum(2)`"),
            Mistake(lambda A, G: _sum(_positive(G) / (1 + _totals(A) * _positive(G))),
                    "the 2 of the denominator is missing", FRACTION_HINT),
            Mistake(lambda A, G: _sum(_alpha(A, G)), "these are the α alone; multiply them by ReLU(g)", FRACTION_HINT),
            Mistake(lambda A, G: _terms(A, G).unflatten(2, A.shape[2:]), "the places are not added up yet",
                    "One number per channel: `.sum(2)` of the flattened places."),
            Mistake(lambda A, G: _positive(G).mean(2), "that is the mean of the positive gradients; α is missing",
                    FRACTION_HINT),
            Mistake(lambda A, G: _positive(G).sum(2), "that is the sum of the positive gradients; α is missing",
                    FRACTION_HINT),
            Mistake(lambda A, G: _sum(_positive(G) / (2 + _totals(A))), "the g is missing below the line: S·g, not S",
                    FRACTION_HINT),
            Mistake(lambda A, G: _sum(_positive(G) / (2 + G.flatten(2).sum(2, keepdim=True) * _positive(G))),
                    "S is the sum of A, the activations, not of the gradients", FRACTION_HINT),
            Mistake(lambda A, G: _sum(_positive(G) ** 2 / (2 + _totals(A) * _positive(G))),
                    "there is a g too many above the line", FRACTION_HINT),
            Mistake(lambda A, G: _terms(A, G).amax(2), "you took the largest term; (09.3) adds them up", "`.sum(2)`"),
            Mistake(lambda A, G: _weights(A, G) / _weights(A, G).sum(1, keepdim=True),
                    "the weights are divided by their sum; (09.3) has no such step", "Leave it out."),
            Mistake(lambda A, G: _weights(A, -G), "the sign of the gradient is turned", "ReLU(g), not ReLU(−g)."),
            Mistake(lambda A, G: torch.einsum("bk,bk...->b...", _weights(A, G), A),
                    "that is the map already; the weights (B, K) were asked for", "Leave (09.2) to the next step."),
        ],
        what="your table of weights",
        praise="The same map with other weights: only what speaks for the class counts.",
        hint=FRACTION_HINT,
    )  # fmt: skip


def _positive(G: Tensor) -> Tensor:
    return G.flatten(2).clamp(min=0)


def _totals(A: Tensor) -> Tensor:
    return A.flatten(2).sum(2, keepdim=True)


def _sum(terms: Tensor) -> Tensor:
    return terms.sum(2)


def _terms(A: Tensor, G: Tensor) -> Tensor:
    return _positive(G) / (2 + _totals(A) * _positive(G))


def _weights(A: Tensor, G: Tensor) -> Tensor:
    return _terms(A, G).sum(2)


def _alpha(A: Tensor, G: Tensor) -> Tensor:
    g = G.flatten(2)
    below = 2 * g**2 + _totals(A) * g**3
    return torch.where(below == 0, torch.zeros_like(g), g**2 / torch.where(below == 0, torch.ones_like(g), below))


def _divided(A: Tensor, G: Tensor) -> Tensor:
    g = _positive(G)
    return _sum(g**2 / (2 * g**2 + _totals(A) * g**3) * g)


Layers = Sequence[tuple[int, int, int, int]]


@exercise("09-place", title="Exercise 09.2, which voxel it looks at")
def check_place(looks: Callable[[int, Layers], float]) -> Result:
    """An index of a layer's map, and the layers on the way, to a voxel of the image."""
    stem = [(7, 2, 3, 1), (3, 2, 1, 1)]
    cases = [
        (2, [(3, 2, 1, 1)]), (0, [(5, 1, 0, 1)]), (0, [(3, 1, 1, 1)]),
        (2, [*stem, (3, 2, 1, 1)]), (1, [(2, 2, 0, 1)] * 3), (3, [(3, 2, 0, 1), (3, 1, 1, 1), (2, 2, 0, 1)]),
        (2, [(3, 2, 1, 1), (3, 1, 1, 2), (5, 2, 2, 1)]), (4, [(4, 2, 1, 1), (3, 1, 0, 2)]),
    ]  # fmt: skip
    return compare_function(
        looks,
        reference=_place,
        cases=cases,
        mistakes=[
            Mistake(lambda i, layers: i * _stride(layers),
                    "you multiplied by the strides alone: the middle of the kernels and the paddings move it too",
                    STEP_HINT),
            Mistake(lambda i, layers: (i + 0.5) * _stride(layers) - 0.5,
                    "that is what a resize thinks: blocks without overlap", STEP_HINT),
            Mistake(lambda i, layers: _place(i, layers, after=True),
                    "the stride of a layer acts before its own middle is placed", "First move, then stretch the step."),
            Mistake(lambda i, layers: _place(i, layers, unstepped=True),
                    "you counted every layer's shift in voxels of the image; it is in voxels of the layer's input",
                    "Multiply the shift by the step so far."),
            Mistake(lambda i, layers: _place(i, layers, dilated=False), "the dilation is left out",
                    "A dilated kernel reaches over (k − 1) d + 1 voxels."),
            Mistake(lambda i, layers: _place(i, layers, padded=0), "the padding is left out", STEP_HINT),
            Mistake(lambda i, layers: _place(i, layers, padded=-1),
                    "the padding is added; it lies before voxel 0, so it moves the place back", STEP_HINT),
            Mistake(lambda i, layers: _place(i, layers, middle=False),
                    "that is the first voxel that the place reads, not the middle one", "Half of (k − 1) d further."),
            Mistake(lambda i, layers: _place(i, list(reversed(layers))),
                    "the layers are taken from the last to the first", "Start at the image."),
            Mistake(lambda i, layers: _place(i, layers) - i * _stride(layers),
                    "that is where index 0 looks; index i lies i steps further", "`first + index * step`"),
            Mistake(lambda i, layers: _place(i, layers) + 1, "you counted voxels from 1", "The first voxel is 0."),
            Mistake(lambda i, layers: _place(i, layers) + 0.5, "the middle of a voxel is its own number: half a voxel "
                    "too far", STEP_HINT),
            Mistake(lambda i, layers: _place(i, [(k + 1, s, p, d) for k, s, p, d in layers]),
                    "half of the kernel, k / 2, is half a voxel beyond its middle", "(k − 1) d / 2."),
            Mistake(lambda i, layers: _place(i, [(k if k % 2 else k - 1, s, p, d) for k, s, p, d in layers]),
                    "the middle of an even kernel lies between two voxels: keep the half", "(k − 1) d / 2, with `/`."),
            Mistake(lambda i, layers: _place(i, layers[:-1]), "the last layer is left out", "All layers count."),
            Mistake(lambda i, layers: _place(i, layers[1:]), "the first layer is left out", "All layers count."),
            Mistake(lambda i, layers: _place(i, layers, reach=True), "that is the last voxel that the place reads",
                    "Half of (k − 1) d."),
            Mistake(lambda i, layers: int(_place(i, layers)), "the place is cut to a whole number",
                    "A middle may lie between two voxels: keep the half."),
        ],
        what="your place",
        praise="Now you can check any tool: put a cube of light there.",
        hint=STEP_HINT,
    )  # fmt: skip


def _stride(layers: Layers) -> int:
    step = 1
    for _, stride, *_rest in layers:
        step *= stride
    return step


def _place(
    index: int, layers: Layers, *, after: bool = False, unstepped: bool = False, dilated: bool = True, padded: int = 1,
    middle: bool = True, reach: bool = False,
) -> float:  # fmt: skip
    step, first = 1, 0.0
    for kernel, stride, padding, dilation in layers:
        moved = (kernel - 1) * (dilation if dilated else 1) / 2 * middle * (1 + reach) - padded * padding
        step = step * stride if after else step
        first += moved if unstepped else step * moved
        step = step if after else step * stride
    return first + index * step


__all__ = ["check_place", "check_planes", "check_weights", "fair_mass"]
