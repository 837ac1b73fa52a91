"""Which channels and places a model's gates open for an image, and what it says when some are switched off.

A channel gate s multiplies its channel, x' = s ⊗ x. Switching channel c off sets s_c = 0 for the length of
a `with` block: the cheapest question one can ask a trained gate, "does the prediction need you?".

Paper: Hu et al. 2018 look at the gates by class and by layer (their section 6.4); Woo et al. 2018 at the
spatial map. Deviations: neither switches gates off; that is an ablation, and it leaves the input distribution
of the later layers, so a moved prediction says that a channel is used, not what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import CHANNEL, SPATIAL, AttentionMap
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import CapturedMap, capture_attention
from medattn_lite.explain.model import forward_eval

BATCH = 32


def channel_gates(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Reads every channel gate of the model for every image.

    Args:
        model: a network with squeeze-and-excitation or CBAM in it; left in the mode it was in.
        images: (B, C, H, W) or (B, C, D, H, W).

    Returns:
        Layer name → gates (B, channels of the layer) on the CPU, in the order of the pass; empty for a
        model without channel gates.

    Example:
        >>> from medattn_lite.attention import SqueezeExcitation
        >>> block, images = SqueezeExcitation(16, spatial_dims=2), torch.rand(2, 16, 5, 5)
        >>> {name: tuple(gates.shape) for name, gates in channel_gates(block, images).items()}
        {'gate': (2, 16)}
    """
    return {name: values.flatten(1) for name, values in maps_of_kind(model, images, CHANNEL).items()}


def spatial_gates(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Reads every spatial attention map of the model for every image.

    Args:
        model: a network with CBAM in it; left in the mode it was in.
        images: (B, C, H, W) or (B, C, D, H, W).

    Returns:
        Layer name → maps (B, h, w) or (B, d, h, w) on the CPU, at the layer's own resolution.
    """
    return {name: values.squeeze(1) for name, values in maps_of_kind(model, images, SPATIAL).items()}


@contextmanager
def switched_off(model: nn.Module, layer: str, channels: Iterable[int]) -> Iterator[None]:
    """Sets the named gate to zero at the given channels inside the block; after it, the model is as before.

        with switched_off(model, "layer2.0.se.gate", [3, 7]):
            predict_probabilities(model, images)

    Nothing in the model is written to: a forward hook changes the gate's output on its way. A capture that
    is opened inside the block sees the zeros.

    Args:
        model: the network.
        layer: name of a channel gate, a key of `channel_gates`.
        channels: channel numbers from 0; may be empty.

    Raises:
        UserError: the layer is not a channel gate of the model, or a channel number it does not have.

    Example:
        >>> from medattn_lite.attention import SqueezeExcitation
        >>> block, images = SqueezeExcitation(16, spatial_dims=2), torch.rand(2, 16, 5, 5)
        >>> with switched_off(block, "gate", [3]):
        ...     block(images)[:, 3].abs().max().item()
        0.0
    """
    gate = dict(model.named_modules()).get(layer)
    if not isinstance(gate, AttentionMap) or gate.kind != CHANNEL:
        known = [name for name, m in model.named_modules() if isinstance(m, AttentionMap) and m.kind == CHANNEL]
        raise UserError(
            f"{layer!r} is not a channel gate of this model; choose one of {', '.join(known)}"
            if known
            else f"{layer!r}: this model has no channel gates to switch off"
        )
    off = sorted({int(channel) for channel in channels})

    def close(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        if off and not 0 <= off[0] <= off[-1] < output.shape[1]:
            raise UserError(f"{layer} has channels 0 to {output.shape[1] - 1}; cannot switch off {off}")
        closed = output.clone()
        closed[:, off] = 0.0
        return closed

    handle = gate.register_forward_hook(close)
    try:
        yield
    finally:
        handle.remove()


def ranked_channels(gates: Tensor) -> list[int]:
    """Ranks channels from the most open gate to the most closed; the lower number first where two are equal.

    Args:
        gates: (C,) of one image, or (B, C), of which the mean counts.

    Example:
        >>> ranked_channels(torch.tensor([0.2, 0.9, 0.5]))
        [1, 2, 0]
    """
    values = gates if gates.dim() == 1 else gates.mean(dim=0)
    return torch.argsort(values, descending=True, stable=True).tolist()


def maps_of_kind(model: nn.Module, images: Tensor, kind: str, *, batch: int = BATCH) -> dict[str, Tensor]:
    """Captures all maps of one kind, batch by batch, so that memory does not grow with the number of images.

    Args:
        model: left in the mode it was in.
        images: (B, C, …).
        kind: one of `medattn_lite.attention.maps.KINDS`.
        batch: images at once.

    Returns:
        Layer name → maps (B, …) on the CPU, in the order of the pass; empty for a model without such maps.
    """
    collected: dict[str, list[Tensor]] = {}
    for part in images.split(batch):
        with capture_attention(model, device="cpu", empty_ok=True) as maps:
            forward_eval(model, part)
        for name, captured in maps.items():
            if captured.kind == kind:
                collected.setdefault(name, []).append(captured.values)
    return {name: torch.cat(parts) for name, parts in collected.items()}


def spatial_map_in(maps: Mapping[str, CapturedMap], block: str) -> Tensor | None:
    """The first image's map of the first spatial gate inside a block, (d, h, w) or (h, w); None where it has none.

    Args:
        maps: of `capture_attention`.
        block: name of the module around the gate, such as "layer1.0".
    """
    gates = [read.values[0, 0] for name, read in maps.items() if read.kind == SPATIAL and name.startswith(f"{block}.")]
    return gates[0] if gates else None
