"""What a recipe asks of a data set: prepared images, batches, losses, predictions and scores."""

from __future__ import annotations

import importlib
from typing import Any

from medattn_lite.training.recipes.recipe import Recipe, Settings
from medattn_lite.training.tasks.task import Task


def open_task(recipe: Recipe, settings: Settings, **options: Any) -> Task:
    """The recipe's task, with its images read or made; options as of `Task`."""
    return find_task(recipe)(recipe, settings, **options)


def recall_task(recipe: Recipe, settings: Settings, **options: Any) -> Task:
    """The task of a run that was trained, without its images; options as of `Task.recalled`."""
    return find_task(recipe).recalled(recipe, settings, **options)


def find_task(recipe: Recipe) -> type[Task]:
    """The class of a recipe's task."""
    module, name = recipe.task.split(":")
    return getattr(importlib.import_module(f"medattn_lite.training.tasks.{module}"), name)
