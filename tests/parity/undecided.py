"""ReLU inputs so near to zero that rounding alone decides their side, and a gradient with them decided.

The derivative of a ReLU jumps at 0. A deep network has hundreds of thousands of them, so a few inputs lie within
float32 rounding of 0; two correct programs may then differ in the gradient far more than in the output. Here the
network runs in float64, its undecidable inputs are listed, and those that bring the gradient closer to the
reference's are turned to the other side. Anything that is not such a tie stays as it is and still shows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

NEAR_ZERO = 1e-6  # of the mean |input| of the layer; float32 keeps about 6e-8 of each of the terms summed up
AT_MOST = 16

Place = tuple[int, int]  # which ReLU of the pass, and which element of it
_RELU = {torch.relu, nn.functional.relu}


class WatchedReLU(TorchFunctionMode):
    """Lists the inputs of every ReLU that lie near zero, and turns those in `turned` to the other side."""

    def __init__(self, turned: frozenset[Place] = frozenset()) -> None:
        super().__init__()
        self.turned = turned
        self.near: list[tuple[float, Place]] = []
        self.calls = 0

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function not in _RELU:
            return function(*args, **(kwargs or {}))
        x, call = args[0], self.calls
        self.calls += 1
        size = x.detach().abs().flatten()
        for element in torch.nonzero(size < NEAR_ZERO * size.mean()).flatten().tolist():
            self.near.append((float(size[element] / size.mean()), (call, element)))
        open_gates = (x.detach() > 0).flatten()
        for turned_call, element in self.turned:
            if turned_call == call:
                open_gates[element] = ~open_gates[element]
        return x * open_gates.reshape(x.shape).to(x.dtype)


def gradient_with(module: nn.Module, x: Tensor, turned: frozenset[Place]) -> tuple[Tensor, list[Place]]:
    """float64 gradient with these ReLU inputs turned, and the places near zero, nearest first."""
    x = x.detach().double().requires_grad_()
    with WatchedReLU(turned) as relus:
        output = module(x)
    output.square().sum().backward()
    return x.grad, [place for _, place in sorted(relus.near)][:AT_MOST]


def settle_undecided(module: nn.Module, x: Tensor, distance: Callable[[Tensor], float]) -> tuple[float, int]:
    """Smallest distance reached by turning undecidable ReLU inputs one by one, and how many were turned.

    Args:
        module: in eval mode; left as it is.
        x: its input.
        distance: from a gradient to the reference's.
    """
    module = copy.deepcopy(module).double()
    gradient, places = gradient_with(module, x, frozenset())
    best, turned = distance(gradient), frozenset()
    improved = True
    while improved:
        improved = False
        for place in places:
            trial = turned ^ {place}
            reached = distance(gradient_with(module, x, trial)[0])
            if reached < 0.9 * best:
                best, turned, improved = reached, trial, True
    return best, len(turned)
