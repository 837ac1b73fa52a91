"""Grad-CAM and Grad-CAM++ in 2-D and 3-D, at any layer, for classes, regions and risks; the sign is kept.

    L = Σ_k w_k A_k                                     A_k channel k of a layer (B, K, d, h, w), y what is explained

    Grad-CAM      w_k = mean over places of ∂y/∂A_k
    Grad-CAM++    w_k = Σ over places of α_k relu(∂y/∂A_k)

                  α_k = g² / (2 g² + (Σ over places of A_k) g³),   g = ∂y/∂A_k at the place, 0 where g is

Papers: Selvaraju et al. 2017; Chattopadhay et al. 2018, whose powers come from explaining exp(y): g, g² and g³ are its
derivatives but for a factor that is the same everywhere and left out. captum has the first and MONAI both; this is one
piece of code for both that keeps the sign, says which layer it took, and works where parameters are frozen or layers
overwrite their input.

Readings and deviations:
- The papers keep L's positive part. Here L keeps its sign, since "nothing speaks for it" must be seen; `relu` cuts it.
- Grad-CAM++ is derived for A ≥ 0. Where a channel's sum is negative it counts as 0, so that α stays within 0 and ½.
- MONAI's Grad-CAM++ sums A g³ over places where the paper multiplies g³ by the sum of A: the same where all places have
  the same g, as behind a mean over space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.layers import default_layer
from medattn_lite.explain.passes import layer_gradients, output_of
from medattn_lite.explain.targets import Target, default_target

ROUNDING = 1e-6  # of the summands' size: what is left of a sum below it is rounding


@dataclass(frozen=True)
class LayerMap:
    """A class activation map on its layer's grid.

    Attributes:
        values: (B, d, h, w), without d in 2-D; signed; on the network's device.
        layer: where it was taken.
        scores: (B,) what was explained.
    """

    values: Tensor
    layer: str
    scores: Tensor


def grad_cam(
    model: nn.Module,
    image: Tensor,
    *,
    target: Target | None = None,
    layer: str | None = None,
    beside: Sequence[Tensor] = (),
) -> LayerMap:
    """Grad-CAM on the layer's grid; `explain_image` brings it to the image's.

    Args:
        model: the network; its mode, gradients and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        target: what is explained; None for `default_target`.
        layer: name of a layer; None for `default_layer`.
        beside: what the network takes besides the image, such as clinical values (B, K).

    Raises:
        UserError: a layer or a target that the network does not have, or an output that is no number.
    """
    return _cam(model, image, _mean_gradient, target, layer, beside)


def grad_cam_plus_plus(
    model: nn.Module,
    image: Tensor,
    *,
    target: Target | None = None,
    layer: str | None = None,
    beside: Sequence[Tensor] = (),
) -> LayerMap:
    """Grad-CAM++ on the layer's grid; arguments as of `grad_cam`."""
    return _cam(model, image, _weighted_positive_gradients, target, layer, beside)


def _mean_gradient(activation: Tensor, gradient: Tensor) -> Tensor:
    return gradient.flatten(2).mean(dim=2)  # (B, K)


def _weighted_positive_gradients(activation: Tensor, gradient: Tensor) -> Tensor:
    positive = gradient.flatten(2).clamp(min=0)  # (B, K, places)
    total = activation.flatten(2).sum(dim=2, keepdim=True).clamp(min=0)  # (B, K, 1)
    return (positive / (2 + total * positive)).sum(dim=2)  # α relu(g) = g / (2 + (Σ A) g) for g > 0


def _cam(
    model: nn.Module, image: Tensor, weigh, target: Target | None, layer: str | None, beside: Sequence[Tensor]
) -> LayerMap:
    if target is None:
        output = output_of(model, image, beside=beside)
        target = default_target(model, output).fixed(output)
    layer = layer or default_layer(model, image, beside=beside)
    activation, gradient, scores = layer_gradients(model, image, layer, target, beside=beside)
    if activation.dim() != image.dim():
        raise UserError(f"layer {layer!r} gives {tuple(activation.shape)}, without places: choose an earlier layer")
    weights = weigh(activation, gradient).reshape(*activation.shape[:2], *[1] * (activation.dim() - 2))
    parts = weights * activation  # (B, K, d, h, w)
    values = parts.sum(dim=1)  # (B, d, h, w)
    if not bool(torch.isfinite(values).all()):
        raise UserError("the network gives no number for this image: check the image and the weights for NaN")
    size = parts.abs().sum(dim=1).flatten(1).amax(dim=1)  # (B,)
    rounding = values.flatten(1).abs().amax(dim=1) <= ROUNDING * size
    values = torch.where(rounding.reshape(-1, *[1] * (values.dim() - 1)), torch.zeros_like(values), values)
    return LayerMap(values, layer, scores)
