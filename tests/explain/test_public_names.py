"""The public names of `medattn_lite.explain`: the same for Python and for type checkers, and nothing more."""

from __future__ import annotations

import ast
from pathlib import Path

import medattn_lite.explain as room


def test_type_checkers_see_the_names_that_python_finds() -> None:
    tree = ast.parse(Path(room.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == room._LAZY and sorted(room.__all__) == sorted(seen) == dir(room)


def test_every_name_is_there() -> None:
    for name in room.__all__:
        assert getattr(room, name) is not None
