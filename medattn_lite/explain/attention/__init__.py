"""Attention maps of one pass: captured, edited, and read as gates, shares, and affinities."""

from __future__ import annotations

from medattn_lite.explain.attention.adapters import adapter_of, register_adapter
from medattn_lite.explain.attention.affinities import (
    Affinities,
    Whereabouts,
    affinity_layers,
    looks_at,
    read_affinities,
    received_attention,
    slice_matrices,
    whereabouts,
)
from medattn_lite.explain.attention.capture import CapturedMap, capture_attention, has_attention
from medattn_lite.explain.attention.edits import (
    CHANNEL_EDITS,
    PLACE_EDITS,
    SHARE_EDITS,
    SLICE_EDITS,
    WEIGHT_EDITS,
    edited_maps,
    under_edits,
)
from medattn_lite.explain.attention.gates import (
    channel_gates,
    maps_of_kind,
    ranked_channels,
    spatial_gates,
    switched_off,
)
from medattn_lite.explain.attention.inter_slice import (
    InterSliceReading,
    move_towards_mean,
    read_inter_slice,
    slice_gates,
)
from medattn_lite.explain.attention.slice_affinities import SliceAffinities
from medattn_lite.explain.attention.split_attention import SplitReading, move_towards_uniform, read_splits, split_shares
from medattn_lite.explain.attention.voxel_affinities import VoxelAffinities

__all__ = [
    "CHANNEL_EDITS",
    "PLACE_EDITS",
    "SHARE_EDITS",
    "SLICE_EDITS",
    "WEIGHT_EDITS",
    "Affinities",
    "CapturedMap",
    "InterSliceReading",
    "SliceAffinities",
    "SplitReading",
    "VoxelAffinities",
    "Whereabouts",
    "adapter_of",
    "affinity_layers",
    "capture_attention",
    "channel_gates",
    "edited_maps",
    "has_attention",
    "looks_at",
    "maps_of_kind",
    "move_towards_mean",
    "move_towards_uniform",
    "ranked_channels",
    "read_affinities",
    "read_inter_slice",
    "read_splits",
    "received_attention",
    "register_adapter",
    "slice_gates",
    "slice_matrices",
    "spatial_gates",
    "split_shares",
    "switched_off",
    "under_edits",
    "whereabouts",
]
