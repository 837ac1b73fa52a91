"""Every way to explain, under one call: an image and a trained network in, a map on the image's grid out.

    explanation = explain_image(model, image, method="Grad-CAM", target=ClassLogit(1))
    explanation.values          # (B, D, H, W) float32, slice k on the image's slice k

What is computed is in `cam`, `fused_cam`, `attribution` and `attention_map`; this file brings it to the image's grid,
and says where the map was taken and when there is nothing to see in it. A class activation map is one row of `_CAMS`:
its name, what it says, and its function from A and ∂y/∂A to weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from medattn_lite.errors import UserError
from medattn_lite.explain.grids import layer_box, to_image_grid
from medattn_lite.explain.methods import cam
from medattn_lite.explain.methods.attention_maps import attention_map
from medattn_lite.explain.methods.attribution import integrated_gradients, occlusion
from medattn_lite.explain.methods.fused_cam import fused_layer_cam
from medattn_lite.explain.methods.padding import head_mask, outside_head
from medattn_lite.explain.methods.result import MethodResult, notes_for
from medattn_lite.explain.model import FixedTarget, Target, TargetLike, forward_eval

INCOMPLETE = 0.05  # share of y(x) − y(b) by which the sum of integrated gradients may miss it
ROUNDING = 1e-6  # of the score: voxels that add up to less are what rounding leaves


@dataclass(frozen=True)
class Explanation:
    """A map on the image's grid.

    Attributes:
        values: (B, D, H, W) or (B, H, W) float32 on the CPU.
        method: its name.
        signed: whether values below 0 speak against the target; False for attention and for a map cut at 0.
        layer: where it was taken; None for methods of the image itself.
        grid: the layer's own sides (d, h, w); the image's where there is no layer.
        target: what was asked, in words; "" for attention, which is not asked anything.
        scores: (B,) the target's value for each image; NaN for attention.
        note: what a reader must know, such as "all values are negative: nothing speaks for class 1"; "" for nothing.
    """

    values: Tensor
    method: str
    signed: bool
    layer: str | None
    grid: tuple[int, ...]
    target: str
    scores: Tensor
    note: str = ""


@dataclass(frozen=True)
class Method:
    """One way to explain.

    Attributes:
        name: what it is called everywhere.
        summary: what its map says, in a line.
        at_layer: whether it looks at a layer, which can then be chosen.
        asks: whether it explains a target.
        signed: whether its values have a sign.
        options: of `explain_image`, beyond target and layer.
    """

    name: str
    summary: str
    at_layer: bool
    asks: bool
    signed: bool
    options: tuple[str, ...]
    find: Callable[..., MethodResult] = field(repr=False)


def explain_image(
    model: nn.Module,
    image: Tensor,
    *,
    method: str = "Grad-CAM",
    target: TargetLike | None = None,
    layer: str | None = None,
    extra_inputs: Sequence[Tensor] = (),
    **options: Any,
) -> Explanation:
    """Explains each image by one map.

    Args:
        model: any network, wrapped or compiled too; left in its mode, with its gradients and hooks as they were.
        image: (B, C, D, H, W) or (B, C, H, W), as the network takes it.
        method: one of `METHODS`.
        target: what is explained, see `targets`; the number of a class; a function of the network's output to one
            number for each image; None for the network's risk, first region, or predicted class. Of several outputs the
            first is explained, or the one called logits; a function gets them all.
        layer: of class activation maps and attention; None for a default that the explanation names.
        extra_inputs: what the network takes besides the image, such as clinical values (B, K).
        **options: `relu` of class activation maps, and `token_sides`, the sides of a transformer's grid of patches,
            which attention takes too; `head_only` of these and of fused LayerCAM sets the map to 0 where every
            channel has its darkest value, and says how much that was; `fusion` of fused LayerCAM; `steps` and
            `baseline` of integrated gradients; `window`, `stride`, `baseline` and `progress` of occlusion.

    Raises:
        UserError: an unknown method, option or layer, a target that does not fit the network, or nothing to explain.

    Example:
        >>> from medattn_lite.explain import ClassLogit
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> found = explain_image(network, torch.rand(1, 1, 8, 8), method="Grad-CAM", target=ClassLogit(1), layer="1")
        >>> tuple(found.values.shape), found.target, found.layer
        ((1, 8, 8), 'class 1', '1')
    """
    chosen = find_method(method)
    unknown = [name for name in options if name not in chosen.options]
    if unknown:
        known = ", ".join(chosen.options) or "none"
        raise UserError(f"{method} has no option {unknown[0]!r}: it has {known}")
    if layer is not None and not chosen.at_layer:
        raise UserError(f"{method} explains the image itself and takes no layer: leave the layer out")
    if image.dim() not in (4, 5):
        raise UserError(f"an image to explain has shape (B, C, D, H, W) or (B, C, H, W), not {tuple(image.shape)}")
    check_axes(model, image)
    cut, inside = bool(options.pop("relu", False)), bool(options.pop("head_only", False))
    result = chosen.find(model, image, target=target if chosen.asks else None, layer=layer, extra_inputs=extra_inputs,
                         **options)  # fmt: skip
    if not bool(torch.isfinite(result.values).all()):
        raise UserError("the network gives no number for this image: check the image and the weights for NaN")
    words = "" if result.target is None else result.target.words
    notes = [*result.notes, *(empty_map_warnings(result.values, words) if chosen.signed else [])]
    values = result.values.clamp(min=0) if cut else result.values
    grid, size = tuple(values.shape[1:]), tuple(image.shape[2:])
    box = layer_box(model, image, grid, extra_inputs=extra_inputs)
    fine = to_image_grid(values.float(), size, box=box).cpu()
    if inside:
        head = head_mask(image).cpu()
        share = float(outside_head(fine, head).nan_to_num().mean()) if len(fine) else 0.0
        notes.append(f"{share:.0%} of what speaks for {words} lay outside the head and is left out")
        fine = fine * head
    return Explanation(
        values=fine,
        method=chosen.name, signed=chosen.signed and not cut, layer=result.layer, grid=grid,
        target=words, scores=result.scores.float().cpu(), note="; ".join(notes),
    )  # fmt: skip


def find_method(name: str) -> Method:
    """Looks up a method by its name.

    Raises:
        UserError: there is none.
    """
    if name not in METHODS:
        raise UserError(f"unknown method {name!r}: use {', '.join(METHODS)}")
    return METHODS[name]


def empty_map_warnings(values: Tensor, words: str) -> list[str]:
    """Says in words which maps of (B, …) show nothing that speaks for the target."""
    flat = values.flatten(1)
    nothing, against = (flat == 0).all(dim=1), (flat <= 0).all(dim=1) & (flat < 0).any(dim=1)
    return [
        *notes_for(nothing, f"all values are zero: {words} does not depend on any place of the image here"),
        *notes_for(against, f"all values are negative: nothing speaks for {words}"),
    ]


def check_axes(model: nn.Module, image: Tensor) -> None:
    """Raises a UserError where an image lacks the batch axis that the network's convolutions tell of."""
    first = next((module for module in model.modules() if isinstance(module, _ConvNd)), None)
    axes = image.dim() if first is None else len(first.kernel_size) + 2
    if image.dim() == axes - 1:
        raise UserError(f"this network takes {axes - 2}-D images (B, C, …) and this one has shape {tuple(image.shape)}"
                        ": give a batch, as in image[None]")  # fmt: skip


