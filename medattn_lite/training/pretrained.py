"""Weights from a local file of the networks' own authors (or timm), read without running code from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.networks.convert import LoadReport, load_matching

ENOUGH = 0.5  # of the network's tensors; a smaller network than published shares but a few shapes with the file


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Args:
        path: `*.safetensors`, or a `*.pth` that holds nothing but tensors.

    Raises:
        UserError: no such file, damaged, or with more than tensors in it.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file of weights {path}: check weights=PATH; medattn fetch resnest50 gets "
                        "ImageNet's")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format has errors of its own, and none of them says what to do
        first = (str(error).splitlines() or ["?"])[0]
        raise UserError(f"cannot read weights from {path} ({type(error).__name__}: {first[:120]}): use a .safetensors "
                        "file, or a .pth with tensors only") from None
    content = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no tensors by name: it needs a state dict")
    return tensors


def start_from(
    network: nn.Module, path: str | Path, convert: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
) -> LoadReport:
    """Starts a network from a file, as far as names and shapes agree.

    Args:
        network: changed in place; what did not load keeps its start.
        path: see `read_weights`.
        convert: from the file's names to the package's, see `medattn_lite.networks.convert`.

    Returns:
        what loaded and what did not.

    Raises:
        UserError: less than half of the network is in the file.
    """
    report = load_matching(network, convert(read_weights(path)))
    weights = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    loaded = sum(not name.endswith("num_batches_tracked") for name in report.loaded)
    if loaded < ENOUGH * len(weights):
        raise UserError(
            f"{path} fits only {loaded} of the network's {len(weights)} tensors: weights are for networks of "
            "published size, so use --scale paper, and the file of this network"
        )
    return report


def fingerprint(path: str | Path) -> str:
    """SHA-256 of a file, to know it again."""
    with Path(path).expanduser().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
