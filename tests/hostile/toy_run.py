"""A real run of a second: the toy recipe under its own name, so that `medattn train toy` trains it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from medattn_lite.training import recipes
from medattn_lite.training.recipes import find_recipe as find_any
from medattn_lite.training.tasks import find_task as find_any_task
from tests.training.toy import TOY, ToyTask

TRAIN = ("train", "toy", "--device", "cpu", "--quiet", "--save-every", "3", "--out", "run")
FOLDS = 3  # so that each fold has patients of its own to validate


class WatchedToy(ToyTask):
    """The toy task with validation, so that there are best weights and a score in the log."""

    validates = True
    scores_validation = True


@contextlib.contextmanager
def toy_recipe() -> Iterator[None]:
    """While it lasts, there is a recipe `toy`."""
    from dataclasses import replace

    smoke = replace(TOY.scales["smoke"], folds=FOLDS, iterations=12)
    toy = replace(TOY, scales={"smoke": smoke})

    def find(name: str) -> Any:
        return toy if name == "toy" else find_any(name)

    def open_task(recipe: Any, settings: Any, **options: Any) -> WatchedToy:
        return WatchedToy(recipe, settings, **options)

    def find_task(recipe: Any) -> Any:
        return WatchedToy if recipe.name == "toy" else find_any_task(recipe)

    with mock.patch.object(recipes, "find_recipe", find), \
            mock.patch("medattn_lite.training.tasks.find_task", find_task), \
            mock.patch("medattn_lite.training.experiment.find_recipe", find), \
            mock.patch("medattn_lite.training.experiment.open_task", open_task):  # fmt: skip
        yield


def lasting(run: Path) -> dict[str, bytes]:
    """What a run has found, by file, without what depends on the clock."""
    files: dict[str, bytes] = {}
    for path in sorted(run.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name != "environment.json":
            files[str(path.relative_to(run))] = _without_times(path)
    return files


def _without_times(path: Path) -> bytes:
    if path.suffix != ".json":
        return path.read_bytes()
    record = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps(_stripped(record), sort_keys=True).encode()


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stripped(inner) for name, inner in value.items()
                if name not in ("seconds", "training_seconds", "sha256")}  # fmt: skip
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value
