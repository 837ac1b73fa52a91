"""What a network looks at: attention maps captured from one pass, and what is made of them.

Names are looked up on first use; type checkers and editors see them all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medattn_lite.explain.attention.adapters import register_adapter
    from medattn_lite.explain.attention.affinities import (
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
    from medattn_lite.explain.attention.gates import channel_gates, maps_of_kind, predict, spatial_gates, switched_off
    from medattn_lite.explain.attention.inter_slice import alike, read_inter_slice, slice_gates
    from medattn_lite.explain.attention.split_attention import evened, read_splits, split_shares
    from medattn_lite.explain.faithfulness.localisation import concentration, localise
    from medattn_lite.explain.grids.layer_boxes import layer_box
    from medattn_lite.explain.grids.upsampling import to_image_grid
    from medattn_lite.explain.methods.layers import default_layer, layer_sizes, stages
    from medattn_lite.explain.methods.padding import head_mask, padded_with
    from medattn_lite.explain.methods.registry import METHODS, Explanation, explain_image
    from medattn_lite.explain.model.targets import ClassLogit, LogRisk, RegionSum

_MODULES = {
    "attention.adapters": ("register_adapter",),
    "attention.affinities": ("affinity_layers", "looks_at", "read_affinities", "received_attention", "slice_matrices",
                 "whereabouts"),
    "attention.capture": ("CapturedMap", "capture_attention", "has_attention"),
    "attention.edits": ("CHANNEL_EDITS", "PLACE_EDITS", "SHARE_EDITS", "SLICE_EDITS", "WEIGHT_EDITS", "edited_maps",
             "under_edits"),
    "attention.gates": ("channel_gates", "maps_of_kind", "predict", "spatial_gates", "switched_off"),
    "grids.upsampling": ("to_image_grid",),
    "attention.inter_slice": ("alike", "read_inter_slice", "slice_gates"),
    "grids.layer_boxes": ("layer_box",),
    "methods.layers": ("default_layer", "layer_sizes", "stages"),
    "faithfulness.localisation": ("concentration", "localise"),
    "methods.registry": ("METHODS", "Explanation", "explain_image"),
    "methods.padding": ("head_mask", "padded_with"),
    "attention.split_attention": ("evened", "read_splits", "split_shares"),
    "model.targets": ("ClassLogit", "LogRisk", "RegionSum"),
}
_LAZY = {name: f"medattn_lite.explain.{module}" for module, names in _MODULES.items() for name in names}
__all__ = [
    "CHANNEL_EDITS",
    "PLACE_EDITS",
    "SHARE_EDITS",
    "SLICE_EDITS",
    "WEIGHT_EDITS",
    "concentration",
    "under_edits",
    "METHODS",
    "CapturedMap",
    "ClassLogit",
    "Explanation",
    "LogRisk",
    "RegionSum",
    "affinity_layers",
    "alike",
    "capture_attention",
    "channel_gates",
    "default_layer",
    "edited_maps",
    "evened",
    "explain_image",
    "has_attention",
    "head_mask",
    "layer_box",
    "layer_sizes",
    "localise",
    "looks_at",
    "maps_of_kind",
    "padded_with",
    "predict",
    "read_affinities",
    "read_inter_slice",
    "read_splits",
    "received_attention",
    "register_adapter",
    "slice_gates",
    "slice_matrices",
    "spatial_gates",
    "split_shares",
    "stages",
    "switched_off",
    "to_image_grid",
    "whereabouts",
]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
