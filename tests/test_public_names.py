"""Each room's `__init__` is its public surface: Python and type checkers see it, notebooks and docs use no other."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from medattn_lite.lazy import attach, public_modules

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "medattn_lite"
ROOMS = [".".join(path.parent.relative_to(ROOT).parts) for path in sorted(PACKAGE.rglob("__init__.py"))]
# Commands that are typed, `python -m …`, are no imports.
DOCS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCS += [*sorted((ROOT / "notebooks").rglob("*.md")), *sorted((ROOT / "notebooks" / "source").glob("*.py"))]
IMPORT = re.compile(r"^[ >]*from (medattn_lite[\w.]*) import (\([^)]*\)|[^\n#;]+)", re.MULTILINE)


def public(room: str) -> ModuleType:
    return importlib.import_module(room)


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_there_and_has_a_docstring(room: str) -> None:
    module = public(room)
    names = [name for name in getattr(module, "__all__", ()) if name != "__version__"]
    assert len(names) == len(set(names)), "a name stands twice"
    for name in names:
        value = getattr(module, name)
        if callable(value) and getattr(value, "__module__", "").startswith("medattn_lite"):
            assert (value.__doc__ or "").strip(), f"{room}.{name} says nothing about itself"


@pytest.mark.parametrize("room", ROOMS)
def test_type_checkers_see_the_names_that_python_finds(room: str) -> None:
    """What is looked up on first use is imported for type checkers, and the other way round."""
    module = public(room)
    lazy = public_modules(Path(module.__file__))
    assert set(lazy) <= set(getattr(module, "__all__", ()))
    known = set(vars(module))
    unseen = [name for name in getattr(module, "__all__", ()) if name not in known | set(lazy) | _registered(room)]
    assert unseen == [], f"{room}: no checker sees {', '.join(unseen)}"


def _registered(room: str) -> set[str]:
    if room != "medattn_lite.attention":
        return set()
    from medattn_lite.attention import MECHANISMS

    return {mechanism.class_name for mechanism in MECHANISMS.values()}


def test_a_name_that_is_not_public_is_named_with_its_room(tmp_path: Path) -> None:
    file = tmp_path / "__init__.py"
    file.write_text("if TYPE_CHECKING:\n    from json import dumps, loads\nfrom os import path\n")
    find, names = attach("toy", str(file))
    assert names() == ["dumps", "loads"] and find("dumps")([1]) == "[1]"
    with pytest.raises(AttributeError, match="module 'toy' has no attribute 'path'"):
        find("path")


def imports_of(text: str) -> list[tuple[str, list[str]]]:
    """Module and names of each import from the package in a text, also where code stands in Markdown."""
    return [(module, [part.split(" as ")[0].strip() for part in names.strip("()").split(",") if part.strip()])
            for module, names in IMPORT.findall(text)]  # fmt: skip


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_notebooks_and_docs_import_from_rooms_only(path: Path) -> None:
    wrong = []
    for module, names in imports_of(path.read_text(encoding="utf-8")):
        rooms = {child.removeprefix(f"{module}.") for child in ROOMS if child.startswith(f"{module}.")}
        if module not in ROOMS and module != "medattn_lite.cli":
            wrong.append(f"{module} is a file: import from its room")
        elif module in ROOMS:
            hidden = [name for name in names if name not in {*getattr(public(module), "__all__", ()), *rooms}]
            wrong += [f"{module} does not list {name}" for name in hidden]
    assert wrong == []


def test_the_imports_of_a_text_are_found_in_code_and_in_markdown() -> None:
    text = "from medattn_lite.data import a, b as c\n    from medattn_lite.x.y import (\n    d,\n    e,\n)\n"
    expected = [("medattn_lite.data", ["a", "b"]), ("medattn_lite.x.y", ["d", "e"]), ("medattn_lite", ["f"])]
    assert imports_of(text + "> from medattn_lite import f\n") == expected
    assert imports_of("a doc says: nothing from medattn_lite import x") == []


def test_no_import_of_a_whole_file_stands_in_a_notebook() -> None:
    for path in sorted((ROOT / "notebooks" / "source").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert [name for name in names if name.startswith("medattn_lite.") and name not in ROOMS] == [], path.name
