"""How many keys of an attention meet its queries in one operation: seen in what it does, not in what it returns."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_QUERIES, _KEYS, _FEATURES = 97, 200, 5
_SIDE = "_medattn_side"  # on a tensor: whether it was made of keys and values alone, or of queries too


class _Meetings(TorchDispatchMode):
    """Follows what is made of keys and of queries; notes, of every operation on both, how many keys took part."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        keys = [each for each in tensors if getattr(each, _SIDE, "") == "keys"]
        queries = [each for each in tensors if getattr(each, _SIDE, "") == "queries"]
        if keys and queries:
            self.most = max(self.most, *(each.numel() // _FEATURES for each in keys))
        out = func(*args, **(kwargs or {}))
        for made in tree_leaves(out):
            if isinstance(made, Tensor) and (keys or queries):
                setattr(made, _SIDE, "queries" if queries else "keys")
        return out


def keys_at_once(attend: Callable[..., Any], *, block: int) -> int | None:
    """The most keys that meet the queries at once, of 200.

    Args:
        attend: `attend(query, key, value, block)`, (B, N, f), (B, M, f), (B, M, f) to (B, N, f).
        block: handed over.

    Returns:
        The number, or None where nothing stands out: an answer in numpy leaves no operation to see. Of one whose
        memory does not grow with `block` it is 0, of one that holds the whole map all 200.
    """
    generator = torch.Generator().manual_seed(7)
    sizes = (_QUERIES, _KEYS, _KEYS)
    query, key, value = (torch.randn(1, length, _FEATURES, generator=generator) for length in sizes)
    for tensor, side in ((query, "queries"), (key, "keys"), (value, "keys")):
        setattr(tensor, _SIDE, side)
    with _Meetings() as seen:
        attend(query, key, value, block)
    return seen.most if seen.most else _by_memory(attend, block)


def _by_memory(attend: Callable[..., Any], block: int) -> int | None:
    """The same for an answer that torch does not see: from the memory that numpy takes for 20 times as many keys."""
    keys = 20 * _KEYS
    generator = torch.Generator().manual_seed(7)
    query, key, value = (torch.randn(1, n, _FEATURES, generator=generator) for n in (_QUERIES, keys, keys))
    peaks = []
    for size in (block, 20 * block):
        tracemalloc.start()
        try:
            attend(query.clone(), key.clone(), value.clone(), size)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    if peaks[0] > 4 * _QUERIES * keys / 2:
        return _KEYS
    return None if peaks[1] - peaks[0] > 4 * _QUERIES * 19 * block / 2 else 0
