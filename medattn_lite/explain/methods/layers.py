"""Which layer to explain at: the deepest one whose map still says where.

The deeper a layer, the more its channels mean and the fewer places it has. In a small image the last stage of a network
that divides by 32 has one or two voxels per axis, and its map is one number for the whole head. So the default is the
deepest stage with at least four places along every axis, of the stages that the papers' networks are made of. Of a
transformer without convolutions behind it, it is the layer whose tokens the last attention reads: what comes later in
the tokens of patches does not reach the class token.

Papers: Selvaraju et al. 2017 take the last convolution; Vinogradova et al. 2020 the bottleneck of a U-Net, since in the
last layer before the 1×1×1 convolution Grad-CAM gives the logits back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from medattn_lite.attention.maps import QUERY_KEY, AttentionMap
from medattn_lite.errors import UserError
from medattn_lite.explain.attention import adapter_of
from medattn_lite.explain.grids import token_grid, tokens_first
from medattn_lite.explain.model import check_open, find_layer, forward_eval, known_stages, papers_network

MINIMUM_SIDE = 4
CHANNELS_LAST = ("TransformerBlock", "TransformerEncoderLayer", "TransformerDecoderLayer", "PatchMerging")
Size = tuple[int, ...]
Named = TypeVar("Named")

_KNOWN: WeakKeyDictionary[nn.Module, dict[Size, str]] = WeakKeyDictionary()


def stages(model: nn.Module) -> list[str]:
    """Lists the stages of one of the papers' networks, wrapped or not, the deepest first; empty for any other."""
    prefix, network = papers_network(model)
    return [f"{prefix}{name}" for name in known_stages(network)]


@dataclass
class _Pass:
    """What the modules of a network gave in one pass, in the order in which they ended their work."""

    maps: dict[str, Size] = field(default_factory=dict)  # sides of maps (B, C, …)
    tokens: dict[str, int] = field(default_factory=dict)  # number of tokens (B, N, C)
    before_attention: set[str] = field(default_factory=set)  # what had ended when the last attention began


def layer_sizes(
    model: nn.Module, image: Tensor, names: Sequence[str] | None = None, *, extra_inputs: Sequence[Tensor] = ()
) -> dict[str, tuple[int, ...]]:
    """Lists the sides of the maps that layers give for an image.

    Args:
        model: any network.
        image: (B, C, D, H, W) or (B, C, H, W).
        names: of layers; None for every module that gives a map.
        extra_inputs: what the network takes besides the image.

    Returns:
        layer → (d, h, w), in the order in which the layers end their work.

    Example:
        >>> layer_sizes(nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2)), torch.zeros(1, 1, 8, 8))
        {'0': (6, 6), '1': (3, 3)}
    """
    return {name: sides for name, sides in _watch(model, image, names, extra_inputs).maps.items() if name}


def default_layer(model: nn.Module, image: Tensor, *, extra_inputs: Sequence[Tensor] = ()) -> str:
    """Chooses the deepest stage with at least four places along every axis, or with as many as the image has.

    Of a network that is none of the papers', the last layer with so many places that does not give the output itself;
    of a transformer, see above. Where no layer has them, the one with the most places along its shortest axis.

    Args:
        model: the network; asked once for each size of image, with one pass.
        image: (B, C, D, H, W) or (B, C, H, W).
        extra_inputs: what the network takes besides the image.

    Raises:
        UserError: no layer gives a map.
    """
    known, size = _KNOWN.setdefault(model, {}), tuple(image.shape[1:])
    if size not in known or known[size] not in dict(model.named_modules()):
        known[size] = _choose(model, image, extra_inputs)
    return known[size]


def has_places(sides: Sequence[int], size: Sequence[int]) -> bool:
    """Whether a map has at least `MINIMUM_SIDE` places along every axis of an image, or as many as the image.

    Args:
        sides: of the map, (d, h, w) or (h, w).
        size: of the image.
    """
    return all(n >= min(MINIMUM_SIDE, side) for n, side in zip(sides, size, strict=True))


