"""Proves that a change of the code leaves networks as they are, bit by bit: record before it, compare after it.

    python -m tests.networks.shipped_outputs record before.safetensors
    python -m tests.networks.shipped_outputs compare before.safetensors

Recorded are, of every shipped network, its outputs and the gradient of their squared sum on a fixed input, and of
every small network of `test_small_networks.py` the weights that seed 0 gives it, by name, with its output. The file
belongs to one machine and one torch: other kernels round differently.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from medattn_lite.networks.trained import load_trained, trained_names
from tests.networks.test_small_networks import SIZES, SMALL


def outputs() -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of everything that has to stay the same."""
    generator = torch.Generator().manual_seed(0)
    for name in trained_names():
        trained = load_trained(name)
        x = torch.randn(2, len(trained.channels), *trained.size, generator=generator).requires_grad_()
        output = trained.network(x)
        output.square().sum().backward()
        yield f"{name}/output", output.detach()
        yield f"{name}/gradient", x.grad
        for key, parameter in trained.network.named_parameters():
            if parameter.grad is not None:
                yield f"{name}/gradient of {key}", parameter.grad
    for name, (spatial_dims, build) in SMALL.items():
        torch.manual_seed(0)
        network = build().eval()
        with torch.no_grad():
            yield f"{name}/output", network(torch.randn(2, 2, *SIZES[spatial_dims], generator=generator))
        for key, value in network.state_dict().items():
            yield f"{name}/{key}", value.clone()


def main(arguments: list[str] | None = None) -> int:
    """Records, or compares and returns 1 with the names of what differs."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 2 or words[0] not in ("record", "compare"):
        print("python -m tests.networks.shipped_outputs record|compare FILE", file=sys.stderr)
        return 2
    action, path = words[0], Path(words[1])
    torch.set_num_threads(1)
    by_name = dict(outputs())
    if action == "record":
        save_file({name: value.contiguous() for name, value in by_name.items()}, path)
        print(f"{len(by_name)} tensors recorded")
        return 0
    before = load_file(path)
    differ = [name for name in before if name not in by_name or not torch.equal(before[name], by_name[name])]
    shipped = len(trained_names())
    print(f"{len(before) - len(differ)} of {len(before)} tensors are bit-identical ({shipped} shipped networks)")
    print("\n".join(f"differs: {name}" for name in differ), end="\n" if differ else "")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