def _class_activation_map(
    weigh: cam.Weigh, model: nn.Module, image: Tensor, *, layer: str | None, **options: Any
) -> MethodResult:
    layer_map = cam.one_layer(model, image, weigh, layer=layer, **options)
    return MethodResult(
        layer_map.values,
        layer_map.scores,
        layer_map.layer,
        (layer_map.note,) if layer_map.note else (),
        layer_map.target,
    )


def _integrated_gradients(
    model: nn.Module, image: Tensor, *, target: TargetLike | None, layer: None, extra_inputs: Sequence[Tensor],
    **options: Any,
) -> MethodResult:  # fmt: skip
    fixed, scores = _fixed_target(model, image, target, extra_inputs)
    values, missed = integrated_gradients(model, image, target=fixed, extra_inputs=extra_inputs, **options)
    total = values.flatten(1).sum(dim=1) - missed  # y(x) − y(b)
    off = missed.abs() > INCOMPLETE * total.abs() + ROUNDING * scores.abs()
    notes = notes_for(off, "the values do not add up to the difference from the baseline: raise steps")
    return MethodResult(_without_rounding(values, scores), scores, None, tuple(notes), fixed)


def _occlusion(
    model: nn.Module, image: Tensor, *, target: TargetLike | None, layer: None, extra_inputs: Sequence[Tensor],
    **options: Any,
) -> MethodResult:  # fmt: skip
    fixed, scores = _fixed_target(model, image, target, extra_inputs)
    values = occlusion(model, image, target=fixed, extra_inputs=extra_inputs, **options)
    return MethodResult(_without_rounding(values, scores), scores, None, (), fixed)


def _fixed_target(
    model: nn.Module, image: Tensor, target: TargetLike | None, extra_inputs: Sequence[Tensor]
) -> tuple[Target, Tensor]:
    """The target, fixed to the image, and its scores."""
    fixed = FixedTarget(model, target, image, extra_inputs)
    scores = fixed(forward_eval(model, image, extra_inputs=extra_inputs))
    return fixed.target, scores


def _without_rounding(values: Tensor, scores: Tensor) -> Tensor:
    """Maps whose values, all taken together, are below what rounding does to the score are zero."""
    noise = values.flatten(1).abs().sum(dim=1) <= ROUNDING * scores.abs()
    return torch.where(noise.reshape(-1, *[1] * (values.dim() - 1)), torch.zeros_like(values), values)


_CAMS = (
    ("Grad-CAM", "a layer's channels, weighted by how the target changes with each", cam.mean_gradient),
    ("Grad-CAM++", "the same with weights from positive gradients alone", cam.weighted_positive_gradients),
    ("LayerCAM", "a layer's values, each weighted by its own positive gradient: for layers with many places",
     cam.positive_gradient),
    ("HiResCAM", "a layer's values, each weighted by its own gradient", cam.plain_gradient),
)  # fmt: skip
_ALL = (
    *(Method(name, summary, True, True, True, ("relu", "head_only", "token_sides"),
             partial(_class_activation_map, weigh)) for name, summary, weigh in _CAMS),
    Method("fused LayerCAM", "LayerCAM of all stages, high where each of them speaks for the target", True, True, False,
           ("head_only", "fusion"), fused_layer_cam),
    Method("integrated gradients", "what each voxel adds on the way from a dark image to this one", False, True, True,
           ("steps", "baseline"), _integrated_gradients),
    Method("occlusion", "what the target loses when a window of the image is hidden", False, True, True,
           ("window", "stride", "baseline", "progress"), _occlusion),
    Method("attention", "the network's own last attention over places; it does not know the target", True, False, False,
           ("token_sides",), attention_map),
)  # fmt: skip
METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
