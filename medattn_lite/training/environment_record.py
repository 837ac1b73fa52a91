"""What a run says of the computer and the code it ran on, and what has changed since it began."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import medattn_lite
from medattn_lite import __version__
from medattn_lite.data.json_files import write_json
from medattn_lite.data.versions import versions

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["changed_since", "code_digest", "environment", "write_json"]

# What numbers depend on, beside the seed, in the words of a note.
_NAMED = {
    "medattn_lite": "medattn_lite", "code": "the package's code", "torch": "torch", "monai": "monai",
    "device": "the device", "precision": "the precision", "processes": "the number of processes",
    "threads": "the number of threads", "versions": "the versions of the data",
}  # fmt: skip
_CODE = ("attention", "data", "networks", "survival", "training")  # the rooms that a trained network depends on


def environment(accelerator: Accelerator) -> dict[str, Any]:
    """Versions, of software and of data, device, precision, processes and threads."""
    device = accelerator.device
    return {
        "medattn_lite": __version__, "code": code_digest(), "python": platform.python_version(),
        "torch": torch.__version__, "monai": version("monai"), "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "precision": {"no": "fp32"}.get(accelerator.mixed_precision, accelerator.mixed_precision),
        "processes": accelerator.num_processes, "threads": torch.get_num_threads(), "versions": versions("phantom"),
    }  # fmt: skip


@cache
def code_digest() -> str:
    """The first twelve digits of a checksum of the code that a trained network depends on."""
    root, hasher = Path(medattn_lite.__file__).parent, hashlib.sha256()
    for room in _CODE:
        for path in sorted((root / room).rglob("*.py")):
            hasher.update(str(path.relative_to(root).as_posix()).encode() + b"\0" + path.read_bytes() + b"\0")
    return hasher.hexdigest()[:12]


def changed_since(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed between two records of `environment`, in words; what an older record lacks is left out."""
    return [f"{words} (was {before[name]}, is {now[name]})" for name, words in _NAMED.items()
            if name in before and before[name] != now[name]]  # fmt: skip
