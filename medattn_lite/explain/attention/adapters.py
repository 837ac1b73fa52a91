"""Where modules of other libraries keep their attention map, by module type.

    register_adapter(MyGate, part="sigmoid", kind="channel", axes=("batch", "channel", ...))

This package's blocks hold an `AttentionMap`. Most other blocks have a part (a submodule) that gives or takes the map,
and an `Adapter` says which: the sigmoid of a gate gives it, the dropout after a softmax takes it. PyTorch's multi-head
attention has no such part and is asked for its weights instead. What calls PyTorch's fused attention directly needs no
adapter, see `fused_kernels`.

Known from the start: `torch.nn.MultiheadAttention` (so all of `torch.nn.Transformer`), and MONAI's SABlock and
CrossAttentionBlock (ViT, UNETR), WindowAttention (Swin-UNETR), AttentionBlock (AttentionUnet) and ChannelSELayer
(SENet, SEResNet, SEResNeXt). A subclass is known by its base.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from medattn_lite.attention.dimensions import SPATIAL_AXES
from medattn_lite.attention.maps import CHANNEL, KINDS, QUERY_KEY, SPATIAL
from medattn_lite.errors import UserError

See = Callable[[Tensor], None]
Axes = Sequence[Any]  # names, and at most one ... for the axes of space
HEADS = ("batch", "head", "query", "key")
WINDOWS = ("batch", "window", "head", "query", "key")  # a Swin's windows come as parts of the batch


class Source(Protocol):
    """What hands over a module's map each time the module runs."""

    @property
    def kind(self) -> str:
        """What the weights are over."""

    @property
    def axes(self) -> tuple[Any, ...]:
        """A name for each dimension."""

    def attach(self, module: nn.Module, see: See) -> list[RemovableHandle]:
        """Hooks that call `see` with the map; removed by their handles."""


@dataclass(frozen=True)
class Adapter:
    """A map that a part of the module gives or takes.

    Attributes:
        kind: what the weights are over, one of `medattn_lite.attention.maps.KINDS`.
        axes: a name for each dimension; `...` stands for depth, height, width or height, width.
        part: name of the submodule, such as "softmax"; "" for the module itself.
        of: "output" or "input" of the part.
        read: from what the part gives (or takes) and the module to the map; None where it is the map.
    """

    kind: str
    axes: tuple[Any, ...]
    part: str = ""
    of: str = "output"
    read: Callable[[Tensor, nn.Module], Tensor] | None = None

    def attach(self, module: nn.Module, see: See) -> list[RemovableHandle]:
        """Hooks on the part."""

        def hand_over(values: Any) -> None:
            if not isinstance(values, Tensor):
                raise UserError(f"{type(module).__name__}.{self.part or 'forward'} gives a {type(values).__name__}, "
                                "not a map: give register_adapter a part whose value is a tensor")  # fmt: skip
            see(values if self.read is None else self.read(values, module))

        part = module.get_submodule(self.part)
        if self.of == "input":
            return [part.register_forward_pre_hook(lambda module, inputs: hand_over(inputs[0]))]
        return [part.register_forward_hook(lambda module, inputs, output: hand_over(output))]


