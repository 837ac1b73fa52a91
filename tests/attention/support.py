"""What the tests of the attention blocks share: weights away from their start, and a gradient check."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SHAPES = {2: (2, 16, 7, 5), 3: (2, 16, 5, 7, 3)}


def features(spatial_dims: int, *, batch: int = 2, channels: int = 16, seed: int = 0) -> Tensor:
    """A feature map with odd sizes."""
    shape = (batch, channels, *SHAPES[spatial_dims][2:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stirred(module: nn.Module, *, seed: int = 0, scale: float = 0.3) -> nn.Module:
    """Moves every parameter away from its start, so that no gate is zero and no gain is one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return module


def passes_gradcheck(module: nn.Module, *inputs: Tensor) -> bool:
    """Analytic against numeric gradient in float64, of the input and of every parameter."""
    module = module.double().eval()
    inputs = tuple(x.double().requires_grad_() for x in inputs)
    names = [name for name, _ in module.named_parameters()]
    values = tuple(parameter.detach().clone().requires_grad_() for parameter in module.parameters())

    def run(*arguments: Tensor) -> Tensor:
        chosen = dict(zip(names, arguments[len(inputs) :], strict=True))
        return torch.func.functional_call(module, chosen, arguments[: len(inputs)])

    return torch.autograd.gradcheck(run, (*inputs, *values), fast_mode=True)
