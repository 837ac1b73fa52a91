"""Checkpoints without pickle: weights and optimiser state as safetensors, everything else as JSON in their header.

A pickle runs code when it is read; a safetensors file holds numbers only. A file is written beside its place
and moved there in one step, so that a run killed while saving finds the one before. It bears a checksum of its numbers:
a file with one bit turned over is not read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.data.files import replaced
from medattn_lite.errors import UserError

OPTIMISER, MODEL, CHECKSUM = "optimiser.", "model.", "checksum"
ANEW = "copy it again, or train anew (medattn train)"


def save_weights(model: nn.Module, path: Path, *, half: bool = False, **facts: Any) -> None:
    """Writes a network's weights and buffers.

    Args:
        model: the network.
        path: `*.safetensors`; replaced if it is there.
        half: in half precision, which a network in single precision reads as well.
        **facts: JSON values kept in the file's header.
    """
    tensors = {name: _plain(tensor) for name, tensor in model.state_dict().items()}
    if half:
        tensors = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    _write(tensors, path, facts)


def load_weights(model: nn.Module, path: Path, *, remedy: str = ANEW) -> dict[str, Any]:
    """Reads weights into a network of the same architecture.

    Args:
        model: the network.
        path: of `save_weights`.
        remedy: what to do where the file is missing or damaged, for the message.

    Returns:
        the facts that were kept with them.

    Raises:
        UserError: the file is missing or damaged, or belongs to another network.
    """
    tensors, facts = _open(path, tensors=True, remedy=remedy)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} belongs to another network ({first}): {remedy}") from None
    return facts


def read_facts(path: Path, *, remedy: str = ANEW) -> dict[str, Any]:
    """What was kept beside the weights of a file, such as the iteration; the weights are not read.

    Raises:
        UserError: the file is missing or damaged.
    """
    return _open(path, tensors=False, remedy=remedy)[1]


def save_state(model: nn.Module, optimiser: torch.optim.Optimizer, path: Path, **facts: Any) -> None:
    """Writes all that a stopped run needs to go on: weights, optimiser state, and facts such as the iteration."""
    state = optimiser.state_dict()
    tensors = {MODEL + name: _plain(tensor) for name, tensor in model.state_dict().items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{OPTIMISER}{index}.{key}"] = _plain(value)
            else:
                numbers.setdefault(str(index), {})[key] = value
    facts["optimiser"] = {"numbers": numbers, "param_groups": state["param_groups"]}
    _write(tensors, path, facts)


def load_state(
    model: nn.Module, optimiser: torch.optim.Optimizer, path: Path, *, remedy: str = ANEW
) -> dict[str, Any]:
    """Reads what `save_state` wrote into a network and its optimiser; returns the facts.

    Args:
        model: the network.
        optimiser: of its parameters.
        path: of `save_state`.
        remedy: as for `load_weights`.

    Raises:
        UserError: the file is damaged or belongs to another run.
    """
    tensors, facts = _open(path, tensors=True, remedy=remedy)
    record = facts.pop("optimiser", None)
    if not isinstance(record, dict) or not {"numbers", "param_groups"} <= set(record):
        raise UserError(f"{path} holds no state to go on from: {remedy}")
    weights = {name.removeprefix(MODEL): t for name, t in tensors.items() if name.startswith(MODEL)}
    if not weights:
        raise UserError(f"{path} holds no state to go on from: {remedy}")
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in record["numbers"].items()}
    for name, tensor in tensors.items():
        if name.startswith(OPTIMISER):
            index, key = name.removeprefix(OPTIMISER).split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
    try:
        model.load_state_dict(weights)
        optimiser.load_state_dict({"state": state, "param_groups": record["param_groups"]})
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} belongs to another run ({first}): {remedy}") from None
    return facts


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU and in memory of its own: safetensors refuses tensors that share it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _write(tensors: dict[str, Tensor], path: Path, facts: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    kept = json.dumps({**facts, CHECKSUM: _checksum(tensors, facts)})  # one entry: several have no fixed order
    with replaced(path) as part:
        save_file(tensors, part, metadata={"facts": kept})


def _open(path: Path, *, tensors: bool, remedy: str = ANEW) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}: {remedy}")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            # copied: a tensor of safetensors lies in the file itself, which Windows then lets nobody replace, and which
            # shows what another process writes into it
            tensors_read = {name: file.get_tensor(name).clone() for name in file.keys()} if tensors else {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, RecursionError) as error:
        raise UserError(f"cannot read {path} ({error}): it is damaged; {remedy}") from None
    written = facts.pop(CHECKSUM, None) if isinstance(facts, dict) else None
    if not isinstance(facts, dict) or tensors and written not in (None, _checksum(tensors_read, facts)):
        raise UserError(f"{path} is damaged, its numbers are not those that were written: {remedy}")
    return tensors_read, facts


def _checksum(tensors: Mapping[str, Tensor], facts: Any) -> str:
    """Of names, kinds, shapes and numbers, and of the facts beside them."""
    hasher = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hasher.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
