"""What this machine can do at most, measured: operations of a matrix product and of a convolution, bytes of a copy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch.nn import functional as F

TRIES = 5


def load() -> str:
    """", load 1.2" of the last minute; nothing on Windows, which does not know it."""
    return f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


@dataclass(frozen=True)
class Peaks:
    """Of one thread on a CPU, or of a whole GPU.

    Attributes:
        product: operations a second of a square matrix product in float32, multiplications and additions.
        convolution: likewise of a 3×3×3 convolution in float32.
        half: likewise of a square matrix product in bfloat16.
        bandwidth: bytes a second read and written by a copy that no cache holds.
        is_gpu: whether threads make no difference.
    """

    product: float
    convolution: float
    half: float
    bandwidth: float
    is_gpu: bool = False

    @property
    def operations(self) -> float:
        """The faster of product and convolution in float32."""
        return max(self.product, self.convolution)

    def milliseconds(self, *, operations: float | None, moved: float | None, threads: int = 1) -> float | None:
        """The least time for so many operations and bytes, the longer of the two; None if both are unknown.

        CPU time: several threads share the work and add up to the same time, so `threads` does not shorten it.
        """
        parts = [1000 * operations / self.operations] if operations else []
        parts += [1000 * moved / self.bandwidth] if moved else []
        return max(parts) if parts else None


@cache
def peaks_of(device: str = "cpu") -> Peaks:
    """Measured once in a process; about half a second."""
    is_gpu = device.startswith("cuda")
    side, channels, edge, count = (8192, 128, 64, 2**28) if is_gpu else (1024, 64, 24, 2**25)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        matrix = torch.randn(side, side, device=device)
        half = matrix.bfloat16()
        image = torch.randn(1, channels, edge, edge, edge, device=device)
        kernel = torch.randn(channels, channels, 3, 3, 3, device=device)
        many = torch.zeros(count, device=device)
        other = torch.zeros_like(many)
        work = 2.0 * 27 * channels**2 * edge**3
        with torch.no_grad():
            return Peaks(
                2.0 * side**3 / _least(lambda: matrix @ matrix, is_gpu),
                work / min(_least(lambda layout=layout: F.conv3d(layout, kernel, padding=1), is_gpu)
                           for layout in (image, image.contiguous(memory_format=torch.channels_last_3d))),
                2.0 * side**3 / _least(lambda: half @ half, is_gpu),
                2.0 * many.nbytes / _least(lambda: other.copy_(many), is_gpu), is_gpu,
            )  # fmt: skip
    finally:
        torch.set_num_threads(threads)


def _least(run: Callable[[], object], is_gpu: bool) -> float:
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(TRIES):
        if is_gpu:
            torch.cuda.synchronize()
        began = time.perf_counter() if is_gpu else time.process_time()
        run()
        if is_gpu:
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() if is_gpu else time.process_time()) - began)
    return min(seconds[1:])
