"""Pictures: arrays in, a matplotlib `Figure` with alt text out. `show(figure)` displays it."""

from __future__ import annotations

from medattn_lite.plots.affinity import AffinityRow, affinity_view, slice_affinity
from medattn_lite.plots.alt import alt_text, set_alt
from medattn_lite.plots.attention import attention_matrix, playground, weights_bars
from medattn_lite.plots.audit import audit_view
from medattn_lite.plots.controls import TaskPanel, control_tasks
from medattn_lite.plots.counterfactual import counterfactual_view
from medattn_lite.plots.curves import reliability, roc, training_curve
from medattn_lite.plots.data_flows import data_flow
from medattn_lite.plots.diagrams import grouped_convolution, residual_block, split_attention
from medattn_lite.plots.explanation_grid import explanation_grid
from medattn_lite.plots.explanations import MapRow, explanation_rows
from medattn_lite.plots.forest import forest
from medattn_lite.plots.gate_view import gate_view
from medattn_lite.plots.gates import gates_by_layer, spatial_map_overlay
from medattn_lite.plots.inter_slice_view import inter_slice_view
from medattn_lite.plots.kernels import kernel_voxels
from medattn_lite.plots.layer_names import short_names
from medattn_lite.plots.lines import lines
from medattn_lite.plots.mechanisms import mechanism_panels
from medattn_lite.plots.montage import contrasts_row, image_grid, slice_montage
from medattn_lite.plots.panels import default_window
from medattn_lite.plots.patches import patch_weights
from medattn_lite.plots.planes import three_planes
from medattn_lite.plots.show import render_png, show
from medattn_lite.plots.split_view import split_view
from medattn_lite.plots.style import mask_names, new_figure, styled
from medattn_lite.plots.survival import follow_up_lines, survival_curves
from medattn_lite.plots.survival_predictions import patient_curves, survival_calibration
from medattn_lite.plots.survival_view import survival_view
from medattn_lite.plots.tables import picture_table

__all__ = [
    "AffinityRow",
    "MapRow",
    "TaskPanel",
    "affinity_view",
    "alt_text",
    "attention_matrix",
    "audit_view",
    "contrasts_row",
    "control_tasks",
    "counterfactual_view",
    "data_flow",
    "default_window",
    "explanation_grid",
    "explanation_rows",
    "follow_up_lines",
    "forest",
    "gate_view",
    "gates_by_layer",
    "grouped_convolution",
    "image_grid",
    "inter_slice_view",
    "kernel_voxels",
    "lines",
    "mask_names",
    "mechanism_panels",
    "new_figure",
    "patch_weights",
    "patient_curves",
    "picture_table",
    "playground",
    "reliability",
    "render_png",
    "residual_block",
    "roc",
    "set_alt",
    "short_names",
    "show",
    "slice_affinity",
    "slice_montage",
    "spatial_map_overlay",
    "split_attention",
    "split_view",
    "styled",
    "survival_calibration",
    "survival_curves",
    "survival_view",
    "three_planes",
    "training_curve",
    "weights_bars",
]
