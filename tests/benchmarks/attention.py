"""The attention kernels beside the formulas they replace, in one process, turn by turn: time, memory, same numbers.

    python -m tests.benchmarks.attention                    writes figures/attention_kernels.json and .md
    python -m tests.benchmarks.attention --rounds 9 --threads 2 --out somewhere

Before anything is timed, output and gradient of the input must agree. Time is CPU time of the process, ours and
theirs in turn, order reversed every other round; the ratio is the median of the rounds' ratios, with the least and the
largest. Memory is counted, not sampled: bytes of all tensors alive at the highest point (`course.memory`).
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention import AttentionMap, GlobalFusion, NonLocal, RecurrentSliceAttention
from medattn_lite.course.memory import measure_cost

FIGURES = Path(__file__).resolve().parents[2] / "figures"
CLOSE = 5e-3  # of float32 gradients of unscaled scores; see tests/parity/goldens/README.md


@dataclass(frozen=True)
class Record:
    """One comparison; `ratio` is ours ÷ theirs, with the least and the largest of the rounds."""

    work: str
    peer: str
    device: str
    threads: int
    ours: float
    theirs: float
    unit: str
    ratio: float
    low: float
    high: float
    memory_ours: float
    memory_theirs: float


class OfficialRSA(nn.Module):
    """RSA as its authors compute it: three convolutions for each direction, slices copied into rows, two products."""

    def __init__(self, block: RecurrentSliceAttention, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv3d(channels, channels, 1) for _ in range(3)])
        self.betas = nn.ParameterList([nn.Parameter(beta.detach().clone()) for beta in block.betas])
        own = (block.projections.query, block.projections.key, block.projections.value)
        with torch.no_grad():
            for convolution, projection in zip(self.convolutions, own, strict=True):
                convolution.weight.copy_(projection.weight[:, :, None, None, None])
                convolution.bias.copy_(projection.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) to the same shape."""
        for dim, beta in zip((3, 4, 2), self.betas, strict=True):
            there = [0, dim, *(other for other in range(1, 5) if other != dim)]
            parts = [part(x).permute(there).contiguous() for part in self.convolutions]  # 3 × (B, S, C, …)
            query, key, value = (part.view(len(x), part.shape[1], -1) for part in parts)  # 3 × (B, S, C·…)
            affinity = F.softmax(torch.bmm(query, key.permute(0, 2, 1)), dim=-1)  # (B, S, S)
            mixed = torch.bmm(affinity, value).view(parts[2].shape)  # (B, S, C, …)
            x = x + beta * mixed.permute([there.index(axis) for axis in range(5)])
        return x


class OneInput(nn.Module):
    """Global fusion of a map with itself and a projection of it, so that it takes one input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.fusion = nn.Conv3d(channels, channels, 1), GlobalFusion()

    def forward(self, x: Tensor) -> Tensor:
        """(B, f, D, H, W) to the same shape."""
        return self.fusion(self.query(x), x, x)


def watched(block: nn.Module) -> nn.Module:
    """A copy whose maps somebody looks at, so that it computes them as the formula says."""
    block = copy.deepcopy(block)
    for module in block.modules():
        if isinstance(module, AttentionMap):
            module.register_forward_hook(lambda module, inputs, output: None)
    return block


def rsa(channels: int, size: tuple[int, ...]) -> tuple[nn.Module, nn.Module, Tensor]:
    """Ours, the official formulation, and an input small enough that not all weights of a map are 0 or 1."""
    torch.manual_seed(0)
    block = RecurrentSliceAttention(channels)
    for beta in block.betas:
        nn.init.constant_(beta, 0.5)
    return block, OfficialRSA(block, channels), 0.01 * torch.randn(1, channels, *size)


def with_its_map(block: nn.Module, channels: int, side: int) -> tuple[nn.Module, nn.Module, Tensor]:
    """Ours, the same with its matrix, and an input."""
    return block, watched(block), torch.randn(1, channels, side, side, side)


def comparisons() -> Iterator[tuple[str, str, Callable[[], tuple[nn.Module, nn.Module, Tensor]]]]:
    """(work, peer, what makes both and their input)."""
    official, matrix = "official formulation", "the same with its matrix"
    yield "RSA 128×12×64×80", official, lambda: rsa(128, (12, 64, 80))
    yield "RSA 256×6×32×40", official, lambda: rsa(256, (6, 32, 40))
    yield "non-local 32×24³", matrix, lambda: with_its_map(NonLocal(32, sub_sample=False, zero_init=False), 32, 24)
    yield "dual fusion 32×16³, default grid", matrix, lambda: with_its_map(OneInput(32), 32, 16)
    yield "dual fusion 32×32³, default grid", matrix, lambda: with_its_map(OneInput(32), 32, 32)


def forward(block: nn.Module, x: Tensor) -> Tensor:
    """The output, without a graph."""
    with torch.no_grad():
        return block(x)


def both_ways(block: nn.Module, x: Tensor) -> Tensor:
    """The gradient of the input, of the output's squared sum."""
    leaf = x.clone().requires_grad_()
    block.zero_grad(set_to_none=True)
    block(leaf).square().sum().backward()
    return leaf.grad


