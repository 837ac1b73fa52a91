"""Every way to explain, under one call: an image and a trained network in, a map on the image's grid out.

    explanation = explain_image(model, image, method="Grad-CAM", target=ClassLogit(1))
    explanation.values          # (B, D, H, W) float32, slice k on the image's slice k

What is computed is in `cam`, `attribution`, `capture` and `affinity`; this file brings it to the image's grid, and says
where the map was taken and when there is nothing to see in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import SLICE_SLICE, SPATIAL, VOXEL_VOXEL, AttentionMap
from medattn_lite.errors import UserError
from medattn_lite.explain.attribution import integrated_gradients, occlusion
from medattn_lite.explain.cam import grad_cam, grad_cam_plus_plus
from medattn_lite.explain.capture import CapturedMap, capture_attention
from medattn_lite.explain.image_space import map_on_image, to_image_grid
from medattn_lite.explain.layer_places import layer_box
from medattn_lite.explain.layers import MINIMUM_SIDE
from medattn_lite.explain.passes import on_device_of, output_of
from medattn_lite.explain.targets import ClassLogit, LogRisk, Target, default_target

FLAT = 0.02  # an attention map whose values differ by less looks at nothing in particular
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
class _Found:
    """What a method gives before it is brought to the image's grid."""

    values: Tensor
    scores: Tensor
    layer: str | None = None
    notes: tuple[str, ...] = ()


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
    find: Callable[..., _Found] = field(repr=False)


