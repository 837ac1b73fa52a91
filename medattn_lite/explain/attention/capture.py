"""Every attention map of one pass, by layer name, of this package's networks and of others.

    with capture_attention(model) as maps:
        model(images)
    maps["layer3.0.se.gate"].values        # (B, C, 1, 1)

Hooks write into the dictionary: on every `AttentionMap` inside the model, on the modules of other libraries that
`adapters` knows, and at every call of PyTorch's fused attention. Each pass of the model starts afresh, so the
dictionary holds the maps of the last one; the hooks go when the block ends, also when it ends by an exception, and
nothing stays in the model. A compiled model runs uncompiled inside the block, since compiled code calls no hooks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import QUERY_KEY, AttentionMap
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.adapters import WINDOWS, adapter_of, axis_names
from medattn_lite.explain.attention.fused_kernels import fused_weights
from medattn_lite.explain.model import check_open, uncompiled

FUSED_AXES = {3: ("batch", "query", "key"), 4: ("batch", "head", "query", "key")}


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


class _Capture:
    """Writes down what the hooks hand over."""

    def __init__(self, *, detach: bool, device: torch.device | str | None) -> None:
        self.maps: dict[str, CapturedMap] = {}
        self.detach, self.device = detach, device
        self.passes, self.batch = 0, 0

    def start_afresh(self, module: nn.Module, inputs: tuple) -> None:
        self.maps.clear()
        self.passes += 1
        self.batch = len(inputs[0]) if inputs and isinstance(inputs[0], Tensor) and inputs[0].dim() else 0

    def write_down(self, layer: str, kind: str, axes: tuple[Any, ...], values: Tensor) -> None:
        if torch._C._current_graph_task_id() != -1:  # a checkpointed block, run a second time by the backward pass
            return
        if tuple(axes) == WINDOWS and values.dim() == len(WINDOWS) - 1:
            values = values.unflatten(0, (self.batch if self.batch and len(values) % self.batch == 0 else 1, -1))
        values = values.detach() if self.detach else values
        values = values if self.device is None else values.to(self.device)
        call = 1 + sum(captured.layer == layer for captured in self.maps.values())
        captured = CapturedMap(values=values, kind=kind, axes=axis_names(axes, values), layer=layer, call=call)
        self.maps[captured.key] = captured


@contextmanager
def capture_attention(
    model: nn.Module, *, detach: bool = True, device: torch.device | str | None = None, empty_ok: bool = False
) -> Iterator[dict[str, CapturedMap]]:
    """Collects every attention map of the model's last pass inside the block.

    Args:
        model: any network, wrapped or not; it may itself be an attention map. Modules that are neither of this
            package nor known to `adapters` are made known by `register_adapter`.
        detach: cut the maps from the graph; False to take gradients of them.
        device: where the maps are moved to; None leaves them where they are.
        empty_ok: whether a pass without any map is not a mistake.

    Yields:
        A dictionary, in the order of the pass. A module used several times in a pass has the entries
        `name`, `name#2`, `name#3`, …. It stays readable after the block.

    Raises:
        UserError: the model ran and no map was seen, or it is a traced or scripted one, which shows no module.

    Example:
        >>> from medattn_lite.attention import SqueezeExcitation
        >>> block, images = SqueezeExcitation(16, spatial_dims=2), torch.rand(2, 16, 5, 5)
        >>> with capture_attention(block) as maps:
        ...     features = block(images)
        >>> {name: (one.kind, tuple(one.values.shape)) for name, one in maps.items()}
        {'gate': ('channel', (2, 16, 1, 1))}
    """
    capture = _Capture(detach=detach, device=device)
    names = {module: name or type(module).__name__ for name, module in model.named_modules()}
    check_open(model)
    with ExitStack() as stack:
        stack.enter_context(uncompiled())
        handles = [model.register_forward_pre_hook(capture.start_afresh)]
        stack.callback(_remove, handles)
        for module, layer in names.items():
            handles += _listen(module, layer, capture)
        stack.enter_context(fused_weights(names, lambda module, weights: _write_fused(capture, names, module, weights)))
        yield capture.maps
    if capture.passes and not capture.maps and not empty_ok:
        raise UserError(f"no attention map was seen in this pass of {type(model).__name__}: if it has attention of a "
                        "type that is not known here, say where its map is with register_adapter(type, part=…, kind=…, "
                        "axes=…)")  # fmt: skip


def _remove(handles: list[Any]) -> None:
    for handle in handles:
        handle.remove()


def has_attention(model: nn.Module, *kinds: str) -> bool:
    """Tells whether a network has modules that hold maps of one of these kinds (of any, if none is named).

    Fused attention outside the known module types is seen only in a pass.

    Example:
        >>> has_attention(nn.MultiheadAttention(8, 2)), has_attention(nn.Linear(8, 8))
        (True, False)
    """
    kinds_present = {source.kind for module in model.modules() if (source := _source(module)) is not None}
    return bool(kinds_present & set(kinds) if kinds else kinds_present)


def _source(module: nn.Module) -> Any:
    return module if isinstance(module, AttentionMap) else adapter_of(module)


def _listen(module: nn.Module, layer: str, capture: _Capture) -> list[Any]:
    """The hooks of one module; none if it holds no map."""
    if isinstance(module, AttentionMap):
        kind, axes = module.kind, module.axes
        return [module.register_forward_hook(
            lambda module, inputs, output: capture.write_down(layer, kind, axes, output))]  # fmt: skip
    adapter = adapter_of(module)
    if adapter is None:
        return []
    return adapter.attach(module, lambda values: capture.write_down(layer, adapter.kind, adapter.axes, values))


def _write_fused(capture: _Capture, names: dict[nn.Module, str], module: nn.Module, weights: Tensor) -> None:
    """Weights of the fused kernel; a known type names their axes."""
    adapter = adapter_of(module)
    if adapter is not None:
        capture.write_down(names[module], adapter.kind, adapter.axes, weights)
        return
    axes = FUSED_AXES.get(weights.dim(), (*(f"axis {number}" for number in range(weights.dim() - 2)), "query", "key"))
    capture.write_down(names[module], QUERY_KEY, axes, weights)
