"""A network's own attention as a map on its layer's grid: gates over places, affinities, or a transformer's tokens.

    places         the last spatial gate with at least four places along every axis
    affinities     how much each voxel is looked at by all others
    tokens         how much each patch is looked at in the last block: by the class token, or by all patches where
                   there is none; the mean over heads

It does not know a target. Of a transformer with windows (Swin) each window's weights say nothing of other windows, and
there is no such map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medattn_lite.attention.maps import QUERY_KEY, SLICE_SLICE, SPATIAL, VOXEL_VOXEL, AttentionMap
from medattn_lite.errors import UserError
from medattn_lite.explain.attention import CapturedMap, affinity_layers, capture_attention, received_attention
from medattn_lite.explain.grids import token_grid
from medattn_lite.explain.methods.layers import first_with_places
from medattn_lite.explain.methods.result import MethodResult, notes_for
from medattn_lite.explain.model import forward_eval, to_model

FLAT = 0.02  # an attention map whose values differ by less looks at nothing in particular


def attention_map(
    model: nn.Module, image: Tensor, *, target: None = None, layer: str | None = None,
    extra_inputs: Sequence[Tensor] = (), token_sides: Sequence[int] | None = None,
) -> MethodResult:  # fmt: skip
    """Captures the attention map, on its layer's grid.

    Args:
        model: any network; left as it was.
        image: (B, C, D, H, W) or (B, C, H, W).
        target: attention takes none.
        layer: name of the attention; None for the last that fits.
        extra_inputs: what the network takes besides the image.
        token_sides: sides (d, h, w) of the grid of a transformer's patches; None to find it.

    Raises:
        UserError: no attention over places, or not at this layer.
    """
    kinds = {module.kind for module in model.modules() if isinstance(module, AttentionMap)}
    if SPATIAL not in kinds and kinds & {SLICE_SLICE, VOXEL_VOXEL}:
        return _received(model, image, layer)  # not captured: to watch voxel×voxel attention makes its whole matrix
    with capture_attention(model, empty_ok=True) as maps:
        forward_eval(model, image, extra_inputs=extra_inputs)
    places = [captured for captured in maps.values() if captured.kind == SPATIAL]
    if places:
        return _at_places(_named(places, layer), image)
    tokens = [captured for captured in maps.values() if captured.kind == QUERY_KEY and "window" not in captured.axes
              and captured.values.shape[-1] == captured.values.shape[-2]]  # fmt: skip
    if not tokens:
        seen = sorted({captured.kind for captured in maps.values()})
        only = f", only over {' and '.join(seen)}" if seen else ""
        raise UserError(f"{type(model).__name__} has no attention over places{only}: use another method or network")
    return _of_tokens(model, image, _named(tokens, layer)[-1], token_sides)


def _named(maps: Sequence[CapturedMap], layer: str | None) -> list[CapturedMap]:
    chosen = [captured for captured in maps if layer in (None, captured.layer, captured.key)]
    if not chosen:
        names = ", ".join(captured.key for captured in maps)
        raise UserError(f"{layer!r} is not a spatial attention of this network: use one of {names}")
    return chosen


def _unasked(image: Tensor) -> Tensor:
    return torch.full((len(image),), torch.nan)


def _at_places(maps: Sequence[CapturedMap], image: Tensor) -> MethodResult:
    """The last map with at least four places along every axis, else the one with the most along its shortest."""
    chosen = first_with_places(maps[::-1], lambda captured: captured.values.shape[2:], image.shape[2:])
    values = chosen.values.mean(dim=1)
    spread = values.flatten(1).amax(dim=1) - values.flatten(1).amin(dim=1)
    notes = notes_for(spread < FLAT, f"the map is nearly flat, {float(values.min()):.3f} to {float(values.max()):.3f}")
    return MethodResult(values, _unasked(image), chosen.layer, tuple(notes))


def _received(model: nn.Module, image: Tensor, layer: str | None) -> MethodResult:
    """Affinities: how much each voxel is looked at by all others."""
    layer = layer or next(iter(affinity_layers(model)))
    values = received_attention(model, to_model(model, image), layer=layer)
    notes = notes_for((values == 0).flatten(1).all(dim=1), f"{layer} passes its input on: nothing is attended to")
    return MethodResult(values, _unasked(image), layer, tuple(notes))


def _of_tokens(model: nn.Module, image: Tensor, captured: CapturedMap, sides: Sequence[int] | None) -> MethodResult:
    """What the class token looks at, or how much each patch is looked at; the mean over heads."""
    weights = captured.values.float().flatten(1, -3).mean(dim=1) if captured.values.dim() > 3 else captured.values
    grid = token_grid(model, image.shape[2:], weights.shape[-1], sides=sides)
    if grid is None or len(weights) != len(image):
        raise UserError(f"{captured.layer} weighs {weights.shape[-1]} tokens and nothing says how they lie in an "
                        f"image of {tuple(image.shape[2:])}: name the grid of patches, as in token_sides=(4, 8, 8)")
    row = weights[:, 0] if grid.extra else weights.mean(dim=1)  # (B, N)
    by = "looked at by the class token" if grid.extra else "looked at by all patches, on average"
    values = row[:, grid.extra :].unflatten(1, grid.sides)
    return MethodResult(values, _unasked(image), captured.layer, (grid.words, by))
