"""Phantoms of a comparison as one file, so that a second call need not make them; a damaged one is known and named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from medattn_lite.data.files import replaced
from medattn_lite.errors import UserError

CHECKSUM = "checksum"


def write_phantoms(path: Path, images: Tensor, labels: Tensor, masks: Tensor | None, subjects: Sequence[str]) -> None:
    """Writes images, labels, masks and patients' names.

    Args:
        path: the file; replaced if it is there.
        images: (N, C, …) half precision.
        labels: (N,) whole numbers.
        masks: (N, …) bool; None for none.
        subjects: patient of each row.
    """
    from safetensors.torch import save_file

    names = np.frombuffer("\n".join(subjects).encode(), dtype=np.uint8).copy()
    content = {"images": images.contiguous(), "labels": labels, "subjects": torch.from_numpy(names)}
    content |= {} if masks is None else {"masks": masks.contiguous()}
    with replaced(path) as part:
        save_file(content, part, metadata={CHECKSUM: _checksum(content)})


def read_phantoms(path: Path) -> tuple[Tensor, Tensor, Tensor | None, list[str]]:
    """What `write_phantoms` wrote.

    Raises:
        UserError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    remedy = "delete it, and the same command makes the phantoms anew"
    try:
        with safe_open(path, framework="pt") as file:
            written = (file.metadata() or {}).get(CHECKSUM)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        names = bytes(tensors["subjects"].numpy()).decode().split("\n")
        images, labels = tensors["images"], tensors["labels"]
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise UserError(f"{path} is damaged ({str(error).splitlines()[0][:80]}): {remedy}") from None
    if written not in (None, _checksum(tensors)):
        raise UserError(f"{path} is damaged, its numbers are not those that were written: {remedy}")
    return images, labels, tensors.get("masks"), names


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    hasher = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        hasher.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        hasher.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
