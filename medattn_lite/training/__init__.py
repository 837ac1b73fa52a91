"""Devices, one loop, predictions. Each name is imported when it is asked for: reading a record needs no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medattn_lite.training.device import choose, pick_device
    from medattn_lite.training.inference import predict_logits, predict_probabilities
    from medattn_lite.training.loop import History, fit
    from medattn_lite.training.side_by_side import train_side_by_side

__all__ = ["History", "choose", "fit", "pick_device", "predict_logits", "predict_probabilities", "train_side_by_side"]

_PLACES = {
    "History": "loop", "choose": "device", "fit": "loop", "pick_device": "device", "predict_logits": "inference",
    "predict_probabilities": "inference", "train_side_by_side": "side_by_side",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
