"""bf16 convolutions on this CPU beside fp32: is the gradient right, and is it faster?

    medattn study bf16-on-cpu

Each size is computed in a process of its own, since some end it. Writes `figures/bf16_on_cpu.md`.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "figures" / "bf16_on_cpu.md"
# Channels in, channels out, kernel, image: levels of RSANet and of an nnU-Net-like U-Net, whole slices and half of them
SIZES = (
    (16, 16, (1, 3, 3), (4, 128, 112)), (8, 8, (1, 3, 3), (4, 128, 112)), (32, 16, (1, 3, 3), (4, 128, 112)),
    (16, 16, (3, 3, 3), (4, 128, 112)), (32, 16, (1, 3, 3), (4, 64, 56)), (32, 16, (3, 3, 3), (4, 64, 56)),
    (16, 16, (3, 3, 3), (16, 64, 64)), (64, 32, (3, 3, 3), (2, 32, 28)), (128, 128, (3, 3, 3), (1, 8, 7)),
)  # fmt: skip
LIMITS = ("", "AVX512_CORE_BF16", "AVX2")  # of ONEDNN_MAX_CPU_ISA: with AMX where the CPU has it, without, and old
RIGHT = 1e-2  # relative error; eight bits of mantissa allow some thousandths
CODE = """
import statistics, sys, time
import torch
from torch.nn import functional as F
torch.set_num_threads(1)
inside, outside, kernel, size = {size!r}
generator = torch.Generator().manual_seed(0)
image = torch.randn(4, inside, *size, generator=generator)
weight = (0.05 * torch.randn(outside, inside, *kernel, generator=generator)).requires_grad_()
after = torch.randn(4, outside, *size, generator=generator)
def gradient(bf16):
    weight.grad, begin = None, time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        out = F.conv3d(image, weight, padding=[side // 2 for side in kernel])
    (out.float() * after).sum().backward()
    return weight.grad, time.process_time() - begin
exact = gradient(False)[0]
times = {{bf16: statistics.median(gradient(bf16)[1] for _ in range(5)) for bf16 in (False, True)}}
errors = [float((gradient(True)[0] - exact).norm() / exact.norm()) for _ in range(5)]
worst = max(errors, key=lambda error: (error != error, error))  # NaN is worse than any number
print(worst, times[True] / times[False])
"""


def measure(size: tuple, limit: str) -> tuple[str, str]:
    """What became of one size: the largest relative error of the weights' gradient, and bf16 ÷ fp32 in CPU time.

    Args:
        size: one of `SIZES`.
        limit: value of ONEDNN_MAX_CPU_ISA; "" leaves it out.
    """
    environment = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    environment |= {"ONEDNN_MAX_CPU_ISA": limit} if limit else {}
    done = subprocess.run([sys.executable, "-c", CODE.format(size=size)], env=environment, capture_output=True,
                          text=True, encoding="utf-8", errors="replace")  # fmt: skip
    if done.returncode:
        message = (done.stderr.strip().splitlines() or [signal.strsignal(-done.returncode) or ""])[-1]
        return f"**ended: {message}**", "–"
    error, ratio = map(float, done.stdout.split())
    return (f"{error:.1e}" if error < RIGHT else f"**{error:.1e}**"), f"{ratio:.2f}"


def page(rows: Sequence[Sequence[str]], cpu: str, version: str) -> str:
    """The page, from rows of cells."""
    lines = ["# bf16 convolutions on a CPU", "", "Made by `medattn study bf16-on-cpu`; do not edit by hand. "
             f"torch {version}, {cpu}, one thread, batch of 4.", "",
             "Error: of the weights' gradient, relative to fp32, the largest of five passes; bold where it is wrong "
             "(rounding gives about 3e-03) or where the process ended, having written outside its memory. Time: bf16 ÷ "
             "fp32, forward and backward, in CPU time. The columns are the CPU as it is and, by `ONEDNN_MAX_CPU_ISA`, "
             "without AMX (AVX512_CORE_BF16) and as an older one (AVX2).", "",
             "| channels | kernel | image | error, as it is | time | error, AVX-512 | time | error, AVX2 | time |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> int:
    """Measures and writes the page."""
    import torch

    amx = bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
    rows = [[f"{size[0]} → {size[1]}", *("×".join(map(str, part)) for part in size[2:]),
             *(cell for limit in LIMITS for cell in measure(size, limit))] for size in SIZES]  # fmt: skip
    text = page(rows, f"{platform.machine()} {'with' if amx else 'without'} AMX", torch.__version__)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
