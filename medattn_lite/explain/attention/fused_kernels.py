"""The weights of PyTorch's fused attention, which never writes them down.

    weights = softmax(scale · q kᵀ + mask)                       of each call of scaled_dot_product_attention

Inside `fused_weights` each call inside the model is answered by the kernel as ever, and its weights are computed beside
it, queries × keys for every head. So transformers of any library that call the fused function are seen, without a word
about their modules. Dropout is left out of the weights.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode


def attention_weights(
    query: Tensor, key: Tensor, *, attn_mask: Tensor | None = None, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """What `scaled_dot_product_attention` weighs the values with.

    Args:
        query: (…, L, E).
        key: (…, S, E).
        attn_mask: bool (True takes part) or added to the scores, broadcast to (…, L, S).
        is_causal: a query sees keys up to its own place.
        scale: of the scores; None for 1 / √E.
        enable_gqa: several heads of queries share one of keys.

    Returns:
        (…, L, S).
    """
    if enable_gqa:
        key = key.repeat_interleave(query.size(-3) // key.size(-3), -3)
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(dim=-1)


@contextmanager
def fused_weights(names: Mapping[nn.Module, str], see: Callable[[nn.Module, Tensor], None]) -> Iterator[None]:
    """Calls `see` with the innermost running module and the weights, at each fused attention inside the block.

    Args:
        names: the modules to listen to; calls from elsewhere pass by.
        see: told the module and (…, queries, keys).
    """
    running: list[nn.Module] = []

    def enter(module: nn.Module, inputs: tuple) -> None:
        running.append(module)

    def leave(module: nn.Module, inputs: tuple, output: Any) -> None:
        running.pop()

    handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
    try:
        with _Listening(lambda weights: see(running[-1], weights), lambda: bool(running) and running[-1] in names):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Listening(TorchFunctionMode):
    """Sees the calls of the fused function."""

    def __init__(self, see: Callable[[Tensor], None], wanted: Callable[[], bool]) -> None:
        super().__init__()
        self.see, self.wanted = see, wanted

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is functional.scaled_dot_product_attention and self.wanted():
            call = _SIGNATURE.bind(*args, **(kwargs or {})).arguments
            kept = {name: call[name] for name in ("attn_mask", "is_causal", "scale", "enable_gqa") if name in call}
            self.see(attention_weights(call["query"], call["key"], **kept))
        return func(*args, **(kwargs or {}))


def _fused(query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
           scale: Any = None, enable_gqa: bool = False) -> None:  # fmt: skip
    """The arguments of `scaled_dot_product_attention`, which says nothing of them itself."""


_SIGNATURE = inspect.signature(_fused)
