"""Kernels of 3-D convolutions as stacks of slices: which neighbours a voxel reads."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.style import INK, OKABE_ITO, figure_function, new_figure

READ, EMPTY = OKABE_ITO["orange"], "#f3f3f3"
LEAN, FLAT, RISE = 0.5, 0.42, 1.75  # of the oblique view: sideways and up a row, up a slice


@figure_function
def kernel_voxels(kernels: Mapping[str, tuple[int, int, int]], *, within: int = 3) -> Figure:
    """Draws kernels as stacks of slices, the voxels they read filled.

    Args:
        kernels: name → size (D, H, W), odd numbers up to `within`.
        within: voxels along each edge of the neighbourhood drawn.

    Returns:
        The figure.

    Raises:
        ValueError: no kernel, or one that is larger than the neighbourhood.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.kernel_voxels({"3×3×3": (3, 3, 3), "1×3×3": (1, 3, 3)})
        >>> print(plots.alt_text(figure)[:60])
        Drawing of 3 slices of 3 by 3 voxels, one above the other: 3
    """
    if not kernels or any(not 1 <= size <= within for kernel in kernels.values() for size in kernel):
        raise ValueError(f"kernel_voxels draws kernels of 1 to {within} voxels along each axis, not {dict(kernels)}")
    figure = new_figure(3.2 * len(kernels), 2.9)
    panels = figure.subplots(1, len(kernels), squeeze=False)[0]
    sentences = []
    for axes, (name, kernel) in zip(panels, kernels.items(), strict=True):
        low = [(within - size) // 2 for size in kernel]
        for d in range(within):
            for h in reversed(range(within)):  # the far rows first
                for w in range(within):
                    place = zip((d, h, w), low, kernel, strict=True)
                    inside = all(first <= index < first + size for index, first, size in place)
                    corners = [(w + x + LEAN * (h + y), FLAT * (h + y) + RISE * d)
                               for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]  # fmt: skip
                    axes.add_patch(Polygon(corners, facecolor=READ if inside else EMPTY, edgecolor=INK, linewidth=0.9))
        weights = kernel[0] * kernel[1] * kernel[2]
        axes.set_title(f"{name}\n{weights} weights", fontsize=12, loc="center")
        axes.set(xlim=(-0.3, within * (1 + LEAN) + 0.3), ylim=(-0.3, within * FLAT + RISE * (within - 1) + 0.3))
        axes.set_aspect("equal")
        axes.axis("off")
        sentences.append(
            f"{name} reads {weights} of {within**3} voxels, in {kernel[0]} slice{'s' if kernel[0] > 1 else ''}"
        )
    return set_alt(figure, f"Drawing of {within} slices of {within} by {within} voxels, one above the other: "
                           f"{listed(sentences)}.")  # fmt: skip