def compare(work: str, peer: str, ours: nn.Module, theirs: nn.Module, x: Tensor, *, rounds: int) -> Iterator[Record]:
    """Forward alone, and forward with backward.

    Raises:
        ValueError: outputs or gradients differ.
    """
    for name, run in (("forward", forward), ("forward + backward", both_ways)):
        expected = run(theirs, x)
        apart = float((run(ours, x) - expected).abs().max() / expected.abs().max())
        if apart > CLOSE:
            raise ValueError(f"{work}, {name}: ours and theirs are {apart:.1e} apart")
        took: dict[str, list[float]] = {"ours": [], "theirs": []}
        for number in range(rounds):
            for who, block in (("ours", ours), ("theirs", theirs))[:: 1 if number % 2 else -1]:
                began = time.process_time()
                run(block, x)
                took[who].append(1000 * (time.process_time() - began))
        ratios = [a / b for a, b in zip(took["ours"], took["theirs"], strict=True)]
        memory = [measure_cost(run, block, x).mebibytes for block in (ours, theirs)]
        yield Record(
            f"{work}, {name}", peer, x.device.type, torch.get_num_threads(), statistics.median(took["ours"]),
            statistics.median(took["theirs"]), "ms", statistics.median(ratios), min(ratios), max(ratios), *memory,
        )  # fmt: skip


def markdown(records: list[Record]) -> str:
    """The records as a page."""
    lines = [
        "# The attention kernels beside the formulas they replace", "",
        "Ratios are ours ÷ theirs: below 1 ours is faster, or leaner. Time is CPU time of the process, median of "
        "rounds taken in turn, the ratio with the least and the largest round in brackets; memory is the highest sum "
        "of all tensors alive, counted. Outputs and gradients were compared first. Made by "
        "`python -m tests.benchmarks.attention`.", "",
        "| work | beside | threads | ours, ms | theirs, ms | ratio | ours, MiB | theirs, MiB | ratio |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for one in records:
        lines.append(
            f"| {one.work} | {one.peer} | {one.threads} | {one.ours:.0f} | {one.theirs:.0f} | {one.ratio:.2f} "
            f"[{one.low:.2f}, {one.high:.2f}] | {one.memory_ours:.0f} | {one.memory_theirs:.0f} "
            f"| {one.memory_ours / one.memory_theirs:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.attention")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (default: 5)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="threads, one table for each (default: 1)")
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder for the page (default: figures)")
    options = parser.parse_args(arguments)
    records: list[Record] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        for work, peer, make in comparisons():
            for one in compare(work, peer, *make(), rounds=options.rounds):
                print(f"{one.work}, {threads} threads: {one.ratio:.2f} [{one.low:.2f}, {one.high:.2f}]", flush=True)
                records.append(one)
    options.out.mkdir(parents=True, exist_ok=True)
    made_by = {"command": "python -m tests.benchmarks.attention", "torch": torch.__version__,
               "machine": platform.machine(), "rounds": options.rounds}  # fmt: skip
    content = {"made_by": made_by, "records": [asdict(one) for one in records]}
    (options.out / "attention_kernels.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    page = markdown(records)
    (options.out / "attention_kernels.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
