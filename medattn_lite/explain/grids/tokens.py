"""A transformer's tokens as a map: which grid of patches they are, and what stands before them.

    (B, extra + d·h·w, C)  →  (B, C, d, h, w)            extra: class token, registers, in front of the patches

The grid comes from the convolution that cuts the patches (kernel = stride), else from the one cube or square of voxels
that cuts the image into as many patches as there are tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from medattn_lite.errors import UserError

MOST_EXTRA = 8  # tokens in front of the patches: a class token, a distillation token, up to some registers


@dataclass(frozen=True)
class TokenGrid:
    """How tokens lie in the image.

    Attributes:
        sides: (d, h, w) or (h, w), in patches.
        extra: tokens in front of the patches.
    """

    sides: tuple[int, ...]
    extra: int

    @property
    def words(self) -> str:
        """What a reader must know."""
        left_out = {0: "", 1: "; the class token is left out"}.get(self.extra, f"; {self.extra} tokens in front are "
                                                                               "left out")  # fmt: skip
        return f"{math.prod(self.sides)} tokens laid out as a grid of {'×'.join(map(str, self.sides))}{left_out}"


def token_grid(
    model: nn.Module, size: Sequence[int], count: int, *, sides: Sequence[int] | None = None
) -> TokenGrid | None:
    """Finds the grid of a number of tokens; None where none is found.

    Args:
        model: the network.
        size: the image's (D, H, W) or (H, W).
        count: tokens.
        sides: of the grid, if they are known.

    Raises:
        UserError: known sides that do not fit the number of tokens.

    Example:
        >>> token_grid(nn.Conv2d(1, 8, kernel_size=16, stride=16), (64, 64), 17)
        TokenGrid(sides=(4, 4), extra=1)
    """
    if sides is not None:
        grid = tuple(int(side) for side in sides)
        if len(grid) != len(size) or not 0 <= count - math.prod(grid) <= MOST_EXTRA:
            raise UserError(f"{count} tokens of an image of {tuple(size)} do not lie on a grid of {grid}")
        return TokenGrid(grid, count - math.prod(grid))
    cut = [module.kernel_size for module in model.modules() if isinstance(module, _ConvNd)
           and len(module.kernel_size) == len(size) and tuple(module.kernel_size) == tuple(module.stride)]  # fmt: skip
    cubes = [(edge,) * len(size) for edge in range(min(size), 0, -1) if all(side % edge == 0 for side in size)]
    for patch in [*cut, *cubes]:
        grid = tuple(side // edge for side, edge in zip(size, patch, strict=True))
        fits = count - math.prod(grid)
        if math.prod(grid) > 1 and (0 <= fits <= MOST_EXTRA if patch in cut else fits in (0, 1)):
            return TokenGrid(grid, fits)
    return None


def tokens_first(values: Tensor, batch: int) -> Tensor:
    """Moves tokens to (B, N, C), also of a network that has the tokens before the batch."""
    return values.transpose(0, 1) if len(values) != batch and values.shape[1] == batch else values


def tokens_as_map(values: Tensor, grid: TokenGrid) -> Tensor:
    """Lays tokens (B, N, C) out as a map (B, C, d, h, w)."""
    return values[:, grid.extra :].movedim(1, 2).unflatten(2, grid.sides)
