"""The network inside a wrapper: DataParallel, torch.compile, or a user's module around one of the papers' networks.

Names of layers keep the wrapper's prefix, so that they are those of the model as it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.model.passes import forward_eval

MAIN_OUTPUTS = ("logits", "out", "output", "outputs", "pred", "prediction", "predictions")

_PASSES_ON: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def known_stages(model: nn.Module) -> list[str]:
    """Lists the stages of one of the papers' networks, the deepest first; empty for any other network."""
    from medattn_lite.networks.dual_fusion_backbones import SegmentationBackbone
    from medattn_lite.networks.dual_fusion_net import DualFusionNet
    from medattn_lite.networks.residual import ResidualNetwork
    from medattn_lite.networks.rsanet import RSANet
    from medattn_lite.networks.survival import DenseNetFeatures, SurvivalNetwork

    if isinstance(model, ResidualNetwork):
        return ["layer4", "layer3", "layer2", "layer1"]
    if isinstance(model, DenseNetFeatures):
        return ["features", "features.denseblock3", "features.denseblock2", "features.denseblock1"]
    if isinstance(model, SurvivalNetwork):
        return [f"backbone.{name}" for name in known_stages(model.backbone)]
    if isinstance(model, RSANet):
        center = "attention.center" if "center" in model.attention else "center"
        return [center, *(f"encoder.{level}" for level in reversed(model.levels))]
    if isinstance(model, SegmentationBackbone):
        if hasattr(model.network, "bottleneck"):
            levels = range(_length(model.network.downsamples) - 1, -1, -1)
            return ["network.bottleneck", *(f"network.downsamples.{n}" for n in levels), "network.input_block"]
        return [f"network.down_layers.{n}" for n in range(_length(model.network.down_layers) - 1, -1, -1)]
    if isinstance(model, DualFusionNet):
        joined = ["head.early_fusion"] if model.fusion == "attention" else []
        return [*joined, *(f"first.{name}" for name in known_stages(model.first))]
    return []


def _length(modules: Any) -> int:
    return len(modules)


def papers_network(model: nn.Module) -> tuple[str, nn.Module]:
    """Finds the one network with known stages in a model, and the prefix of its layers' names.

    Returns:
        ("", model) where the model itself is one, holds none, or holds several side by side.
    """
    networks: list[tuple[str, nn.Module]] = []
    for name, module in model.named_modules():
        if any(not prefix or name.startswith(prefix) for prefix, _ in networks):  # a part of one
            continue
        if known_stages(module):
            networks.append((f"{name}." if name else "", module))
    return networks[0] if len(networks) == 1 else ("", model)


def unwrapped_network(model: nn.Module, image: Tensor, *, extra_inputs: Sequence[Tensor] = ()) -> nn.Module:
    """Finds the papers' network inside a model, if the model gives that network's output unchanged; else the model.

    Args:
        model: the network, wrapped or not; a wrapper is asked once, with one pass.
        image: (B, C, D, H, W) or (B, C, H, W).
        extra_inputs: what the network takes besides the image.
    """
    _, network = papers_network(model)
    if network is model:
        return model
    if model not in _PASSES_ON:
        inner: list[Any] = []
        handle = network.register_forward_hook(lambda module, inputs, output: inner.append(output))
        try:
            output = forward_eval(model, image[:1], extra_inputs=[extra[:1] for extra in extra_inputs])
        finally:
            handle.remove()
        last = inner[-1] if inner else None
        _PASSES_ON[model] = isinstance(last, Tensor) and isinstance(output, Tensor) and torch.equal(last, output)
    return network if _PASSES_ON[model] else model


def main_output(output: Any) -> Tensor:
    """Picks the one tensor to explain of what a network gives: its first, or the one called logits.

    Raises:
        UserError: there is none, nobody can tell which, or it has no gradient: whole or complex numbers.

    Example:
        >>> tuple(main_output({"logits": torch.zeros(2, 3), "features": torch.zeros(2, 8)}).shape)
        (2, 3)
    """
    chosen = _main_output(output)
    if not chosen.is_floating_point():
        raise UserError(f"the network gives numbers of type {str(chosen.dtype).removeprefix('torch.')}, which have no "
                        "gradient: explain its scores before they are rounded, or name a real number of each image, as "
                        "in target=lambda output: …")  # fmt: skip
    return chosen


def _main_output(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        named = [name for name in MAIN_OUTPUTS if isinstance(output.get(name), Tensor)]
        tensors = [name for name, value in output.items() if isinstance(value, Tensor)]
        if named or len(tensors) == 1:
            return output[(named or tensors)[0]]
        listed = ", ".join(map(str, output))
        raise UserError(f"the network gives {listed}: say which to explain, as in target=lambda output: "
                        f"output[{next(iter(output), 'logits')!r}][:, 0]")  # fmt: skip
    first = next(iter(output), None) if isinstance(output, list | tuple) else None
    if isinstance(first, Tensor):
        return first
    raise UserError(f"the network gives a {type(output).__name__}, not a tensor: say what to explain of it, as in "
                    "target=lambda output: …, one number for each image")  # fmt: skip
