"""Rooms with names looked up on first use: the same for Python and for type checkers, and nothing more."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize("room", ["data", "survival"])
def test_type_checkers_see_the_names_that_python_finds(room: str) -> None:
    module = importlib.import_module(f"medattn_lite.{room}")
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == module._LAZY and sorted(module.__all__) == sorted(seen) == dir(module)
    assert all(getattr(module, name) is not None for name in module.__all__)
