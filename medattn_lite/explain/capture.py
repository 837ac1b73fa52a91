"""Every attention map of one pass, by layer name.

    with capture_attention(model) as maps:
        model(images)
    maps["layer3.0.se.gate"].values        # (B, C, 1, 1)

A forward hook on every `AttentionMap` inside the model writes its output into the dictionary. Each pass
of the model starts afresh, so the dictionary holds the maps of the last one; the hooks go when the block
ends, also when it ends by an exception, and nothing stays in the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import AttentionMap


@dataclass(frozen=True)
class CapturedMap:
    """One attention map of one pass.

    Attributes:
        values: the map, as the module returned it.
        kind: what the weights are over: "channel", "spatial", "channel×slice", "channel×position",
            "slice×slice", "voxel×voxel", "split" or "query×key".
        axes: a name for each dimension of `values`.
        layer: name of the module in the model; `model.get_submodule(layer)` finds it.
        call: 1 for the first use of the module in the pass, 2 for the second, …
    """

    values: Tensor
    kind: str
    axes: tuple[str, ...]
    layer: str
    call: int = 1

    @property
    def key(self) -> str:
        """Name in the dictionary: the layer, with `#2`, `#3`, … for later uses of it."""
        return self.layer if self.call == 1 else f"{self.layer}#{self.call}"


@contextmanager
def capture_attention(
    model: nn.Module, *, detach: bool = True, device: torch.device | str | None = None
) -> Iterator[dict[str, CapturedMap]]:
    """Collects every attention map of the model's last pass inside the block.

    Args:
        model: any network, wrapped or not; it may itself be an attention map.
        detach: cut the maps from the graph; False to take gradients of them.
        device: where the maps are moved to; None leaves them where they are.

    Yields:
        A dictionary, in the order of the pass. A module used several times in a pass has the entries
        `name`, `name#2`, `name#3`, …. It stays readable after the block.
    """
    maps: dict[str, CapturedMap] = {}
    named = [(name, module) for name, module in model.named_modules() if isinstance(module, AttentionMap)]

    def start_afresh(module: nn.Module, inputs: tuple) -> None:
        maps.clear()

    def write_down(layer: str, module: AttentionMap, values: Tensor) -> None:
        values = values.detach() if detach else values
        values = values if device is None else values.to(device)
        call = 1 + sum(captured.layer == layer for captured in maps.values())
        captured = CapturedMap(values=values, kind=module.kind, axes=module.axes, layer=layer, call=call)
        maps[captured.key] = captured

    handles = [model.register_forward_pre_hook(start_afresh)]
    try:
        for name, module in named:
            layer = name or type(module).__name__

            def hook(module: nn.Module, inputs: tuple, output: Tensor, layer: str = layer) -> None:
                write_down(layer, module, output)

            handles.append(module.register_forward_hook(hook))
        yield maps
    finally:
        for handle in handles:
            handle.remove()
