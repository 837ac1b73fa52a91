"""How fast a training step is and what it takes: at published size, by precision, beside the device's measured peak."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from medattn_lite.training.gpu_check.work import Work

MODES = ("fp32", "tf32", "bf16", "compiled bf16")
GIGABYTES = (8, 12, 16, 24, 40, 80)  # memories of common GPUs
USABLE = 0.92  # share of a GPU's memory that a batch may fill
STEPS, WARM_UP = 5, 2


def peaks(device: torch.device, *, side: int = 8192) -> dict[str, float]:
    """Measured operations per second of a square matrix product, by precision, and bytes per second of a copy."""
    if device.type != "cuda":
        side = 512
    speeds = {}
    for name, dtype, tf32 in (("fp32", torch.float32, False), ("tf32", torch.float32, True),
                              ("bf16", torch.bfloat16, False)):  # fmt: skip
        torch.backends.cuda.matmul.allow_tf32 = tf32
        matrix = torch.randn(side, side, device=device, dtype=dtype)
        speeds[name] = 2 * side**3 / _seconds(lambda matrix=matrix: matrix @ matrix, device)
    torch.backends.cuda.matmul.allow_tf32 = False
    block = torch.empty(64 * 2**20 if device.type == "cuda" else 2**20, device=device)
    speeds["bytes"] = 2 * block.numel() * 4 / _seconds(lambda: block.clone(), device)
    return speeds


def measure_step(work: Work, mode: str, device: torch.device, *, batch: int = 2) -> dict[str, Any]:
    """One training step (forward, backward, SGD) of a network.

    Returns:
        a record: seconds (median of 5), images per second, memory (peak bytes, None on a CPU), operations of the
        forward and backward pass, operations per second, batch.
    """
    torch.manual_seed(0)
    module = work.make().to(device).train()
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(weights, lr=1e-6)
    images = work.batch(batch).to(device)
    operations = _operations(module, images)
    called: Any = torch.compile(module) if mode.startswith("compiled") else module

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with _precision(mode, device):
            loss = called(images).float().square().mean()
        loss.backward()
        optimiser.step()

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        seconds = _seconds(step, device)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {"work": work.name, "mode": mode, "batch": batch, "seconds": seconds, "images_per_second": batch / seconds,
            "memory": memory, "operations": operations, "operations_per_second": operations / seconds}  # fmt: skip


def batches_that_fit(two: int, four: int) -> dict[str, int]:
    """How many images fit common GPUs, from the peak bytes of batches of two and four; memory grows with the batch."""
    each = max((four - two) / 2, 1.0)
    fixed = max(two - 2 * each, 0.0)
    return {f"{size} GB": max(0, int((USABLE * size * 1e9 - fixed) / each)) for size in GIGABYTES}


def _operations(module: nn.Module, images: torch.Tensor) -> int:
    """Multiplications and additions of a forward and a backward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(images).float().square().mean().backward()
    module.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


@contextlib.contextmanager
def _precision(mode: str, device: torch.device) -> Iterator[None]:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode == "tf32"
    with torch.autocast(device.type, torch.bfloat16, enabled="bf16" in mode):
        yield


def _seconds(call: Any, device: torch.device) -> float:
    """Median seconds of a call."""
    taken = []
    for number in range(WARM_UP + STEPS):
        _wait(device)
        began = time.perf_counter()
        call()
        _wait(device)
        if number >= WARM_UP:
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
