"""The region of the image that a layer's grid covers, followed through strides and paddings.

A convolution or pooling of kernel k, stride s, padding p and dilation d puts its output voxel i in the middle of what
it reads. Counted in the image's voxels, with the step J and the place o of the first voxel of its input,

    J' = J s,      o' = o + J ((k − 1) d / 2 − p)

and a transposed one goes back: J' = J / s, o' = o − J' ((k − 1) d / 2 − p). A layer of n voxels then covers the box
from o + ½ − J / 2 to o + ½ + (n − ½) J, counted from the image's first edge. For blocks of voxels without overlap, such
as a 2×2×2 pooling, that is the image itself. For the usual 3×3×3 convolution of stride 2 and padding 1 it is not: it
looks at voxels 0, 2, 4, …, and after a stride of S a map laid edge on edge is (S − 1) / 2 voxels too far up, ahead and
right. At 3 mm and S = 8 that is a centimetre.

Deviations: where the branches of a block look at places half a step apart, as in ResNeSt (2×2 means beside every second
place), their mean counts; which one a trained network goes by is in its weights. A layer that is reached in no such
way, as behind an adaptive pooling, is laid edge on edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from medattn_lite.explain.model import forward_eval

Box = tuple[tuple[float, float], ...]  # from and to along each axis, in voxels from the image's first edge
Size = tuple[int, ...]
Places = tuple[list[float], list[float]]  # step, and place of the first voxel, along each axis

_KNOWN: WeakKeyDictionary[nn.Module, dict[Size, dict[Size, Places]]] = WeakKeyDictionary()


def layer_box(model: nn.Module, image: Tensor, grid: Sequence[int], *, extra_inputs: Sequence[Tensor] = ()) -> Box:
    """Finds the box of the image that a map of the network covers.

    Args:
        model: the network; asked once for each size of image, with one pass.
        image: (B, C, D, H, W) or (B, C, H, W).
        grid: sides of the map, (d, h, w) or (h, w).
        extra_inputs: what the network takes besides the image.

    Returns:
        (from, to) along each axis, in voxels from the image's first edge; (0, D), (0, H), (0, W) edge on edge.

    Example:
        >>> layer_box(nn.Conv2d(1, 1, 3, stride=2, padding=1), torch.zeros(1, 1, 8, 8), (4, 4))  # pixels 0, 2, 4, 6
        ((-0.5, 7.5), (-0.5, 7.5))
    """
    size, grid = tuple(image.shape[2:]), tuple(grid)
    if grid == size:
        return tuple((0.0, float(length)) for length in size)
    known = _KNOWN.setdefault(model, {})
    if size not in known:
        known[size] = _follow(model, image, extra_inputs)
    if grid not in known[size]:
        return tuple((0.0, float(length)) for length in size)
    steps, firsts = known[size][grid]
    return tuple((first + 0.5 - step / 2, first + 0.5 + (n - 0.5) * step)
                 for step, first, n in zip(steps, firsts, grid, strict=True))  # fmt: skip


def _follow(model: nn.Module, image: Tensor, extra_inputs: Sequence[Tensor]) -> dict[Size, Places]:
    """Size of a map → step and first place along each axis."""
    size = tuple(image.shape[2:])
    reached: dict[Size, list[tuple[Size, list[float], list[float]]]] = {}
    for start in {size, *_padded(model, size)}:
        reached[start] = [((), [1.0] * len(size), [0.0] * len(size))]

    def hook(module: nn.Module, inputs: tuple, output: Any) -> None:
        before, after = (tuple(value.shape[2:]) if isinstance(value, Tensor) else () for value in (inputs[0], output))
        if len(before) != len(size) or before == after or before not in reached:
            return
        if after in reached and reached[after][0][0] != before:  # known from another size, such as a U-Net's way down
            return
        reached.setdefault(after, []).append((before, *_moved(module, *_mean(reached[before]))))

    handles = [module.register_forward_hook(hook) for module in model.modules() if _has_kernel(module)]
    try:
        forward_eval(model, image[:1], extra_inputs=[extra[:1] for extra in extra_inputs])
    finally:
        for handle in handles:
            handle.remove()
    return {grid: _mean(branches) for grid, branches in reached.items()}


def _padded(model: nn.Module, size: Size) -> list[Size]:
    """Sizes to which parts of the network pad the image at its far ends."""
    padded: list[Any] = [module for module in model.modules() if hasattr(module, "padded_size")]
    return [tuple(module.padded_size(size)) for module in padded]


def _has_kernel(module: nn.Module) -> bool:
    return all(hasattr(module, name) for name in ("kernel_size", "stride", "padding")) and not list(module.children())


def _moved(module: nn.Module, steps: list[float], firsts: list[float]) -> tuple[list[float], list[float]]:
    axes = len(steps)
    kernel, stride, padding, dilation = (
        _each(getattr(module, name, 1), axes) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    middle = [(k - 1) * d / 2 - p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    if isinstance(module, _ConvTransposeNd):
        new = [step / s for step, s in zip(steps, stride, strict=True)]
        return new, [first - m * step for first, m, step in zip(firsts, middle, new, strict=True)]
    places = [first + m * step for first, m, step in zip(firsts, middle, steps, strict=True)]
    return [step * s for step, s in zip(steps, stride, strict=True)], places


def _each(value: Any, axes: int) -> list[int]:
    if isinstance(value, str):  # "same" and "valid" paddings change no size here, or have none
        return [0] * axes
    return [int(value)] * axes if isinstance(value, int) else [int(number) for number in value]


def _mean(branches: list[tuple[Size, list[float], list[float]]]) -> tuple[list[float], list[float]]:
    columns = [torch.tensor([branch[place] for branch in branches]).mean(dim=0).tolist() for place in (1, 2)]
    return columns[0], columns[1]