def first_with_places(maps: Sequence[Named], sides: Callable[[Named], Sequence[int]], size: Sequence[int]) -> Named:
    """The first map with enough places (`has_places`), else the one with the most along its shortest axis.

    Args:
        maps: names of layers, or maps; at least one.
        sides: from one of them to its sides.
        size: of the image.
    """
    enough = (candidate for candidate in maps if has_places(sides(candidate), size))
    return next(enough, None) or max(maps, key=lambda candidate: min(sides(candidate)))


def _choose(model: nn.Module, image: Tensor, extra_inputs: Sequence[Tensor]) -> str:
    known = stages(model)
    seen = _watch(model, image, known or None, extra_inputs)
    order = [name for name in known if name in seen.maps]
    if not known:
        later = [name for name in seen.maps if name and name not in seen.before_attention]
        tokens = [name for name in seen.tokens if name in seen.before_attention]
        if tokens and not later:
            return tokens[-1]
        output = seen.maps.get("", ())  # of a segmentation network
        sizes = {name: sides for name, sides in seen.maps.items() if name}
        order = [name for name in reversed(sizes) if not output or min(sizes[name]) < min(output)] or list(sizes)[:1]
    if not order:
        raise UserError(f"no layer of {type(model).__name__} gives a map of this image: name one with layer=")
    return first_with_places(order, seen.maps.__getitem__, tuple(image.shape[2:]))


@torch.no_grad()
def _watch(model: nn.Module, image: Tensor, names: Sequence[str] | None, extra_inputs: Sequence[Tensor]) -> _Pass:
    """One pass of the first image, with every module listened to, or the named ones."""
    check_open(model)
    seen, first_image = _Pass(), image[:1]
    named = dict(model.named_modules())
    chosen = set(_with_channels_first(model) if names is None else names)
    handles = []

    def end(name: str, output: object) -> None:
        if not isinstance(output, Tensor):
            return
        if output.dim() == image.dim() and len(output) == len(first_image):
            seen.maps.pop(name, None)  # of several uses the last one counts
            seen.maps[name] = tuple(output.shape[2:])
        elif output.dim() == 3 and name:
            count = tokens_first(output, len(first_image)).shape[1]
            if token_grid(model, image.shape[2:], count) is not None:
                seen.tokens.pop(name, None)
                seen.tokens[name] = count

    def begin(module: nn.Module, inputs: tuple) -> None:
        seen.before_attention = {*seen.maps, *seen.tokens}

    for name, module in named.items() if names is None else [(name, find_layer(model, name)) for name in names]:
        handles.append(module.register_forward_hook(lambda module, inputs, output, name=name: end(name, output)))
    for module in _token_attention(model) if names is None else []:
        handles.append(module.register_forward_pre_hook(begin))
    try:
        forward_eval(model, first_image, extra_inputs=[extra[:1] for extra in extra_inputs])
    finally:
        for handle in handles:
            handle.remove()
    seen.maps = {name: sides for name, sides in seen.maps.items() if name in chosen}
    return seen


def _token_attention(model: nn.Module) -> list[nn.Module]:
    """Self-attention over tokens, the outermost modules of it."""
    attentions: list[nn.Module] = []
    inside: set[nn.Module] = set()
    for module in model.modules():
        if module not in inside and _looks_at_tokens(module):
            attentions.append(module)
            inside |= set(module.modules())
    return attentions


def _looks_at_tokens(module: nn.Module) -> bool:
    """By its adapter, or by its name: of other libraries, an attention without convolutions in it."""
    adapter = adapter_of(module)
    if adapter is not None:
        return adapter.kind == QUERY_KEY
    parts = list(module.modules())
    if any(isinstance(part, AttentionMap) for part in parts):
        return all(part.kind == QUERY_KEY for part in parts if isinstance(part, AttentionMap)) and _named(module)
    return _named(module) and not any(isinstance(part, _ConvNd) for part in parts)


def _named(module: nn.Module) -> bool:
    return "attention" in type(module).__name__.lower()


def _with_channels_first(model: nn.Module) -> Iterator[str]:
    """Modules whose outputs may be maps (B, C, …): not the insides of transformer blocks, which have channels last."""
    attention = set(_token_attention(model))
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if name and name.startswith(inside):
            continue
        if type(module).__name__.endswith(CHANNELS_LAST) or (name and module in attention):
            inside = (*inside, f"{name}.")
        elif not isinstance(module, nn.LayerNorm | nn.Linear):
            yield name
