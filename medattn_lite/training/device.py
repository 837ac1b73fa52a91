"""Which device and which precision a run uses, and why."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The torch device for a name.

    Args:
        name: "auto" takes a GPU where there is one (cuda, then mps), else the CPU; or a device's own name.

    Raises:
        UserError: the named device does not exist here.
    """
    return choose(name).device


def choose(name: str = "auto") -> DeviceChoice:
    """Like `pick_device`, with the precision and the reason.

    bf16 is chosen only on a GPU that computes it itself: on most CPUs it is slower than fp32.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return _cuda(torch.device("cuda"))
        if torch.backends.mps.is_available():
            return DeviceChoice(torch.device("mps"), "fp32", "Apple GPU found; fp32, since bf16 is partial there")
        return DeviceChoice(torch.device("cpu"), "fp32", "no GPU found; fp32, since bf16 is slow on most CPUs")
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
