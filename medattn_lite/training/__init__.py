"""Devices, one loop, predictions."""

from __future__ import annotations

from medattn_lite.training.device import choose, pick_device
from medattn_lite.training.inference import predict_logits, predict_probabilities
from medattn_lite.training.loop import History, fit
from medattn_lite.training.side_by_side import train_side_by_side

__all__ = ["History", "choose", "fit", "pick_device", "predict_logits", "predict_probabilities", "train_side_by_side"]
