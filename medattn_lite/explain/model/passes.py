"""Forward passes in eval mode that leave a network as it was: no gradients kept, hooks removed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from medattn_lite.errors import UserError
from medattn_lite.training.inference import evaluating

Score = Callable[[Any], Tensor]
FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Runs compiled networks as they were written inside the block, since compiled code calls no hooks."""
    if "torch._dynamo" not in sys.modules:  # then nothing is compiled
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def to_model(model: nn.Module, image: Tensor) -> Tensor:
    """Moves the image to the device and the precision of the network's weights."""
    weight = next(model.parameters(), None)
    image = image.detach()
    image = image.clone() if image.is_inference() else image  # gradients cannot pass one made in inference mode
    return image.float() if weight is None else image.to(weight.device, weight.dtype)


def forward(model: nn.Module, image: Tensor, extra_inputs: Sequence[Tensor] = ()) -> Any:
    """Runs images on the network's device; weights made in inference mode are copied for the pass.

    Raises:
        UserError: the network fails on the image; out of memory is passed on as it is.
    """
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    try:
        made = any(value.is_inference() for value in state.values() if not is_lazy(value))
        if made and not torch.is_inference_mode_enabled():
            return torch.func.functional_call(model, {name: value.clone() for name, value in state.items()},
                                              (image, *extra_inputs))  # fmt: skip
        return model(image, *extra_inputs)
    except (UserError, torch.OutOfMemoryError):
        raise
    except FAILURES as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{type(model).__name__} fails on an image of {tuple(image.shape)}: {first}") from error


def forward_eval(model: nn.Module, image: Tensor, *, extra_inputs: Sequence[Tensor] = ()) -> Any:
    """Runs (B, C, D, H, W) images through the network in eval mode; `extra_inputs` is what it takes besides them.

    Example:
        >>> network = nn.Dropout()
        >>> float(forward_eval(network, torch.ones(1, 1, 2, 2)).sum()), network.training
        (4.0, True)
    """
    with torch.inference_mode(False), torch.no_grad(), evaluating(model), uncompiled():
        return forward(model, to_model(model, image), [to_model(model, extra) for extra in extra_inputs])


def check_open(model: nn.Module) -> None:
    """Raises a UserError of a traced or scripted network, whose modules cannot be listened to."""
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise UserError(f"{type(model).__name__} is traced or scripted and hides what its modules give: take the "
                        "network it was made from; integrated gradients and occlusion need no look inside")  # fmt: skip


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Looks up a layer by name.

    Raises:
        UserError: there is none.
    """
    named = dict(model.named_modules(remove_duplicate=False))
    if name not in named or not name:
        short = [known for known in named if known and known.count(".") < 2]
        raise UserError(f"{type(model).__name__} has no layer {name!r}: use one of {', '.join(short[:20])}, …")
    return named[name]


def layer_gradients(
    model: nn.Module, image: Tensor, layers: Sequence[str], score: Score, *, extra_inputs: Sequence[Tensor] = ()
) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Computes the outputs A of layers in one pass, and ∂score/∂A.

    Works where the parameters are frozen or were made in inference mode, and where the next layer overwrites A in
    place. Of a layer that is used several times in a pass, the last use counts.

    Args:
        model: the network; its mode, gradients and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        layers: their names.
        score: from the network's output to (B,); each image's number must depend on that image alone.
        extra_inputs: what the network takes besides the image.

    Returns:
        A and the gradient of each layer, (B, K, …) each, and the scores (B,).

    Raises:
        UserError: no such layer, a layer that gives no single tensor, or one that the score does not depend on.
    """
    check_open(model)
    outputs: dict[str, Tensor] = {}
    handles = []

    def keep(layer: str, output: Any) -> Tensor:
        if not isinstance(output, Tensor):
            raise UserError(f"layer {layer!r} gives a {type(output).__name__}, not a map: choose another layer")
        outputs[layer] = output if output.requires_grad else output.detach().requires_grad_()
        return outputs[layer].clone()  # what comes next may change its input in place

    with torch.inference_mode(False), torch.enable_grad(), evaluating(model), uncompiled():
        try:
            for layer in layers:
                hook = lambda module, inputs, output, layer=layer: keep(layer, output)  # noqa: E731
                handles.append(find_layer(model, layer).register_forward_hook(hook))
            extras = [to_model(model, extra) for extra in extra_inputs]
            scores = score(forward(model, to_model(model, image), extras))
            seen = [outputs[layer] for layer in layers if layer in outputs]
            gradients: Sequence[Tensor | None] = [None] * len(layers)
            if len(seen) == len(layers) and scores.requires_grad:
                gradients = torch.autograd.grad(scores.sum(), seen, allow_unused=True)
        finally:
            for handle in handles:
                handle.remove()
    pairs = []
    for layer, gradient in zip(layers, gradients, strict=True):
        if gradient is None:
            raise UserError(f"what is explained does not depend on layer {layer!r}: choose a layer on its way")
        pairs.append((outputs[layer].detach(), gradient))
    return pairs, scores.detach()
