"""LayerCAM of several stages in one map: fine where the early stages see, quiet where the late ones see nothing.

    M_l = relu(L_l) on the image's grid, divided by its highest value
    geometric      (Π_l M_l)^(1/n)                   a place counts where every stage speaks for it
    maximum        max_l tanh(γ M_l), γ = 2          as in the paper

Paper: Jiang et al. 2021 (LayerCAM, section III-C), who fuse by the maximum. Deviation: the geometric mean is the
default here; on the shipped networks the maximum keeps each stage's noise (figures/faithfulness.md, finer maps). Each
stage is brought to the image's grid to where it looks, before they are fused.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.grids import layer_box, to_image_grid
from medattn_lite.explain.methods.cam import LayerMap, class_activation_maps, positive_gradient
from medattn_lite.explain.methods.layers import MINIMUM_SIDE, has_places, layer_sizes, stages
from medattn_lite.explain.methods.result import MethodResult, notes_for
from medattn_lite.explain.model import TargetLike

FUSIONS = ("geometric", "maximum")
GAMMA = 2.0  # of the paper's tanh
JOINED = " + "  # between names of layers


def fused_layer_cam(
    model: nn.Module,
    image: Tensor,
    *,
    target: TargetLike | None = None,
    layer: str | None = None,
    extra_inputs: Sequence[Tensor] = (),
    fusion: str = "geometric",
) -> MethodResult:
    """Computes the fused map on the image's grid, from 0 to 1 for each image; of one pass.

    Args:
        model: the network; its mode, gradients and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        target: what is explained; None for `default_target`.
        layer: names of layers with " + " between them; None for `layers_to_fuse`.
        extra_inputs: what the network takes besides the image.
        fusion: "geometric" or "maximum".

    Raises:
        UserError: as `class_activation_maps`, or an unknown fusion.
    """
    if fusion not in FUSIONS:
        raise UserError(f"unknown fusion {fusion!r}: use {' or '.join(FUSIONS)}")
    layers = layers_to_fuse(model, image, extra_inputs=extra_inputs) if layer is None else layer.split(JOINED)
    (maps,) = class_activation_maps(model, image, [positive_gradient], layers=layers, target=target,
                                    extra_inputs=extra_inputs)  # fmt: skip
    values = fuse([on_image(layer_map, model, image, extra_inputs=extra_inputs) for layer_map in maps], fusion=fusion)
    words = f"nothing speaks for {maps[0].target.words} in all of these layers at one place"
    notes = notes_for((values == 0).flatten(1).all(dim=1), words)
    return MethodResult(values, maps[0].scores, JOINED.join(layers), tuple(notes), maps[0].target)


def layers_to_fuse(model: nn.Module, image: Tensor, *, extra_inputs: Sequence[Tensor] = ()) -> list[str]:
    """Lists stages with at least four places along every axis, the earliest first.

    Of a network that is none of the papers', the last layer of each such size, but the output's.

    Raises:
        UserError: there is none.
    """
    known = stages(model)
    sizes = layer_sizes(model, image, known or None, extra_inputs=extra_inputs)
    fine = {name: sides for name, sides in sizes.items() if has_places(sides, image.shape[2:])}
    if not known:
        last = {sides: name for name, sides in fine.items()}  # of each size
        fine = {name: sides for sides, name in last.items() if sides != tuple(image.shape[2:])}
    if not fine:
        raise UserError(f"no layer of {type(model).__name__} has {MINIMUM_SIDE} places along every axis: name the "
                        f"layers to fuse, as in layer=\"layer1{JOINED}layer2\"")  # fmt: skip
    return list(fine)


def on_image(layer_map: LayerMap, model: nn.Module, image: Tensor, *, extra_inputs: Sequence[Tensor] = ()) -> Tensor:
    """Brings a layer's map to the image's grid, to where the layer looks; (B, *size) float32."""
    box = layer_box(model, image, layer_map.values.shape[1:], extra_inputs=extra_inputs)
    return to_image_grid(layer_map.values.float(), image.shape[2:], box=box)


def fuse(maps: Sequence[Tensor], *, fusion: str = "geometric") -> Tensor:
    """Fuses maps (B, *size) into one, 0 to 1; 0 for an image in which one (geometric) or all are not above 0.

    Example:
        >>> fuse([torch.tensor([[1.0, 0.0, 4.0]]), torch.tensor([[2.0, 2.0, 2.0]])])
        tensor([[0.5000, 0.0000, 1.0000]])
    """
    positive = [layer_map.clamp(min=0) for layer_map in maps]
    shares = [
        layer_map / layer_map.flatten(1).amax(1).clamp(min=1e-30).reshape(-1, *[1] * (layer_map.dim() - 1))
        for layer_map in positive
    ]
    stack = torch.stack(shares)
    return torch.tanh(GAMMA * stack).amax(dim=0) if fusion == "maximum" else stack.prod(dim=0) ** (1 / len(shares))
