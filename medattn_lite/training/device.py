"""Which device and which precision a run uses, and why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from medattn_lite.errors import UserError


@dataclass(frozen=True)
class DeviceChoice:
    """A device, the precision to train at on it, and the reason in words."""

    device: torch.device
    precision: str
    why: str


def pick_device(name: str = "auto") -> torch.device:
    """Picks the torch device for a name.

    Args:
        name: "auto" takes a GPU where there is one (cuda, then mps), else the CPU; or a device's own name.

    Raises:
        UserError: the named device does not exist here.
    """
    return choose(name).device


def choose(name: str = "auto") -> DeviceChoice:
    """Chooses like `pick_device`, with the precision and the reason.

    bf16 is chosen only on a GPU that computes it itself. On a CPU torch's bf16 convolutions have wrong gradients for
    some sizes, or end the process: `medattn study bf16-on-cpu`.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return _cuda(torch.device("cuda"))
        if torch.backends.mps.is_available():
            return DeviceChoice(torch.device("mps"), "fp32", "Apple GPU found; fp32, since bf16 is partial there")
        return DeviceChoice(torch.device("cpu"), "fp32", "no GPU found; fp32, so that results do not depend on the CPU")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device {name!r}: use auto, cpu, cuda, cuda:0, … or mps") from None
    if device.type == "cuda":
        if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
            raise UserError(f"device {name!r} is not here ({torch.cuda.device_count()} GPUs found): use auto or cpu")
        return _cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device 'mps' is not here: use auto or cpu")
    return DeviceChoice(device, "fp32", f"{name} was asked for; fp32")


def require_precision(device: torch.device, precision: str) -> None:
    """Raises a UserError where a device cannot train at a precision: fp32, bf16 or fp16."""
    if precision != "fp32" and device.type == "cpu":
        why = " (on CPUs torch's bf16 convolutions have wrong gradients for some sizes)" if precision == "bf16" else ""
        raise UserError(f"{precision} needs a GPU: use --precision fp32{why}")


@cache
def bf16_speed(device: str | torch.device, *, repeats: int = 7) -> float | None:
    """How many times faster a small 3-D convolution and a matrix product, with gradients, are in bf16 than in fp32.

    Measured once in a process, in some tens of milliseconds: the least of several rounds, so that other programs
    matter little. Random numbers are left as they were.

    Returns:
        the ratio; None where bf16 does not run.
    """
    place = torch.device(device)
    clock = time.perf_counter  # a process's CPU time moves in steps of milliseconds on some systems
    with torch.random.fork_rng(devices=[]):
        layer, linear = nn.Conv3d(8, 16, 3, padding=1).to(place), nn.Linear(256, 256).to(place)
    image, rows = torch.zeros(1, 8, 24, 24, 24, device=place), torch.zeros(512, 256, device=place)
    seconds = {}
    for bf16 in (False, True):
        times = []
        for _ in range(repeats + 1):  # the first one warms up
            began = clock()
            try:
                with torch.autocast(place.type, dtype=torch.bfloat16, enabled=bf16):
                    (layer(image).float().sum() + linear(rows).float().sum()).backward()
                if place.type == "cuda":
                    torch.cuda.synchronize()
            except (RuntimeError, NotImplementedError):
                return None
            times.append(clock() - began)
        seconds[bf16] = min(times[1:])
    return seconds[False] / max(seconds[True], 1e-9)


def _cuda(device: torch.device) -> DeviceChoice:
    name = torch.cuda.get_device_name(device)
    if torch.cuda.get_device_capability(device) >= (8, 0):
        return DeviceChoice(device, "bf16", f"{name}; it computes bf16 in hardware")
    return DeviceChoice(device, "fp32", f"{name}; older than Ampere, so no bf16 in hardware")


def put_channels_last(model: nn.Module) -> None:
    """Puts the channels of each voxel side by side in memory, in place: kernels of 2-D and 3-D convolutions alike."""
    forms = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in model.parameters():
        if parameter.dim() in forms:
            parameter.data = parameter.data.to(memory_format=forms[parameter.dim()])
