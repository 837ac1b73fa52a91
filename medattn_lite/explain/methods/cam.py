"""Class activation maps in 2-D and 3-D, at any layer, for classes, regions and risks; the sign is kept.

    L = Σ_k w_k A_k                                     A_k channel k of a layer (B, K, d, h, w), y what is explained

    Grad-CAM      w_k = mean over places of ∂y/∂A_k                      one weight for a channel
    Grad-CAM++    w_k = Σ over places of α_k relu(∂y/∂A_k)
    LayerCAM      w_k = relu(∂y/∂A_k)                                    one weight for each place of a channel
    HiResCAM      w_k = ∂y/∂A_k

                  α_k = g² / (2 g² + (Σ over places of A_k) g³),   g = ∂y/∂A_k at the place, 0 where g is

One kernel takes weights (B, K) by channel or (B, K, d, h, w) by place. A method is a function from A and ∂y/∂A to
them.

Papers: Selvaraju et al. 2017; Chattopadhay et al. 2018, whose powers come from explaining exp(y): g, g² and g³ are its
derivatives but for a factor that is the same everywhere and left out; Jiang et al. 2021 (LayerCAM); Draelos, Carin 2020
(HiResCAM). captum has the first and MONAI the first two; this is one piece of code that keeps the sign, says which
layer it took, and works where parameters are frozen or layers overwrite their input.

Readings and deviations:
- The papers keep L's positive part. Here L keeps its sign, since "nothing speaks for it" must be seen; `relu` cuts it.
- Grad-CAM++ is derived for A ≥ 0. Where a channel's sum is negative it counts as 0, so that α stays within 0 and ½.
- MONAI's Grad-CAM++ sums A g³ over places where the paper multiplies g³ by the sum of A: the same where all places have
  the same g, as behind a mean over space.
- Behind a mean over space ∂y/∂A is the same everywhere, and HiResCAM is Grad-CAM times the number of places.
- A transformer's tokens are laid out as the grid of their patches, see `tokens`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.grids import token_grid, tokens_as_map, tokens_first
from medattn_lite.explain.methods.layers import default_layer
from medattn_lite.explain.model import FixedTarget, Target, TargetLike, layer_gradients

ROUNDING = 1e-6  # of the summands' size: what is left of a sum below it is rounding

Weigh = Callable[[Tensor, Tensor], Tensor]  # A and ∂y/∂A, (B, K, d, h, w) each, to (B, K) or (B, K, d, h, w)


@dataclass(frozen=True)
class LayerMap:
    """A class activation map on its layer's grid.

    Attributes:
        values: (B, d, h, w), without d in 2-D; signed; on the network's device.
        layer: where it was taken.
        scores: (B,) what was explained.
        target: what was asked, fixed to the images.
        note: how tokens were laid out; "" for a layer that gives a map itself.
    """

    values: Tensor
    layer: str
    scores: Tensor
    target: Target
    note: str = ""


def mean_gradient(activation: Tensor, gradient: Tensor) -> Tensor:
    """Computes Grad-CAM's weights (B, K)."""
    return gradient.flatten(2).mean(dim=2)


