"""Fills a module with a golden's weights and measures how far it is from the reference's output and gradient.

The difference is relative: max |a − b| / max |b|. See `goldens/README.md` for how weights and inputs are made.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.references import REFERENCES
from tests.parity.undecided import settle_undecided

FOLDER = Path(__file__).parent / "goldens"
Record = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """Largest relative differences from a reference.

    Attributes:
        output: of the output.
        gradient: of the gradient with respect to the input, as computed.
        settled: of the gradient after `undecided` ReLUs were given the reference's side; equal to
            `gradient` where there was nothing to settle.
        undecided: number of ReLU inputs, out of all, whose side rounding decides and that were turned.
        parameters: number of parameters of the project's module.
    """

    output: float
    gradient: float
    settled: float
    undecided: int
    parameters: int


@cache
def records(folder: Path = FOLDER) -> dict[str, Record]:
    """The index: golden name → record."""
    return json.loads((folder / "index.json").read_text())


def reference_name(golden: str) -> str:
    """`rsa_block_a` → `rsa_block`."""
    return golden.rsplit("_", 1)[0]


def weight(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The reference's parameter of this name, float64."""
    normal = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    leaf = key.rsplit(".", 1)[-1]
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    if leaf == "running_var":
        return 1 + 0.5 * np.abs(normal)
    if leaf == "running_mean":
        return 0.1 * normal
    if len(shape) <= 1 and leaf == "weight":
        return 1 + 0.1 * normal
    if leaf == "bias":
        return 0.1 * normal
    if len(shape) == 0 or leaf.startswith(("beta", "alpha")):
        return 0.5 + 0.1 * normal
    return normal * np.sqrt(2 / fan_in)


def reference_state(record: Record) -> dict[str, Tensor]:
    """The reference's whole state dict, float32."""
    return {
        key: torch.tensor(np.asarray(weight(key, tuple(shape)), dtype=np.float32))
        for key, shape in record["keys"].items()
    }


def golden_input(name: str, record: Record) -> Tensor:
    """The reference's input, float32."""
    draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(record["input_shape"])
    return torch.from_numpy(draw.astype(np.float32))


def build(name: str, record: Record) -> nn.Module:
    """The project's module with the golden's weights, in eval mode."""
    reference = REFERENCES[reference_name(name)]
    module = reference.build(record)
    module.load_state_dict(reference.convert(reference_state(record)))
    return module.eval()


def output_and_gradient(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and gradient of the sum of its squares with respect to the input."""
    x = x.detach().clone().requires_grad_()
    output = module(x)
    output.square().sum().backward()
    return output.detach(), x.grad


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """max |a − b| / max |b|.

    Raises:
        ValueError: the shapes differ, or the reference is zero everywhere.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes differ: {ours.shape} and {theirs.shape}")
    scale = float(np.abs(theirs).max())
    if scale == 0:
        raise ValueError("the reference is zero everywhere, so the comparison would say nothing")
    return float(np.abs(ours.astype(np.float64) - theirs).max()) / scale


def sampled(gradient: Tensor, record: Record) -> np.ndarray:
    """The gradient as the golden keeps it: whole, or at 2000 places drawn with seed 2."""
    values = gradient.numpy()
    if "grad_sampled" in record:
        return values.ravel()[np.random.default_rng(2).integers(0, values.size, 2000)]
    return values


@cache
def compare(name: str, folder: Path = FOLDER) -> Difference:
    """Runs the project's module on a golden's input and measures the differences."""
    record = records(folder)[name]
    golden = np.load(folder / f"{name}.npz")
    module = build(name, record)
    x = golden_input(name, record)
    output, gradient = output_and_gradient(module, x)
    theirs = golden["grad"].astype(np.float64)

    def distance(candidate: Tensor) -> float:
        return relative(sampled(candidate, record).reshape(theirs.shape), theirs)

    raw = distance(gradient)
    limit = REFERENCES[reference_name(name)].limit
    settled, undecided = (raw, 0) if raw <= limit else settle_undecided(module, x, distance)
    return Difference(
        output=relative(output.numpy(), golden["output"]),
        gradient=raw,
        settled=settled,
        undecided=undecided,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
    )
