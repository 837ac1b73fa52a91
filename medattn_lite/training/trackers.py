"""`medattn train --log tensorboard|wandb`: the curves of `log.csv` while a run goes on, by accelerate's trackers.

    tensorboard --logdir runs/grading-phantom-smoke-0          one line per variant and fold
    wandb sync RUN/VARIANT/fold-0/wandb/offline-run-…          nothing is sent before; WANDB_MODE=online sends at once

A tracker only watches: weights, predictions and `log.csv` are the same with and without one. A run that goes on after a
stop goes on with its curve.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_lite.errors import UserError
from medattn_lite.optional import optional

if TYPE_CHECKING:
    from accelerate import Accelerator

    from medattn_lite.training.recipes import Settings

TRACKERS = {"tensorboard": "tensorboard", "wandb": "wandb"}  # name → module


def find_trackers(names: Sequence[str]) -> list[str]:
    """The trackers of these names, each once.

    Raises:
        UserError: an unknown name, or its package is not installed.
    """
    trackers = list(dict.fromkeys(name.strip().lower() for name in names))
    for name in trackers:
        if name not in TRACKERS:
            raise UserError(f"--log {name}: use {' or '.join(TRACKERS)}")
        optional(TRACKERS[name])
    return trackers


@contextmanager
def tracked(accelerator: Accelerator, folder: Path, settings: Settings, *, done: int) -> Iterator[None]:
    """The trackers that the accelerator was made with, open while one network trains.

    Args:
        accelerator: accelerate's, with `log_with`.
        folder: of the variant's fold; `tensorboard` or `wandb` is made in it.
        settings: of the recipe, for wandb's table of runs.
        done: steps that were done before.
    """
    if not accelerator.log_with:
        yield
        return
    accelerator.project_configuration.logging_dir = str(folder)
    if accelerator.is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
    accelerator.init_trackers("tensorboard" if _only(accelerator, "tensorboard") else "medattn",
                              init_kwargs=_details(folder, settings, done))  # fmt: skip
    try:
        yield
    finally:
        for tracker in accelerator.trackers:  # not `end_training`, which ends the processes too
            tracker.finish()
        accelerator.trackers = []


def values_of(row: Sequence[Any]) -> dict[str, float]:
    """What a row of `log.csv` says, by name; no validation where there was none."""
    _, epoch, loss, rate, score = row
    return {"epoch": epoch, "loss": loss, "learning rate": rate, **({} if score is None else {"validation": score})}


def _only(accelerator: Accelerator, name: str) -> bool:
    return [str(getattr(tracker, "value", tracker)) for tracker in accelerator.log_with] == [name]


def _details(folder: Path, settings: Settings, done: int) -> dict[str, dict[str, Any]]:
    plain = {name: value for name, value in vars(settings).items() if isinstance(value, (int, float, str, bool))}
    return {
        "tensorboard": {"purge_step": done + 1} if done else {},
        "wandb": {
            "mode": os.environ.get("WANDB_MODE", "offline"), "dir": str(folder), "config": plain,
            "name": " ".join(folder.parts[-2:]), "group": folder.parts[-3] if len(folder.parts) > 2 else folder.name,
            "id": hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16], "resume": "allow",
        },
    }  # fmt: skip
