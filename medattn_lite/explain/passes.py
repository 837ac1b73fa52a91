"""A pass through a trained network that leaves no trace in it: eval mode, no gradients kept, hooks gone after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError

Score = Callable[[Tensor], Tensor]


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; after it every module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:  # not model.train(): parts may have been frozen in eval mode
            module.training = training


def on_device_of(model: nn.Module, image: Tensor) -> Tensor:
    """The image with the precision of the network's weights, on their device."""
    weight = next(model.parameters(), None)
    return image.detach().float() if weight is None else image.detach().to(weight.device, weight.dtype)


@torch.no_grad()
def output_of(model: nn.Module, image: Tensor, *, beside: Sequence[Tensor] = ()) -> Tensor:
    """What the network says of (B, C, D, H, W) images, in eval mode; `beside` is what it takes besides them."""
    with undisturbed(model):
        return model(on_device_of(model, image), *(on_device_of(model, extra) for extra in beside))


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The layer of a name.

    Raises:
        UserError: there is none.
    """
    named = dict(model.named_modules(remove_duplicate=False))
    if name not in named or not name:
        short = [known for known in named if known and known.count(".") < 2]
        raise UserError(f"{type(model).__name__} has no layer {name!r}: use one of {', '.join(short[:20])}, …")
    return named[name]


def layer_gradients(
    model: nn.Module, image: Tensor, layer: str, score: Score, *, beside: Sequence[Tensor] = ()
) -> tuple[Tensor, Tensor, Tensor]:
    """A layer's output A in one pass, and ∂score/∂A.

    Works where the parameters are frozen and where the next layer overwrites A in place. Of a layer that is used
    several times in a pass, the last use counts.

    Args:
        model: the network; its mode, gradients and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        layer: name of the layer.
        score: from the network's output to (B,); each image's number must depend on that image alone.
        beside: what the network takes besides the image.

    Returns:
        A and the gradient, (B, K, …) each, and the scores (B,).

    Raises:
        UserError: no such layer, a layer that gives no single tensor, or one that the score does not depend on.
    """
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        if not isinstance(output, Tensor):
            raise UserError(f"layer {layer!r} gives a {type(output).__name__}, not a map: choose another layer")
        outputs.append(output if output.requires_grad else output.detach().requires_grad_())
        return outputs[-1].clone()  # what comes next may change its input in place

    handle = find_layer(model, layer).register_forward_hook(keep)
    try:
        with undisturbed(model), torch.enable_grad():
            extras = (on_device_of(model, extra) for extra in beside)
            scores = score(model(on_device_of(model, image), *extras))
            gradient = None
            if outputs and scores.requires_grad:
                (gradient,) = torch.autograd.grad(scores.sum(), outputs[-1], allow_unused=True)
    finally:
        handle.remove()
    if gradient is None:
        raise UserError(f"what is explained does not depend on layer {layer!r}: choose a layer on its way")
    return outputs[-1].detach(), gradient, scores.detach()
