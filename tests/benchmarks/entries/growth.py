"""How slice attention and the non-local block grow with the number of voxels: time, memory, operations."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from medattn_lite.attention import NonLocal, RecurrentSliceAttention
from medattn_lite.course.memory import measure_cost, without_numbers
from tests.benchmarks.attention_peers import watched
from tests.benchmarks.counting import operations_of
from tests.benchmarks.entries.attention import both_ways
from tests.benchmarks.measuring import Case, Entry, Record

CHANNELS = 32
SIDES = (8, 12, 16, 24, 32, 48)
MATRIX_UNTIL = {"cpu": 16, "cuda": 32}  # side; the matrix of 32³ voxels takes 4 GiB, three times over
FUSED_UNTIL = {"cpu": 32, "cuda": 48}


def blocks() -> dict[str, nn.Module]:
    """Slice attention, and the non-local block with every voxel as key: fused, and with its matrix."""
    rsa = RecurrentSliceAttention(CHANNELS, scaled=True)
    for beta in rsa.betas:
        nn.init.constant_(beta, 0.5)
    return {"RSA": rsa, "non-local, fused": _non_local(), "non-local, with its matrix": watched(_non_local())}


def _non_local() -> nn.Module:
    torch.manual_seed(0)  # the same weights each time
    return NonLocal(CHANNELS, sub_sample=False, scaled=True, zero_init=False)


def cases(device: str) -> Iterator[Case]:
    """Each block at each size that it fits in; the smaller ones first."""
    until = {"RSA": SIDES[-1], "non-local, fused": FUSED_UNTIL[device], "non-local, with its matrix":
             MATRIX_UNTIL[device]}  # fmt: skip
    made = {name: block.to(device) for name, block in blocks().items()}
    for name, block in made.items():
        for side in SIDES:
            x = 0.1 * torch.randn(1, CHANNELS, side, side, side, device=device)
            if side <= until[name]:
                other = name == "non-local, with its matrix"
                yield Case(
                    f"growth: {name}, {side}³", "non-local, fused" if other else "none: its own growth",
                    lambda block=block, x=x: both_ways(block, x),
                    (lambda x=x: both_ways(made["non-local, fused"], x)) if other else None, close=1e-3,
                    size=side**3, series=name, device=device, most=3 if side < 32 else 1, operations=operations_of(
                        lambda block=block, x=x: both_ways(block, x)),
                )  # fmt: skip


def counted() -> Iterator[Record]:
    """Operations and memory of a forward and a backward pass at any size, counted without computing any number."""
    with without_numbers():
        for name, block in blocks().items():
            before: tuple[int, float] | None = None
            for side in (*SIDES, 64):
                x = torch.empty(1, CHANNELS, side, side, side)
                run = lambda block=block, x=x: both_ways(block, x)  # noqa: E731
                number, memory = operations_of(run) / 1e9, measure_cost(run).mebibytes
                slope = before and math.log(number / before[1]) / math.log((side / before[0]) ** 3)
                before = side, number
                yield Record(f"growth: {name}, {side}³, counted", "none: counted, on no machine", "cpu", 1, number,
                             None, "10⁹ operations", memory_ours=memory, exponent=slope or None)  # fmt: skip


def all_of(device: str) -> Iterator[Case | Record]:
    """Counted, then measured."""
    if device == "cpu":
        yield from counted()
    yield from cases(device)


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room."""
    yield Entry("growth", "Growth with the number of voxels", ("growth:",), lambda: all_of(device))
