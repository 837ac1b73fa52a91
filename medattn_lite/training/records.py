"""JSON files of a run, and what they say of the computer it ran on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from medattn_lite import __version__
from medattn_lite.data.versions import versions

if TYPE_CHECKING:
    from accelerate import Accelerator


def environment(accelerator: Accelerator) -> dict[str, Any]:
    """Versions, of software and of data, device, precision and processes."""
    device = accelerator.device
    return {
        "medattn_lite": __version__, "python": platform.python_version(), "torch": torch.__version__,
        "monai": version("monai"), "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "precision": {"no": "fp32"}.get(accelerator.mixed_precision, accelerator.mixed_precision),
        "processes": accelerator.num_processes, "threads": torch.get_num_threads(), "versions": versions("phantom"),
    }  # fmt: skip


def write_json(path: Path, content: Any) -> None:
    """Writes JSON beside its place and moves it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(_finite(content), indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _finite(value: Any) -> Any:
    """JSON has no NaN: what could not be scored is null."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
