"""How the network of each control is trained: chosen on seeds 100 and above, reported on seeds 0 to 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from medattn_lite.errors import UserError

# scale → factor of the steps
SCALES = MappingProxyType({"smoke": 1, "laptop": 3, "paper": 10})


@dataclass(frozen=True)
class Settings:
    """Numbers of one control; all of its networks share them.

    Attributes:
        steps: of AdamW at scale "smoke", after a warm-up along one cycle of the learning rate.
        batch: images in a step.
        images: drawn for training.
        tested: fresh images to test on.
        learning_rate: at its highest.
        background: weight of the loss on pixels that belong to no candidate.
        features: F, channels of the trunk.
        options: of the control's own mechanism, over those of `REDUCED`.
    """

    steps: int = 200
    batch: int = 16
    images: int = 2048
    tested: int = 100
    learning_rate: float = 5e-3
    background: float = 0.1
    features: int = 16
    options: Mapping[str, Any] = field(default_factory=dict)


SETTINGS: Mapping[str, Settings] = MappingProxyType({
    "sequence": Settings(steps=200),
    "central-vein": Settings(steps=400),
    "zoom": Settings(steps=150),
    "slice-above": Settings(steps=200, batch=8, images=1024),
    "reference": Settings(steps=450),
    "mirror": Settings(steps=200),
    "two-scans": Settings(steps=450, options={"residual": "add", "token_grid": 8}),
    "reading-order": Settings(steps=600, batch=32, background=0.0, features=32),
})  # fmt: skip


def steps_at(scale: str, settings: Settings) -> int:
    """Steps of a control at a scale.

    Raises:
        UserError: an unknown scale.
    """
    if scale not in SCALES:
        raise UserError(f"scale={scale!r}: choose from {', '.join(SCALES)}")
    return settings.steps * SCALES[scale]
