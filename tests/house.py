"""The house as a picture in numbers: rooms, the arrows of imports between them, and circles.

    python -m tests.house [FOLDER …]        the package, and inside it each folder that is named, such as data

A room is a folder, or a file that lies beside folders. Imports inside functions count, names that `lazy.attach` looks
up on first use and `import_module` of a written name as well; imports for types alone do not.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "medattn_lite"


def imports(path: Path, package: Path = PACKAGE) -> Iterator[tuple[str, ...]]:
    """Places below the package that a file imports from, whenever it does so; types alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        # With an `else`, Python imports the same names there, on first use (medattn_lite/lazy.py).
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not node.orelse:
            node.body = []
    for node in ast.walk(tree):
        for name in _imported(node):
            parts = name.split(".")
            if parts[0] == package.name and len(parts) > 1:
                yield tuple(parts[1:])


def _imported(node: ast.AST) -> list[str]:
    """Modules, and names of modules, that one statement or call imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
        return [first.value.rstrip(".")] if isinstance(first, ast.Constant) else []
    return []


def arrows(folder: str = "", package: Path = PACKAGE) -> dict[str, set[str]]:
    """Room → rooms that it imports from, directly inside a folder of the package."""
    inside = tuple(folder.split("/")) if folder else ()
    home = package.joinpath(*inside)
    rooms = {path.stem for path in home.iterdir()
             if path.suffix == ".py" and path.stem != "__init__" or (path / "__init__.py").is_file()}  # fmt: skip
    imports_of: dict[str, set[str]] = {room: set() for room in rooms}
    for path in sorted(home.rglob("*.py")):
        room = path.relative_to(home).with_suffix("").parts[0]
        if room not in rooms:
            continue
        for place in imports(path, package):
            other = place[len(inside)] if len(place) > len(inside) and place[: len(inside)] == inside else room
            if other in rooms and other != room:
                imports_of[room].add(other)
    return imports_of


def circles(rooms: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of rooms that import from one another, by a way of any length."""
    reached: dict[str, set[str]] = {}
    for room in rooms:
        seen, waiting = set[str](), [room]
        while waiting:
            for other in rooms[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        reached[room] = seen
    groups = [{other for other in reached[room] if room in reached[other]} for room in rooms if room in reached[room]]
    return [group for number, group in enumerate(groups) if group not in groups[:number]]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    parser.add_argument("--package", type=Path, default=PACKAGE, help="another copy of the package")
    options = parser.parse_args()
    for folder in ["", *options.folders]:
        imports = arrows(folder, options.package)
        round_trips = [" ↔ ".join(sorted(group)) for group in circles(imports)]
        print(f"{folder or 'the package'}: {len(imports)} rooms, {sum(map(len, imports.values()))} arrows, "
              f"{len(round_trips)} circles{': ' if round_trips else ''}{'; '.join(round_trips)}")  # fmt: skip


if __name__ == "__main__":
    main()
