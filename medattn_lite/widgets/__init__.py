"""Widgets: sliders over `explain/` and `plots/`. Each is an `Explorer` and computes nothing of its own."""

from __future__ import annotations

from medattn_lite.widgets.affinity import affinity_explorer
from medattn_lite.widgets.counterfactual import counterfactual_phantom
from medattn_lite.widgets.explanations import explanation_browser
from medattn_lite.widgets.explorer import Explorer
from medattn_lite.widgets.gates import gate_explorer
from medattn_lite.widgets.inter_slice import inter_slice_explorer
from medattn_lite.widgets.network_comparison import mechanism_comparison
from medattn_lite.widgets.playground import attention_playground
from medattn_lite.widgets.slices import slice_explorer
from medattn_lite.widgets.split_attention import split_explorer
from medattn_lite.widgets.survival import survival_explorer
from medattn_lite.widgets.viewer import view_volume

__all__ = [
    "Explorer",
    "affinity_explorer",
    "attention_playground",
    "counterfactual_phantom",
    "explanation_browser",
    "gate_explorer",
    "mechanism_comparison",
    "inter_slice_explorer",
    "slice_explorer",
    "split_explorer",
    "survival_explorer",
    "view_volume",
]
