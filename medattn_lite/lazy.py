"""Public names of a room that are looked up on first use, each written down once.

    if TYPE_CHECKING:
        from medattn_lite.networks.registry import build
    else:
        __getattr__, __dir__ = attach(__name__, __file__)

Type checkers and editors read the imports; Python reads the same lines, as text, and imports a module when one of its
names is asked for. So `import medattn_lite.networks` stays fast and nobody keeps two lists alike.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path


def attach(room: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` of a room.

    Args:
        room: the package's `__name__`.
        file: its `__file__`.

    Returns:
        a function that finds a public name, and one that lists them.
    """
    places = public_modules(Path(file))

    def find(name: str) -> object:
        if name in places:
            return getattr(importlib.import_module(places[name]), name)
        raise AttributeError(f"module {room!r} has no attribute {name!r}")

    return find, lambda: sorted(places)


def public_modules(file: Path) -> dict[str, str]:
    """Name → module of each import under `if TYPE_CHECKING:` of a file."""
    places: dict[str, str] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    places |= {alias.name: line.module for alias in line.names}
    return places
