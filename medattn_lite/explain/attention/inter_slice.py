"""Which channel inter-slice attention opens in which slice, and what is left when slices are treated alike.

    a^c: (C, D), a gate for each channel of each slice, made from a window of three slices, twice
    same in every slice: a^c + t (mean over D of a^c − a^c); t = 0 as the network has it, t = 1 one gate per channel
    a closed slice: a^c = 0 there, in one block

A gate that differs from slice to slice says that slices are treated unlike, not that this matters. Taking the
difference away asks what of the prediction it was for.

Paper: Du et al., "Pseudo-3D CNN with inter-slice attention for glioma grading". Deviations: the paper shows no gates
and takes none away.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from medattn_lite.attention.maps import CHANNEL_SLICE
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import capture_attention
from medattn_lite.explain.attention.edits import edited_maps
from medattn_lite.explain.attention.gates import maps_of_kind, spatial_map_in
from medattn_lite.explain.grids import layer_box, to_image_grid
from medattn_lite.explain.model import forward_eval

BATCH = 8


@dataclass(frozen=True)
class InterSliceReading:
    """One volume's way through a network with inter-slice attention.

    Attributes:
        gates: layer → (C, D'), a^c of every block, as they were used.
        spatial: (D, H, W), a^s of the chosen block on the image's grid.
        extents: layer → from where to where its slices reach, in the image's slices from its first edge.
        probabilities: (K,), what the network says.
    """

    gates: dict[str, Tensor]
    spatial: Tensor
    extents: dict[str, tuple[float, float]]
    probabilities: Tensor


def slice_gates(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Reads the gates a^c of every block for every volume.

    Args:
        model: a network with inter-slice attention in it; left in the mode it was in.
        images: (B, C, D, H, W).

    Returns:
        Layer name → gates (B, channels, slices of the layer) on the CPU, in the order of the pass; empty for a model
        without inter-slice attention.
    """
    return {name: values.flatten(2) for name, values in maps_of_kind(model, images, CHANNEL_SLICE, batch=BATCH).items()}


def move_towards_mean(gates: Tensor, amount: float) -> Tensor:
    """Moves gates towards one value per channel, their mean over slices.

    Args:
        gates: (B, C, D, …).
        amount: 0 leaves them, 1 makes all slices alike.

    Example:
        >>> import torch
        >>> move_towards_mean(torch.tensor([[[0.2, 0.8]]]), 0.5)
        tensor([[[0.3500, 0.6500]]])
    """
    return gates + amount * (gates.mean(dim=2, keepdim=True) - gates)


def read_inter_slice(
    model: nn.Module, image: Tensor, layer: str, *, towards_mean: float = 0.0, closed: int | None = None
) -> InterSliceReading:
    """Runs one volume with the gates of all blocks moved towards their mean and a slice of one block closed.

    Args:
        model: a network with inter-slice attention in it; it is not changed.
        image: (1, C, D, H, W).
        layer: a key of `slice_gates`.
        towards_mean: from 0 to 1; see `move_towards_mean`.
        closed: number of a slice of that layer whose gates are set to 0; None for none.

    Raises:
        UserError: the layer has no such gates or no such slice, or the image is not one volume.
    """
    if image.dim() != 5 or len(image) != 1:
        raise UserError(f"one volume (1, C, D, H, W) can be read at a time, not {tuple(image.shape)}")

    def close(gates: Tensor) -> Tensor:
        if closed is None or not 0 <= closed < gates.shape[2]:
            raise UserError(f"{layer} has slices 0 to {gates.shape[2] - 1}; cannot close {closed}")
        shut = gates.clone()
        shut[:, :, closed] = 0.0
        return shut

    with ExitStack() as stack:
        edit = partial(move_towards_mean, amount=towards_mean)
        stack.enter_context(edited_maps(model, edit, kind=CHANNEL_SLICE))
        if closed is not None:
            stack.enter_context(edited_maps(model, close, kind=CHANNEL_SLICE, layer=layer))
        maps = stack.enter_context(capture_attention(model, device="cpu"))
        logits = forward_eval(model, image).cpu()
    gates = {name: captured.values[0].flatten(1) for name, captured in maps.items() if captured.kind == CHANNEL_SLICE}
    if layer not in gates:
        raise UserError(f"{layer!r} has no gates by slice: choose one of {', '.join(gates)}")
    maps_by_gate = {name: spatial_map_in(maps, name.rpartition(".")[0]) for name in gates}
    spatial = {name: values for name, values in maps_by_gate.items() if values is not None}  # each (d, h, w)
    boxes = {name: layer_box(model, image, values.shape) for name, values in spatial.items()}
    chosen = to_image_grid(spatial[layer], image.shape[2:], box=boxes[layer])  # (D, H, W)
    return InterSliceReading(gates, chosen, {name: box[0] for name, box in boxes.items()}, logits.softmax(1)[0])
