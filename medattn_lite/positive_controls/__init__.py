"""Positive controls, trained: one small network in which the mechanism is exchanged, on each task of `data.controls`.

    run = train_control("sequence", attention="se", seed=0)
    run.accuracy, edited_accuracy(run, "mean"), map_score(run)
"""

from __future__ import annotations

from medattn_lite.positive_controls.maps import MapScore, edited_accuracy, edited_hits, map_score
from medattn_lite.positive_controls.networks import ControlNet, TwoScanNet
from medattn_lite.positive_controls.reading import ReadingNet
from medattn_lite.positive_controls.settings import SCALES, SETTINGS, Settings
from medattn_lite.positive_controls.stand_ins import STAND_INS
from medattn_lite.positive_controls.train import (
    ControlRun,
    build_network,
    object_hits,
    object_labels,
    object_logits,
    train_control,
    without_cue,
)

__all__ = [
    "SCALES",
    "SETTINGS",
    "STAND_INS",
    "ControlNet",
    "ControlRun",
    "MapScore",
    "ReadingNet",
    "Settings",
    "TwoScanNet",
    "build_network",
    "edited_accuracy",
    "edited_hits",
    "map_score",
    "object_hits",
    "object_labels",
    "object_logits",
    "train_control",
    "without_cue",
]
