"""What a recipe asks of a data set: prepared images, batches, losses, predictions and scores."""

from __future__ import annotations

import importlib
from typing import Any

from medattn_lite.training.recipes.recipe import Recipe, Settings
from medattn_lite.training.tasks.task import Task


def open_task(recipe: Recipe, settings: Settings, **options: Any) -> Task:
    """The recipe's task, with its images read or made; options as of `Task`."""
    module, name = recipe.task.split(":")
    kind = getattr(importlib.import_module(f"medattn_lite.training.tasks.{module}"), name)
    return kind(recipe, settings, **options)
