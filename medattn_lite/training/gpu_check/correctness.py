"""Does the GPU compute what the CPU does: outputs and gradients of every block and network, in every mode."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.training.gpu_check.work import Work

MODES = ("fp32", "bf16", "channels last", "compiled")
# Largest difference that is accepted, as a share of the CPU's largest absolute value: rounding of a deep network in
# fp32, and of eight bits of mantissa in bf16. Gradients are sums of many such terms.
LIMITS = {"fp32": (1e-3, 2e-2), "channels last": (1e-3, 2e-2), "compiled": (1e-3, 2e-2), "bf16": (5e-2, 5e-1)}


@contextlib.contextmanager
def exact_fp32() -> Iterator[None]:
    """No TF32 inside: fp32 means fp32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def compare_with_cpu(work: Work, mode: str, device: torch.device) -> dict[str, Any]:
    """One module in one mode on a device beside the same module in fp32 on the CPU, in eval mode, batch of 2 or 1.

    Returns:
        a record: work, mode, output and gradient (largest difference ÷ largest value on the CPU), limits, ok.
    """
    torch.manual_seed(0)
    module = wake(work.make()).eval()
    images = work.batch(2 if work.kind == "block" else 1)
    expected, slope = _run(module, images, "fp32")
    with exact_fp32():
        moved = module.to(device)
        moved_output, gradient = _run(moved, images.to(device), mode)
    output, backward = _difference(moved_output, expected), _difference(gradient, slope)
    limits = LIMITS[mode]
    return {"work": work.name, "kind": work.kind, "mode": mode, "output": output, "gradient": backward,
            "limits": list(limits), "ok": bool(output <= limits[0] and backward <= limits[1])}  # fmt: skip


def wake(module: nn.Module) -> nn.Module:
    """Weights that start at 0 are drawn: a block that passes its input on at its start would compare equal whatever."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return module


def _run(module: nn.Module, images: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Output, and the gradient of its sum with respect to the input, both in fp32 on the CPU."""
    images = images.clone().requires_grad_()
    inputs, called = images, module
    if mode == "channels last":
        form = torch.channels_last if images.dim() == 4 else torch.channels_last_3d
        module.to(memory_format=form)  # type: ignore[call-overload]  # the stubs lack this form
        inputs = images.contiguous(memory_format=form)
    if mode == "compiled":
        called = torch.compile(module)  # type: ignore[assignment]  # a callable is enough
    with torch.autocast(images.device.type, torch.bfloat16, enabled=mode == "bf16"):
        output = called(inputs)
    (gradient,) = torch.autograd.grad(output.float().sum(), images)
    return output.detach().float().cpu(), gradient.detach().float().cpu()


def _difference(computed: Tensor, expected: Tensor) -> float:
    scale = float(expected.abs().max())
    return float((computed - expected).abs().max()) / scale if scale > 0 else float((computed - expected).abs().max())
