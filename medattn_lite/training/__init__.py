"""Devices, one loop, predictions, losses; recipes and tasks are rooms of their own.

`training.recipes` and `training.tasks` each list their public names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medattn_lite.lazy import attach

if TYPE_CHECKING:
    from medattn_lite.training.device import choose, pick_device
    from medattn_lite.training.inference import predict_logits, predict_probabilities
    from medattn_lite.training.loop import History, fit
    from medattn_lite.training.losses import LesionCrossEntropy, RegionDiceLoss
    from medattn_lite.training.side_by_side import train_side_by_side
else:
    __getattr__, __dir__ = attach(__name__, __file__)

__all__ = [
    "History",
    "LesionCrossEntropy",
    "RegionDiceLoss",
    "choose",
    "fit",
    "pick_device",
    "predict_logits",
    "predict_probabilities",
    "train_side_by_side",
]
