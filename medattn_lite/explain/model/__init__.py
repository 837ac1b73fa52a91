"""One pass through any network, what is inside a wrapper, and what an explanation asks of the output."""

from __future__ import annotations

from medattn_lite.explain.model.fixed_target import FixedTarget, TargetLike
from medattn_lite.explain.model.passes import (
    check_open,
    find_layer,
    forward,
    forward_eval,
    layer_gradients,
    to_model,
    uncompiled,
)
from medattn_lite.explain.model.targets import ClassLogit, LogRisk, RegionSum, Target, default_target
from medattn_lite.explain.model.wrapped import known_stages, main_output, papers_network, unwrapped_network

__all__ = [
    "ClassLogit",
    "FixedTarget",
    "LogRisk",
    "RegionSum",
    "Target",
    "TargetLike",
    "check_open",
    "default_target",
    "find_layer",
    "forward",
    "forward_eval",
    "known_stages",
    "layer_gradients",
    "main_output",
    "papers_network",
    "to_model",
    "uncompiled",
    "unwrapped_network",
]
