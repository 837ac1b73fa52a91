"""One line at the top of each notebook: what runs here, on which device, at which scale, on whose data."""

from __future__ import annotations

import platform
from pathlib import Path

from medattn_lite import __version__
from medattn_lite.course.scales import check_scale


def environment_line(
    device: str = "auto",
    scale: str = "smoke",
    *,
    seed: int | None = None,
    data: str | None = None,
    data_root: str | Path | None = None,
) -> str:
    """Says in one line what this notebook runs with.

    Args:
        device: the notebook's `DEVICE`: "auto" or a device's name.
        scale: the notebook's `SCALE`.
        seed: the notebook's `SEED`, if it has one.
        data: the notebook's `DATA`, if it uses any.
        data_root: the notebook's `DATA_ROOT`; only its last folder is named.

    Returns:
        Versions, device and precision, scale, seed and data, in words.

    Raises:
        UserError: the scale or the device does not exist.
    """
    import torch

    from medattn_lite.training.device import choose

    check_scale(scale)
    chosen = choose(device)
    where = f"{chosen.device.type} ({torch.get_num_threads()} threads)" if chosen.device.type == "cpu" \
        else str(chosen.device)
    parts = [
        f"medattn_lite {__version__}",
        f"Python {platform.python_version()}",
        f"torch {torch.__version__}",
        f"{where}, {chosen.precision}",
        f"scale {scale}",
    ]
    if seed is not None:
        parts.append(f"seed {seed}")
    if data == "phantom":
        parts.append("data: phantom (synthetic)")
    elif data is not None:
        folder = f" in {Path(data_root).name}" if data_root is not None else ""
        parts.append(f"data: {data}{folder} (real)")
    return " · ".join(parts)
