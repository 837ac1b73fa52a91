"""What a network looks at: attention maps captured from one pass, and what is made of them."""

from __future__ import annotations

import importlib

_LAZY = {
    "affinity_layers": "medattn_lite.explain.affinity",
    "looks_at": "medattn_lite.explain.affinity",
    "read_affinities": "medattn_lite.explain.affinity",
    "received_attention": "medattn_lite.explain.affinity",
    "slice_matrices": "medattn_lite.explain.affinity",
    "whereabouts": "medattn_lite.explain.affinity",
    "ClassLogit": "medattn_lite.explain.targets",
    "RegionSum": "medattn_lite.explain.targets",
    "LogRisk": "medattn_lite.explain.targets",
    "METHODS": "medattn_lite.explain.methods",
    "Explanation": "medattn_lite.explain.methods",
    "explain_image": "medattn_lite.explain.methods",
    "default_layer": "medattn_lite.explain.layers",
    "to_image_grid": "medattn_lite.explain.image_space",
    "CapturedMap": "medattn_lite.explain.capture",
    "capture_attention": "medattn_lite.explain.capture",
    "CHANNEL_EDITS": "medattn_lite.explain.edit",
    "PLACE_EDITS": "medattn_lite.explain.edit",
    "SHARE_EDITS": "medattn_lite.explain.edit",
    "SLICE_EDITS": "medattn_lite.explain.edit",
    "WEIGHT_EDITS": "medattn_lite.explain.edit",
    "concentration": "medattn_lite.explain.localisation",
    "edited_maps": "medattn_lite.explain.edit",
    "under_edits": "medattn_lite.explain.edit",
    "channel_gates": "medattn_lite.explain.gates",
    "spatial_gates": "medattn_lite.explain.gates",
    "switched_off": "medattn_lite.explain.gates",
    "alike": "medattn_lite.explain.inter_slice",
    "read_inter_slice": "medattn_lite.explain.inter_slice",
    "slice_gates": "medattn_lite.explain.inter_slice",
    "evened": "medattn_lite.explain.splits",
    "read_splits": "medattn_lite.explain.splits",
    "split_shares": "medattn_lite.explain.splits",
    "predict": "medattn_lite.explain.gates",
}
__all__ = list(_LAZY)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
