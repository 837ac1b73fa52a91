"""Change attention maps on their way through a network, for the length of a block: freeze, swap, flatten.

    with edited_maps(model, lambda gate: gate.mean(dim=0, keepdim=True).expand_as(gate), kind="channel"):
        logits = model(images)

An `AttentionMap` hands its map to the block around it; a forward hook hands over another one in its
place. What the network loses by it says what the map was for. The hooks go when the block ends, also when
it ends by an exception. `under_edits` measures the same under several edits:

    under_edits(model, CHANNEL_EDITS, lambda: accuracy(model(images)), kind="channel")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import KINDS, AttentionMap
from medattn_lite.errors import UserError

Measured = TypeVar("Measured")
Edit = Callable[[Tensor], Tensor]

# Of channel gates (B, C, …). "Another image's" takes the gates of the image half a batch away, so a batch should hold
# all images that are compared; "channels shuffled" deals an image's own gates to other channels, always in one order.
CHANNEL_EDITS: Mapping[str, Edit] = MappingProxyType({
    "unchanged": lambda gates: gates,
    "frozen": lambda gates: gates.mean(dim=0, keepdim=True).expand_as(gates),
    "another image's": lambda gates: gates.roll(len(gates) // 2, 0),
    "all one half": lambda gates: torch.full_like(gates, 0.5),
    "channels shuffled": lambda gates: gates[:, torch.randperm(
        gates.shape[1], generator=torch.Generator().manual_seed(0)).to(gates.device)],
    "open": torch.ones_like,
})  # fmt: skip
# Of weights (B, S, S), row k for what slice k looks at; "off" lets a slice look at nothing.
WEIGHT_EDITS: Mapping[str, Edit] = MappingProxyType({
    "unchanged": lambda weights: weights,
    "even": lambda weights: torch.full_like(weights, 1 / weights.shape[-1]),
    "shifted": lambda weights: weights.roll(weights.shape[-1] // 2, -1),
    "another image's": lambda weights: weights.roll(len(weights) // 2, 0),
    "off": torch.zeros_like,
})  # fmt: skip
# Of gates of a channel in a slice (B, C, D, 1, 1).
SLICE_EDITS: Mapping[str, Edit] = MappingProxyType({
    "unchanged": lambda gates: gates,
    "the same in every slice": lambda gates: gates.mean(dim=2, keepdim=True).expand_as(gates),
    "upside down": lambda gates: gates.flip(2),
    "another volume's": lambda gates: gates.roll(len(gates) // 2, 0),
    "all one half": lambda gates: torch.full_like(gates, 0.5),
})  # fmt: skip
# Of shares (B, R, C, …) of split attention, which sum to 1 over R.
SHARE_EDITS: Mapping[str, Edit] = MappingProxyType({
    "unchanged": lambda shares: shares,
    "even": lambda shares: torch.full_like(shares, 1 / shares.shape[1]),
    "frozen": lambda shares: shares.mean(dim=0, keepdim=True).expand_as(shares),
    "another image's": lambda shares: shares.roll(len(shares) // 2, 0),
    "swapped": lambda shares: shares.flip(1),
})  # fmt: skip
# Of maps of places (B, 1, *S): each map's own mean at every place, or the map half an image away.
PLACE_EDITS: Mapping[str, Edit] = MappingProxyType({
    "unchanged": lambda maps: maps,
    "flat": lambda maps: maps.flatten(2).mean(dim=2).reshape(*maps.shape[:2], *[1] * (maps.ndim - 2)).expand_as(maps),
    "shifted": lambda maps: maps.roll([side // 2 for side in maps.shape[2:]], list(range(2, maps.ndim))),
})  # fmt: skip


def under_edits(
    model: nn.Module, edits: Mapping[str, Edit], measure: Callable[[], Measured], *, kind: str | None = None,
    layer: str | None = None,
) -> dict[str, Measured]:  # fmt: skip
    """Measures under each edit: name → what `measure()` gives.

    Args:
        model: any network with attention maps in it; `measure` uses it.
        edits: name → edit, as `edited_maps` takes it.
        measure: called once for each edit.
        kind: as in `edited_maps`.
        layer: as in `edited_maps`.

    Raises:
        UserError: as `edited_maps`.

    Example:
        >>> from medattn_lite.attention import SqueezeExcitation
        >>> block, images = SqueezeExcitation(16, spatial_dims=2), torch.rand(2, 16, 5, 5)
        >>> changes = under_edits(block, CHANNEL_EDITS, lambda: (block(images) - images).abs().max().item())
        >>> changes["open"]
        0.0
    """
    measured = {}
    for name, edit in edits.items():
        with edited_maps(model, edit, kind=kind, layer=layer):
            measured[name] = measure()
    return measured


@contextmanager
def edited_maps(
    model: nn.Module, edit: Edit, *, kind: str | None = None, layer: str | None = None
) -> Iterator[int]:
    """Puts `edit(map)` in the place of every attention map that fits.

    Args:
        model: any network with attention maps in it.
        edit: takes a map as its module returns it, gives one of the same shape.
        kind: only maps of this kind, such as "channel" or "spatial"; None for all.
        layer: only the module of this name; None for all.

    Yields:
        How many modules are edited.

    Raises:
        UserError: no map fits, or `edit` gives another shape.

    Example:
        >>> from medattn_lite.attention import SqueezeExcitation
        >>> block, images = SqueezeExcitation(16, spatial_dims=2), torch.rand(2, 16, 5, 5)
        >>> with edited_maps(block, torch.ones_like, kind="channel") as count:
        ...     passed = block(images)
        >>> count, torch.equal(passed, images)
        (1, True)
    """
    if kind is not None and kind not in KINDS:
        raise UserError(f"there is no kind of attention map called {kind!r}: choose one of {', '.join(KINDS)}")
    chosen = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, AttentionMap) and kind in (None, module.kind) and layer in (None, name)
    ]
    if not chosen:
        wanted = " and ".join(part for part in (kind and f"kind {kind!r}", layer and f"name {layer!r}") if part)
        raise UserError(f"{type(model).__name__} has no attention map" + (f" of {wanted}" if wanted else ""))
    handles = [module.register_forward_hook(_replacing(edit, name)) for name, module in chosen]
    try:
        yield len(chosen)
    finally:
        for handle in handles:
            handle.remove()


def _replacing(edit: Edit, name: str) -> Callable[..., Tensor]:
    def hook(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        changed = edit(output)
        if not isinstance(changed, Tensor) or changed.shape != output.shape:
            shape = tuple(changed.shape) if isinstance(changed, Tensor) else type(changed).__name__
            raise UserError(f"the edited map of {name!r} is {shape}, not of shape {tuple(output.shape)}")
        return changed

    return hook
