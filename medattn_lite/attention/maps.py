"""The small modules whose output is an attention map, so that a forward hook can see it.

A block never keeps its map and never returns it beside its features. It holds a gate or an
affinity, a module whose `forward` returns the map and nothing else:

    x' = x ⊗ gate(x)

`medattn_lite.explain.capture_attention` listens to these modules for the length of one pass.
"""

from __future__ import annotations

from torch import nn

CHANNEL = "channel"
SPATIAL = "spatial"
CHANNEL_SLICE = "channel×slice"
CHANNEL_POSITION = "channel×position"
SLICE_SLICE = "slice×slice"
VOXEL_VOXEL = "voxel×voxel"
SPLIT = "split"
QUERY_KEY = "query×key"
KINDS = (CHANNEL, SPATIAL, CHANNEL_SLICE, CHANNEL_POSITION, SLICE_SLICE, VOXEL_VOXEL, SPLIT, QUERY_KEY)


class AttentionMap(nn.Module):
    """Base of every module whose `forward` returns an attention map.

    Args:
        kind: what the weights are over; one of `KINDS`.
        axes: a name for each dimension of the map, in order. A dimension that the map only
            broadcasts over keeps its name and has size 1.

    Raises:
        ValueError: the kind is not one of `KINDS`.
    """

    def __init__(self, *, kind: str, axes: tuple[str, ...]) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"unknown kind of attention map {kind!r}; use one of {', '.join(KINDS)}")
        self.kind = kind
        self.axes = tuple(axes)

    @property
    def is_watched(self) -> bool:
        """Whether a hook listens or may change something; a block may skip a huge map that nobody looks at."""
        return has_hooks(self)

    def extra_repr(self) -> str:
        return f"kind={self.kind!r}"


def has_hooks(module: nn.Module) -> bool:
    """Whether anything listens to a module's passes, forward or backward."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)