@dataclass(frozen=True)
class AskedWeights:
    """`nn.MultiheadAttention`: asked for the weights of each head, its answer given on as its caller wanted it.

    TargetLike for weights it leaves PyTorch's fused kernel, so that outputs differ from it by rounding.
    """

    kind: str = QUERY_KEY
    axes: tuple[Any, ...] = HEADS

    def attach(self, module: nn.Module, see: See) -> list[RemovableHandle]:
        """A hook that asks and one that restores."""
        signature, wanted = inspect.signature(module.forward), []

        def ask(module: nn.Module, inputs: tuple, options: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
            call = signature.bind(*inputs, **options)
            call.apply_defaults()
            wanted.append((call.arguments["need_weights"], call.arguments["average_attn_weights"]))
            call.arguments.update(need_weights=True, average_attn_weights=False)
            return call.args, call.kwargs

        def restore(module: nn.Module, inputs: tuple, options: dict[str, Any], output: Any) -> Any:
            values, weights = output  # (B, H, queries, keys), without B for one sequence alone
            need, average = wanted.pop()
            see(weights if weights.dim() == len(HEADS) else weights[None])
            return values, (weights.mean(dim=-3) if average else weights) if need else None

        return [module.register_forward_pre_hook(ask, with_kwargs=True),
                module.register_forward_hook(restore, with_kwargs=True)]  # fmt: skip


def register_adapter(
    module: type[nn.Module] | str,
    *,
    kind: str,
    axes: Axes,
    part: str = "",
    of: str = "output",
    read: Callable[[Tensor, nn.Module], Tensor] | None = None,
) -> Callable[[], None]:
    """Makes `capture_attention` see the maps of a module type; see `Adapter`.

    Args:
        module: the type, or its full name, as in "monai.networks.nets.swin_unetr.WindowAttention", which is then
            not imported. An adapter that it already has is replaced.
        kind: one of `medattn_lite.attention.maps.KINDS`.
        axes: a name for each dimension of the map; `...` for the axes of space.
        part: submodule that holds the map; "" for the module itself.
        of: "output" or "input" of the part.
        read: from the part's value and the module to the map; None where it is the map.

    Returns:
        a function that takes the registration back.

    Raises:
        UserError: an unknown kind, or neither output nor input.

    Example:
        >>> import torch
        >>> from medattn_lite.explain import capture_attention
        >>> take_back = register_adapter(nn.Sigmoid, kind="channel", axes=("batch", "channel"))
        >>> network = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid())
        >>> with capture_attention(network) as maps:
        ...     output = network(torch.rand(2, 3))
        >>> maps["1"].axes
        ('batch', 'channel')
        >>> take_back()
    """
    if kind not in KINDS:
        raise UserError(f"there is no kind of attention map called {kind!r}: choose one of {', '.join(KINDS)}")
    if of not in ("output", "input"):
        raise UserError(f"of={of!r}: the map is the part's \"output\" or its \"input\"")
    before = _REGISTERED.get(module)
    _REGISTERED[module] = Adapter(kind, tuple(axes), part, of, read)

    def take_back() -> None:
        if before is None:
            _REGISTERED.pop(module, None)
        else:
            _REGISTERED[module] = before

    return take_back


def adapter_of(module: nn.Module) -> Source | None:
    """Looks up the adapter of a module's type or of its nearest base; None where there is none."""
    for kind in type(module).__mro__:
        registered = _REGISTERED.get(kind) or _REGISTERED.get(f"{kind.__module__}.{kind.__qualname__}")
        if registered is not None:
            return registered
    return None


def axis_names(axes: Axes, values: Tensor) -> tuple[str, ...]:
    """The axes of a map, with `...` written out for its number of dimensions."""
    if ... not in axes:
        return tuple(axes)
    space = values.dim() - (len(axes) - 1)
    names = SPATIAL_AXES.get(space, tuple(f"axis {number}" for number in range(space)))
    return tuple(name for axis in axes for name in (names if axis is ... else (axis,)))


def _gates_of_se(values: Tensor, module: nn.Module) -> Tensor:
    """(B, C) to (B, C, 1, 1) or (B, C, 1, 1, 1), as this package's gates are."""
    space = int(type(module.avg_pool).__name__.removeprefix("AdaptiveAvgPool")[0])
    return values.reshape(*values.shape[:2], *[1] * space)


_REGISTERED: dict[type[nn.Module] | str, Source] = {
    nn.MultiheadAttention: AskedWeights(),
    "monai.networks.blocks.selfattention.SABlock": Adapter(QUERY_KEY, HEADS, "drop_weights", "input"),
    "monai.networks.blocks.crossattention.CrossAttentionBlock": Adapter(QUERY_KEY, HEADS, "drop_weights", "input"),
    "monai.networks.nets.swin_unetr.WindowAttention": Adapter(QUERY_KEY, WINDOWS, "softmax"),
    "monai.networks.nets.attentionunet.AttentionBlock": Adapter(SPATIAL, ("batch", "channel", ...), "psi"),
    "monai.networks.blocks.squeeze_and_excitation.ChannelSELayer":
        Adapter(CHANNEL, ("batch", "channel", ...), "fc", read=_gates_of_se),
}  # fmt: skip
