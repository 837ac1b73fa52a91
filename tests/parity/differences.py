"""Two functions of the same input side by side: how far their outputs and gradients are apart."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tests.parity.goldens import relative

LiveDifference = tuple[float, float]


def differences(ours: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], x: Tensor) -> LiveDifference:
    """Relative differences of output and of the gradient of the sum of squares."""
    results = []
    for function in (ours, theirs):
        leaf = x.detach().clone().requires_grad_()
        output = function(leaf)
        output.square().sum().backward()
        results.append((output.detach().numpy(), leaf.grad.numpy()))
    (our_output, our_gradient), (their_output, their_gradient) = results
    return relative(our_output, their_output), relative(our_gradient, their_gradient)
