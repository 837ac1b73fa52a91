"""The public names of `medattn_lite.explain` and of its rooms: the same for Python and for type checkers."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import medattn_lite.explain as explain
from medattn_lite.lazy import public_modules
from tests.explain.test_rooms import EARLIER


def imported(nodes: list[ast.stmt]) -> dict[str, str | None]:
    """Name → the module that it is imported from."""
    return {alias.name: node.module for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_every_name_is_that_of_its_room() -> None:
    for name, room in public_modules(Path(explain.__file__)).items():
        assert getattr(explain, name) is getattr(importlib.import_module(room), name)


@pytest.mark.parametrize("room", EARLIER)
def test_a_room_gives_what_its_own_files_define(room: str) -> None:
    module = importlib.import_module(f"medattn_lite.explain.{room}")
    seen = imported(ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body)
    seen.pop("annotations")
    assert sorted(module.__all__) == sorted(seen)
    assert all(place.startswith(f"medattn_lite.explain.{room}.") for place in seen.values())
