"""The rooms of `medattn_lite.explain` stand in one line: imports go to earlier rooms, through their public names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import medattn_lite

PACKAGE = Path(medattn_lite.__file__).parent
EXPLAIN = PACKAGE / "explain"
# each room, and the earlier ones that it may use
EARLIER = {
    "model": set(),
    "grids": {"model"},
    "attention": {"model", "grids"},
    "methods": {"model", "grids", "attention"},
    "faithfulness": {"model", "grids", "attention", "methods"},
    "user_images": {"model", "grids", "attention", "methods"},
}
ROOT = "medattn_lite.explain"


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports from, at its top or inside a function, for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in names if _is_module(name)]
            yield from modules or [node.module]


def _is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or place.is_dir()


def test_every_file_stands_in_a_room() -> None:
    assert {path.name for path in EXPLAIN.glob("*.py")} == {"__init__.py"}
    assert {path.parent.name for path in EXPLAIN.glob("*/*.py")} == set(EARLIER)


@pytest.mark.parametrize("room", EARLIER)
def test_imports_go_to_earlier_rooms_and_through_their_public_names(room: str) -> None:
    wrong = []
    for path in (EXPLAIN / room).glob("*.py"):
        for name in imports(path):
            parts = name.split(".")[2:] if name == ROOT or name.startswith(f"{ROOT}.") else None
            if parts is None or parts[:1] == [room]:
                continue
            if len(parts) != 1 or parts[0] not in EARLIER[room]:
                wrong.append(f"{room}/{path.name} → {name}")
    assert wrong == []


def test_no_circle_of_files() -> None:
    files = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in EXPLAIN.glob("*/*.py")}
    graph = {name: {other for other in imports(path) if other in files} for name, path in files.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises a CycleError where there is one
    assert len(order) == len(files) and sum(map(len, graph.values())) > len(EARLIER)


def test_the_rest_of_the_package_and_the_notebooks_use_public_names() -> None:
    rooms = {ROOT, *(f"{ROOT}.{room}" for room in EARLIER)}
    others = [path for path in PACKAGE.rglob("*.py") if EXPLAIN not in path.parents]
    deep = [f"{path.name} → {name}" for path in others for name in imports(path)
            if name.startswith(ROOT) and name not in rooms]  # fmt: skip
    notebooks = sorted((PACKAGE.parent / "notebooks" / "source").glob("*.py"))
    deep += [f"{path.name} → {name}" for path in notebooks for name in imports(path)
             if name.startswith(ROOT) and name != ROOT]  # fmt: skip
    assert deep == [] and notebooks and any(ROOT in set(imports(path)) for path in others)
