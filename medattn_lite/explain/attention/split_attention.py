"""How split attention divides a channel among its versions, and what is left when it divides equally.

    x'_c = Σ_r a_{r,c} u_{r,c}            a: (R, C), a softmax over r, from the image itself
    towards uniform: a + t (1/R − a)      t = 0 as the network has it, t = 1 the plain mean of the versions

An image's shares say that a version was preferred, not that the preference mattered. Making them uniform asks: what of
the prediction is left without any preference?

Paper: Zhang et al. 2020, "ResNeSt: Split-attention networks". Deviations: the paper makes nothing uniform.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medattn_lite.attention import SplitAttention
from medattn_lite.attention.maps import SPLIT
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import capture_attention
from medattn_lite.explain.attention.edits import edited_maps
from medattn_lite.explain.attention.gates import maps_of_kind, spatial_map_in
from medattn_lite.explain.grids import layer_box, to_image_grid
from medattn_lite.explain.model import forward_eval


@dataclass(frozen=True)
class SplitReading:
    """One image's way through one block of split attention.

    Attributes:
        shares: layer → (R, C), of every block, as they were used.
        splits: (R, C, h, w), the versions u of the chosen block.
        mixture: (C, h, w), their sum weighted by the shares.
        spatial: (H, W), spatial attention of the same block on the image's grid; None without.
        probabilities: (K,), what the network says.
    """

    shares: dict[str, Tensor]
    splits: Tensor
    mixture: Tensor
    spatial: Tensor | None
    probabilities: Tensor


def split_shares(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Reads the shares of every block of split attention for every image.

    Args:
        model: a network with split attention in it; left in the mode it was in.
        images: (B, C, H, W) or (B, C, D, H, W).

    Returns:
        Layer name → shares (B, R, channels of the layer) on the CPU, in the order of the pass; over R they sum to 1
        (a radix of 1 has a gate instead). Empty for a model without split attention.
    """
    return maps_of_kind(model, images, SPLIT)


def move_towards_uniform(shares: Tensor, amount: float) -> Tensor:
    """Moves shares towards 1/R each; they still sum to 1.

    Args:
        shares: (B, R, C).
        amount: 0 leaves them, 1 makes all of them 1/R.

    Example:
        >>> move_towards_uniform(torch.tensor([[[0.9], [0.1]]]), 1.0).flatten()
        tensor([0.5000, 0.5000])
    """
    return shares + amount * (1 / shares.shape[1] - shares)


def read_splits(model: nn.Module, image: Tensor, layer: str, *, towards_uniform: float = 0.0) -> SplitReading:
    """Runs one image with the shares of all blocks moved towards 1/R.

    Args:
        model: a network with split attention in it; it is not changed.
        image: (1, C, H, W).
        layer: a key of `split_shares`.
        towards_uniform: from 0 to 1; see `move_towards_uniform`.

    Raises:
        UserError: the layer is none of the model's split attentions, or the image is not one slice.
    """
    if image.dim() != 4 or len(image) != 1:
        raise UserError(f"one slice (1, C, H, W) can be read at a time, not {tuple(image.shape)}")
    block = _split_attention(model, layer)
    seen: list[Tensor] = []
    note = block.bn0.register_forward_hook(lambda module, inputs, output: seen.append(torch.relu(output.detach())))
    try:
        with (
            edited_maps(model, lambda shares: move_towards_uniform(shares, towards_uniform), kind=SPLIT),
            capture_attention(model, device="cpu") as maps,
        ):
            logits = forward_eval(model, image).cpu()
    finally:
        note.remove()
    shares = {name: captured.values[0] for name, captured in maps.items() if captured.kind == SPLIT}
    splits = seen[0][0].cpu().unflatten(0, (block.radix, -1))  # (R, C, h, w)
    mixture = (shares[layer][:, :, None, None] * splits).sum(0)  # (C, h, w)
    spatial = spatial_map_in(maps, layer.rsplit(".", 2)[0])  # of the residual block around it
    if spatial is not None:
        spatial = to_image_grid(spatial, image.shape[2:], box=layer_box(model, image, spatial.shape))  # (H, W)
    return SplitReading(shares, splits, mixture, spatial, logits.softmax(1)[0])


def _split_attention(model: nn.Module, layer: str) -> SplitAttention:
    """The block whose shares come from a layer."""
    modules = dict(model.named_modules())
    block = modules.get(layer.rpartition(".")[0])
    if layer not in modules or not isinstance(block, SplitAttention):
        known = [f"{name}.rsoftmax" for name, module in modules.items() if isinstance(module, SplitAttention)]
        raise UserError(f"{layer!r} gives no shares: choose one of {', '.join(known)}" if known else
                        f"{type(model).__name__} has no split attention")  # fmt: skip
    return block
