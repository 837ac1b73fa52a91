"""Which device and which precision a run uses, and why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator

FAST = 1.5  # times: from here on a user is told that bf16 is faster


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

    bf16 is chosen only on a GPU that computes it itself. CPUs differ: on some it is several times faster, on most
    slower, and a result shall not depend on which one it was; `bf16_speed` says what it would be.
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


@cache
def bf16_speed(device: str | torch.device = "cpu", *, repeats: int = 7) -> float | None:
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


def is_cpu_bf16(accelerator: Accelerator) -> bool:
    """Whether it trains in bf16 on a CPU."""
    return accelerator.device.type == "cpu" and accelerator.mixed_precision == "bf16"


@contextmanager
def group_norms_in_fp32(model: nn.Module, *, enabled: bool = True) -> Iterator[None]:
    """Inside, every group norm computes in fp32 what it is given in bf16, and gives bf16 back.

    On a CPU the gradient of torch's bf16 group norm takes several times as long as in fp32: of a training step of
    RSANet in bf16 it was more than half.

    Args:
        model: whose group norms are meant.
        enabled: False changes nothing.
    """
    hooks = []
    for layer in model.modules() if enabled else ():
        if isinstance(layer, nn.GroupNorm):
            hooks.append(layer.register_forward_pre_hook(lambda _, images: (images[0].float(), *images[1:])))
            hooks.append(layer.register_forward_hook(_as_bf16))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _as_bf16(layer: nn.Module, images: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    return output.to(torch.bfloat16) if torch.is_autocast_enabled("cpu") else output
