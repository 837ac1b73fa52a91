"""What a recipe asks of a data set: prepared images, batches, losses, predictions and scores."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medattn_lite.lazy import attach
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import Recipe, Settings, settings_from
from medattn_lite.training.tasks.task import Task

if TYPE_CHECKING:
    from medattn_lite.training.tasks.clinical import clinical_table, clinical_values, standardised
    from medattn_lite.training.tasks.features import tumour_features
    from medattn_lite.training.tasks.lesions import Lesions
    from medattn_lite.training.tasks.overlap import dice_by_patient, overlap_differences
    from medattn_lite.training.tasks.volumes import resample_unknown
    from medattn_lite.training.tasks.windows import slide
else:
    __getattr__, _ = attach(__name__, __file__)

__all__ = [
    "Lesions",
    "Task",
    "clinical_table",
    "clinical_values",
    "dice_by_patient",
    "open_task",
    "overlap_differences",
    "recall_task",
    "recall_trained",
    "resample_unknown",
    "slide",
    "standardised",
    "task_kind",
    "tumour_features",
]


def open_task(recipe: Recipe, settings: Settings, **options: Any) -> Task:
    """Opens a recipe's task, with its images read or made; options as of `Task`."""
    return find_task(recipe)(recipe, settings, **options)


def recall_task(recipe: Recipe, settings: Settings, **options: Any) -> Task:
    """Rebuilds the task of a trained run without its images; options as of `Task.from_record`."""
    return find_task(recipe).from_record(recipe, settings, **options)


def recall_trained(facts: Mapping[str, Any]) -> Task:
    """Rebuilds the task of a network that ships, without images.

    Args:
        facts: of `trained_facts`; its settings have the variant's own changes.
    """
    return recall_task(find_recipe(facts["recipe"]), settings_from(facts["settings"]), data=facts["data"],
                       facts=facts.get("outputs"), seed=facts["seed"])  # fmt: skip


def task_kind(facts: Mapping[str, Any]) -> type[Task]:
    """Looks up the class of a shipped network's task, which says its `unit` and what it `asks`."""
    return find_task(find_recipe(facts["recipe"]))


def find_task(recipe: Recipe) -> type[Task]:
    """The class of a recipe's task."""
    module, name = recipe.task.split(":")
    return getattr(importlib.import_module(f"medattn_lite.training.tasks.{module}"), name)