def weighted_positive_gradients(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM++'s weights (B, K)."""
    positive = gradient.flatten(2).clamp(min=0)  # (B, K, places)
    total = activation.flatten(2).sum(dim=2, keepdim=True).clamp(min=0)  # (B, K, 1)
    return (positive / (2 + total * positive)).sum(dim=2)  # α relu(g) = g / (2 + (Σ A) g) for g > 0


def positive_gradient(activation: Tensor, gradient: Tensor) -> Tensor:
    """Computes LayerCAM's weights (B, K, d, h, w)."""
    return gradient.clamp(min=0)


def plain_gradient(activation: Tensor, gradient: Tensor) -> Tensor:
    """Computes HiResCAM's weights (B, K, d, h, w)."""
    return gradient


def class_activation_maps(
    model: nn.Module,
    image: Tensor,
    weighs: Sequence[Weigh],
    *,
    layers: Sequence[str] | None = None,
    target: TargetLike | None = None,
    extra_inputs: Sequence[Tensor] = (),
    token_sides: Sequence[int] | None = None,
) -> list[list[LayerMap]]:
    """Computes the maps of one pass on the layers' grids, for each method one per layer.

    Args:
        model: the network; its mode, gradients and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        weighs: from A and ∂y/∂A to the weights, one for each method.
        layers: their names; None for `default_layer`.
        target: what is explained, a target or a function of the output to (B,); None for `default_target`.
        extra_inputs: what the network takes besides the image, such as clinical values (B, K).
        token_sides: sides (d, h, w) of the grid of a transformer's patches; None to find it.

    Raises:
        UserError: a layer or a target that the network does not have, or an output that is not a number.
    """
    chosen = [default_layer(model, image, extra_inputs=extra_inputs)] if layers is None else list(layers)
    fixed = FixedTarget(model, target, image, extra_inputs)
    pairs, scores = layer_gradients(model, image, chosen, fixed, extra_inputs=extra_inputs)
    layer_maps: list[list[LayerMap]] = [[] for _ in weighs]
    for layer, (activation, gradient) in zip(chosen, pairs, strict=True):
        note = ""
        if activation.dim() == 3:
            activation, gradient, note = _of_tokens(model, image, layer, activation, gradient, token_sides)
        if activation.dim() != image.dim() or len(activation) != len(image):
            raise UserError(f"layer {layer!r} gives {tuple(activation.shape)}, without places: choose an earlier layer")
        for maps, weigh in zip(layer_maps, weighs, strict=True):
            values = _weighted_sum(activation, weigh(activation, gradient))
            maps.append(LayerMap(values, layer, scores, fixed.target, note))
    return layer_maps


def one_layer(
    model: nn.Module,
    image: Tensor,
    weigh: Weigh,
    *,
    target: TargetLike | None = None,
    layer: str | None = None,
    extra_inputs: Sequence[Tensor] = (),
    token_sides: Sequence[int] | None = None,
) -> LayerMap:
    """`class_activation_maps` of one method at one layer."""
    return class_activation_maps(model, image, [weigh], layers=None if layer is None else [layer], target=target,
                                 extra_inputs=extra_inputs, token_sides=token_sides)[0][0]  # fmt: skip


def grad_cam(model: nn.Module, image: Tensor, **options: Any) -> LayerMap:
    """Computes Grad-CAM on the layer's grid; `target`, `layer`, `extra_inputs` and `token_sides` as of `one_layer`."""
    return one_layer(model, image, mean_gradient, **options)


def grad_cam_plus_plus(model: nn.Module, image: Tensor, **options: Any) -> LayerMap:
    """Computes Grad-CAM++ on the layer's grid; options as of `grad_cam`."""
    return one_layer(model, image, weighted_positive_gradients, **options)


def layer_cam(model: nn.Module, image: Tensor, **options: Any) -> LayerMap:
    """Computes LayerCAM on the layer's grid; options as of `grad_cam`."""
    return one_layer(model, image, positive_gradient, **options)


def hires_cam(model: nn.Module, image: Tensor, **options: Any) -> LayerMap:
    """Computes HiResCAM on the layer's grid; options as of `grad_cam`."""
    return one_layer(model, image, plain_gradient, **options)


def _weighted_sum(activation: Tensor, weights: Tensor) -> Tensor:
    """The kernel: Σ_k w_k A_k, with what is left by rounding set to 0."""
    if weights.dim() == 2:
        weights = weights.reshape(*weights.shape, *[1] * (activation.dim() - 2))
    parts = weights * activation  # (B, K, d, h, w)
    values = parts.sum(dim=1)  # (B, d, h, w)
    if not bool(torch.isfinite(values).all()):
        raise UserError("the network gives no number for this image: check the image and the weights for NaN")
    size = parts.abs().sum(dim=1).flatten(1).amax(dim=1)  # (B,)
    rounding = values.flatten(1).abs().amax(dim=1) <= ROUNDING * size
    return torch.where(rounding.reshape(-1, *[1] * (values.dim() - 1)), torch.zeros_like(values), values)


def _of_tokens(
    model: nn.Module, image: Tensor, layer: str, activation: Tensor, gradient: Tensor, sides: Sequence[int] | None
) -> tuple[Tensor, Tensor, str]:
    """A and ∂y/∂A of tokens (B, N, C) on the grid of their patches, and how they were laid out."""
    activation, gradient = tokens_first(activation, len(image)), tokens_first(gradient, len(image))
    grid = token_grid(model, image.shape[2:], activation.shape[1], sides=sides)
    if grid is None:
        raise UserError(f"layer {layer!r} gives {activation.shape[1]} tokens and nothing says how they lie in an image "
                        f"of {tuple(image.shape[2:])}: name the grid of patches, as in token_sides=(4, 8, 8)")
    as_map = partial(tokens_as_map, grid=grid)
    return as_map(activation), as_map(gradient), grid.words
