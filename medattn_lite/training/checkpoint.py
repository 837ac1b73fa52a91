"""Checkpoints without pickle: weights and optimiser state as safetensors, everything else as JSON in their header.

A pickle runs code when it is read; a safetensors file holds numbers only. A file is written beside its place
and moved there in one step, so that a run killed while saving finds the one before.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError

OPTIMISER, MODEL = "optimiser.", "model."


def save_weights(model: nn.Module, path: Path, **facts: Any) -> None:
    """Writes a network's weights and buffers.

    Args:
        model: the network.
        path: `*.safetensors`; replaced if it is there.
        **facts: JSON values kept in the file's header.
    """
    _write({name: _plain(tensor) for name, tensor in model.state_dict().items()}, path, facts)


def load_weights(model: nn.Module, path: Path) -> dict[str, Any]:
    """Reads weights into a network of the same architecture.

    Returns:
        the facts that were kept with them.

    Raises:
        UserError: the file is missing or damaged, or belongs to another network.
    """
    tensors, facts = _read(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} belongs to another network ({first}): build the one it was saved from") from None
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """What was kept beside the weights of a file, such as the iteration; the weights are not read.

    Raises:
        UserError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}: train first (medattn train)")
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("facts", "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({error}): it is damaged; delete it and train again") from None


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


def load_state(model: nn.Module, optimiser: torch.optim.Optimizer, path: Path) -> dict[str, Any]:
    """Reads what `save_state` wrote into a network and its optimiser; returns the facts.

    Raises:
        UserError: the file is damaged or belongs to another run.
    """
    tensors, facts = _read(path)
    record = facts.pop("optimiser", None)
    weights = {name.removeprefix(MODEL): t for name, t in tensors.items() if name.startswith(MODEL)}
    if record is None or not weights:
        raise UserError(f"{path} holds no state to go on from: delete it to start this fold again")
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
        raise UserError(f"{path} belongs to another run ({first}): choose another --out") from None
    return facts


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU and in memory of its own: safetensors refuses tensors that share it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _write(tensors: dict[str, Tensor], path: Path, facts: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    save_file(tensors, unfinished, metadata={"facts": json.dumps(facts)})
    os.replace(unfinished, path)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}: train first (medattn train)")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({error}): it is damaged; delete it and train again") from None
