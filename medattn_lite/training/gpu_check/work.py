"""What is checked: every block and network, at published size, or a few small ones for a machine without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite import attention
from medattn_lite.networks.registry import NETWORKS


@dataclass(frozen=True)
class Work:
    """One module with an input.

    Attributes:
        name: of the block or network.
        kind: "block" or "network".
        shape: of one input, without the batch.
        make: builds the module; its weights come from torch's generator.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    make: Callable[[], nn.Module]

    def batch(self, size: int, *, seed: int = 0) -> Tensor:
        """(size, *shape) of standard normal numbers, the same on every machine."""
        return torch.randn(size, *self.shape, generator=torch.Generator().manual_seed(seed))


# Small versions, for tests on a CPU: options of the factory and the shape of one input.
SMALL: Mapping[str, tuple[dict[str, Any], tuple[int, ...]]] = MappingProxyType({
    "p3d_iam": ({"layers": (1, 1, 1, 1), "width": 8}, (4, 16, 32, 32)),
    "resnesat50": ({"layers": (1, 1, 1, 1), "width": 8, "stem_width": 8}, (3, 64, 64)),
    "rsanet_010": ({"widths": (8, 16, 32)}, (3, 16, 32, 32)),
})
BLOCK_CHANNELS, BLOCK_SHAPE, SMALL_BLOCK_SHAPE = 32, (16, 32, 32), (6, 8, 8)


def works(*, smoke: bool = False) -> list[Work]:
    """All blocks, then all networks."""
    shape = SMALL_BLOCK_SHAPE if smoke else BLOCK_SHAPE
    list_of_work = [_block(name, dims, shape) for name in attention.names() if name != "none"
                    for dims in attention.MECHANISMS[name].spatial_dims]  # fmt: skip
    for name, entry in NETWORKS.items():
        if not smoke:
            list_of_work.append(Work(name, "network", entry.input_shape, entry.build))
        elif name in SMALL:
            options, small = SMALL[name]
            list_of_work.append(Work(name, "network", small, partial(entry.build, **options)))
    return list_of_work


def _block(name: str, dims: int, shape: tuple[int, ...]) -> Work:
    def make() -> nn.Module:
        return attention.create(name, BLOCK_CHANNELS, spatial_dims=dims)

    return Work(f"{name}, {dims}-D", "block", (BLOCK_CHANNELS, *shape[-dims:]), make)
