"""Ways to explain, each a map on the image's grid: class activation maps, attribution, attention."""

from __future__ import annotations

from medattn_lite.explain.methods.attention_maps import attention_map
from medattn_lite.explain.methods.attribution import darkest, integrated_gradients, occlusion
from medattn_lite.explain.methods.cam import (
    LayerMap,
    Weigh,
    class_activation_maps,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    mean_gradient,
    plain_gradient,
    positive_gradient,
)
from medattn_lite.explain.methods.fused_cam import FUSIONS, fuse, fused_layer_cam, layers_to_fuse, on_image
from medattn_lite.explain.methods.layers import default_layer, layer_sizes, stages
from medattn_lite.explain.methods.padding import head_mask, outside_head, padded_with
from medattn_lite.explain.methods.registry import (
    METHODS,
    Explanation,
    Method,
    empty_map_warnings,
    explain_image,
    find_method,
)

__all__ = [
    "FUSIONS",
    "METHODS",
    "Explanation",
    "LayerMap",
    "Method",
    "Weigh",
    "attention_map",
    "class_activation_maps",
    "darkest",
    "default_layer",
    "empty_map_warnings",
    "explain_image",
    "find_method",
    "fuse",
    "fused_layer_cam",
    "grad_cam",
    "grad_cam_plus_plus",
    "head_mask",
    "hires_cam",
    "integrated_gradients",
    "layer_cam",
    "layer_sizes",
    "layers_to_fuse",
    "mean_gradient",
    "occlusion",
    "on_image",
    "outside_head",
    "padded_with",
    "plain_gradient",
    "positive_gradient",
    "stages",
]
