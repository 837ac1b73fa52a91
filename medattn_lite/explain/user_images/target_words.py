"""Parses `--target`: the class or region to explain, by its name or number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medattn_lite.errors import UserError
from medattn_lite.explain.model import ClassLogit, RegionSum
from medattn_lite.training.tasks.segmentation import Segmentation


def find_class(word: str | None, names: Sequence[str], usual: int) -> ClassLogit:
    """The class of a name or number; the usual one if nothing is asked.

    Raises:
        UserError: there is no such class.
    """
    index = usual if word is None else _position(word, names, "class")
    return ClassLogit(index, name=names[index])


def find_region(word: str | None, task: Segmentation) -> RegionSum:
    """The region of a name or number; the first if nothing is asked.

    Raises:
        UserError: there is no such region.
    """
    name = task.regions[0 if word is None else _position(word, task.regions, "region")]
    return RegionSum(task.channel_of(name), link=task.link, name=name)


def check_only_target(word: str | None, only: str) -> None:
    """Raises a UserError if something else is asked for than the one thing that there is."""
    if word is not None and word.strip().lower() != only:
        raise UserError(f"there is no {word!r} to explain in this run: it knows a {only} (leave --target out)")


def _position(word: str, names: Sequence[str], what: str) -> int:
    lower = [name.lower() for name in names]
    if word.strip().lower() in lower:
        return lower.index(word.strip().lower())
    if re.fullmatch(r"\s*[0-9]{1,6}\s*", word) and int(word) < len(names):
        return int(word)
    listed = ", ".join(f"{number} {name!r}" for number, name in enumerate(names))
    raise UserError(f"there is no {what} {word!r} in this run: use {listed}")