def explain_image(
    model: nn.Module,
    image: Tensor,
    *,
    method: str = "Grad-CAM",
    target: Target | None = None,
    layer: str | None = None,
    beside: Sequence[Tensor] = (),
    **options: Any,
) -> Explanation:
    """One map for each image.

    Args:
        model: any network; left in its mode, with its gradients and hooks as they were.
        image: (B, C, D, H, W) or (B, C, H, W), as the network takes it.
        method: one of `METHODS`.
        target: what is explained, see `targets`; None for the network's risk, first region, or predicted class.
        layer: of Grad-CAM, Grad-CAM++ and attention; None for a default that the explanation names.
        beside: what the network takes besides the image, such as clinical values (B, K).
        **options: `relu` of the two CAMs; `steps` and `baseline` of integrated gradients; `window`, `stride`,
            `baseline` and `progress` of occlusion.

    Raises:
        UserError: an unknown method, option or layer, a target that does not fit the network, or nothing to explain.
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
    asked = target if chosen.asks else None
    if chosen.asks and not isinstance(target, ClassLogit | LogRisk):  # these do not look at the prediction
        output = output_of(model, image, beside=beside)
        asked = (target or default_target(model, output)).fixed(output)
    cut = bool(options.pop("relu", False))
    found = chosen.find(model, image, target=asked, layer=layer, beside=beside, **options)
    if not bool(torch.isfinite(found.values).all()):
        raise UserError("the network gives no number for this image: check the image and the weights for NaN")
    notes = [*found.notes, *(silent_images(found.values, asked.words) if chosen.signed else [])]
    values = found.values.clamp(min=0) if cut else found.values
    grid, size = tuple(values.shape[1:]), tuple(image.shape[2:])
    box = layer_box(model, image, grid, beside=beside)
    return Explanation(
        values=to_image_grid(values.float(), size, box=box).cpu(),
        method=chosen.name, signed=chosen.signed and not cut, layer=found.layer, grid=grid,
        target="" if asked is None else asked.words, scores=found.scores.float().cpu(), note="; ".join(notes),
    )  # fmt: skip


def find_method(name: str) -> Method:
    """The method of a name.

    Raises:
        UserError: there is none.
    """
    if name not in METHODS:
        raise UserError(f"unknown method {name!r}: use {', '.join(METHODS)}")
    return METHODS[name]


def silent_images(values: Tensor, words: str) -> list[str]:
    """Which maps of (B, …) show nothing that speaks for the target, in words."""
    flat = values.flatten(1)
    nothing, against = (flat == 0).all(dim=1), (flat <= 0).all(dim=1) & (flat < 0).any(dim=1)
    return [
        *_said(nothing, f"all values are zero: {words} does not depend on any place of the image here"),
        *_said(against, f"all values are negative: nothing speaks for {words}"),
    ]


def _said(rows: Tensor, words: str) -> list[str]:
    if not bool(rows.any()):
        return []
    numbers = torch.nonzero(rows).flatten().tolist()
    return [words if len(rows) == 1 else f"image {', '.join(map(str, numbers))}: {words}"]


def _grad_cam(model: nn.Module, image: Tensor, **asked: Any) -> _Found:
    found = grad_cam(model, image, **asked)
    return _Found(found.values, found.scores, found.layer)


def _grad_cam_plus_plus(model: nn.Module, image: Tensor, **asked: Any) -> _Found:
    found = grad_cam_plus_plus(model, image, **asked)
    return _Found(found.values, found.scores, found.layer)


def _integrated_gradients(
    model: nn.Module, image: Tensor, *, target: Target, layer: None, beside: Sequence[Tensor], **options: Any
) -> _Found:
    values, missed = integrated_gradients(model, image, target=target, beside=beside, **options)
    scores = target(output_of(model, image, beside=beside))
    total = values.flatten(1).sum(dim=1) - missed  # y(x) − y(b)
    off = missed.abs() > INCOMPLETE * total.abs() + ROUNDING * scores.abs()
    said = _said(off, "the values do not add up to the difference from the baseline: raise steps")
    return _Found(_without_rounding(values, scores), scores, notes=tuple(said))


def _occlusion(
    model: nn.Module, image: Tensor, *, target: Target, layer: None, beside: Sequence[Tensor], **options: Any
) -> _Found:
    values = occlusion(model, image, target=target, beside=beside, **options)
    scores = target(output_of(model, image, beside=beside))
    return _Found(_without_rounding(values, scores), scores)


def _without_rounding(values: Tensor, scores: Tensor) -> Tensor:
    """Maps whose values, all taken together, are below what rounding does to the score are zero."""
    noise = values.flatten(1).abs().sum(dim=1) <= ROUNDING * scores.abs()
    return torch.where(noise.reshape(-1, *[1] * (values.dim() - 1)), torch.zeros_like(values), values)


def _attention(
    model: nn.Module, image: Tensor, *, target: None, layer: str | None, beside: Sequence[Tensor]
) -> _Found:
    scores = torch.full((len(image),), torch.nan)
    kinds = {module.kind for module in model.modules() if isinstance(module, AttentionMap)}
    if SPATIAL not in kinds:  # before any capture: to watch voxel×voxel attention makes its whole matrix
        return _received(model, image, kinds, layer, scores)
    with capture_attention(model) as maps:
        output_of(model, image, beside=beside)
    own = [captured for captured in maps.values() if captured.kind == SPATIAL]
    named = [captured for captured in own if layer in (None, captured.layer, captured.key)]
    if not named:
        names = ", ".join(captured.key for captured in own)
        raise UserError(f"{layer!r} is no spatial attention of this network: use one of {names}")
    chosen = _deepest(named, image.shape[2:])
    values = map_on_image(chosen, chosen.values.shape[2:])
    spread = values.flatten(1).amax(dim=1) - values.flatten(1).amin(dim=1)
    said = _said(spread < FLAT, f"the map is nearly flat, {float(values.min()):.3f} to {float(values.max()):.3f}")
    return _Found(values, scores, chosen.layer, tuple(said))


def _deepest(maps: Sequence[CapturedMap], size: Sequence[int]) -> CapturedMap:
    """The last map with at least four places along every axis, else the one with the most along its shortest."""
    wanted = [min(MINIMUM_SIDE, side) for side in size]
    enough = [own for own in maps if all(n >= w for n, w in zip(own.values.shape[2:], wanted, strict=True))]
    return enough[-1] if enough else max(reversed(maps), key=lambda own: min(own.values.shape[2:]))


def _received(model: nn.Module, image: Tensor, kinds: set[str], layer: str | None, scores: Tensor) -> _Found:
    """Affinities: how much each voxel is looked at by all others."""
    if not kinds & {SLICE_SLICE, VOXEL_VOXEL}:
        only = f", only over {' and '.join(sorted(kinds))}" if kinds else ""
        raise UserError(f"{type(model).__name__} has no attention over places{only}: use another method or network")
    from medattn_lite.explain.affinity import affinity_layers, received_attention

    layer = layer or next(iter(affinity_layers(model)))
    values = received_attention(model, on_device_of(model, image), layer=layer)
    said = _said((values == 0).flatten(1).all(dim=1), f"{layer} passes its input on: nothing is attended to")
    return _Found(values, scores, layer, tuple(said))


_ALL = (
    Method("Grad-CAM", "a layer's channels, weighted by how the target changes with each", True, True, True,
           ("relu",), _grad_cam),
    Method("Grad-CAM++", "the same with weights from positive gradients alone", True, True, True,
           ("relu",), _grad_cam_plus_plus),
    Method("integrated gradients", "what each voxel adds on the way from a dark image to this one", False, True, True,
           ("steps", "baseline"), _integrated_gradients),
    Method("occlusion", "what the target loses when a window of the image is hidden", False, True, True,
           ("window", "stride", "baseline", "progress"), _occlusion),
    Method("attention", "the network's own last attention over places; it does not know the target", True, False, False,
           (), _attention),
)  # fmt: skip
METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ALL})
