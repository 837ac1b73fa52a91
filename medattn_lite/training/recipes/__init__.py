"""The papers' recipes by name; each is read when it is asked for."""

from __future__ import annotations

import importlib

from medattn_lite.errors import UserError
from medattn_lite.training.recipes.recipe import SCALES, Recipe, Settings, Variant, with_changes

__all__ = ["NAMES", "SCALES", "Recipe", "Settings", "Variant", "find_recipe", "with_changes"]

# name → module and constant
_PLACES = {
    "grading": "grading:GRADING",
    "presence": "presence_and_source:PRESENCE",
    "presence-leak": "presence_and_source:PRESENCE_LEAK",
    "presence-cnns": "presence_and_source:PRESENCE_CNNS",
    "source": "presence_and_source:SOURCE",
    "source-leak": "presence_and_source:SOURCE_LEAK",
    "lesions": "lesions:LESIONS",
    "fusion": "fusion:FUSION",
    "survival": "survival:SURVIVAL",
    "mechanisms": "mechanisms:MECHANISMS",
}
NAMES = tuple(_PLACES)


def find_recipe(name: str) -> Recipe:
    """Looks up a recipe by its name.

    Raises:
        UserError: there is none.
    """
    if name not in _PLACES:
        raise UserError(f"unknown recipe {name!r}: use {', '.join(NAMES)} (medattn train --list)")
    module, constant = _PLACES[name].split(":")
    return getattr(importlib.import_module(f"medattn_lite.training.recipes.{module}"), constant)
