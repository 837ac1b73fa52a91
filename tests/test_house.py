"""The house stands: imports go down or stay, files stay short, and the front door opens fast."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.house import arrows, circles, imports

PACKAGE = Path(__file__).resolve().parents[1] / "medattn_lite"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {
    "attention": 1,
    "escaping": 1,
    "lazy": 1,
    "optional": 1,
    "data": 1,
    "evaluation": 1,
    "survival": 1,
    "coverage": 2,
    "plots": 1,
    "audit": 2,
    "networks": 2,
    "training": 3,
    "explain": 4,
    "positive_controls": 5,
    "mechanism_comparison": 5,
    "widgets": 5,
    "course": 6,
    "cli": 7,
    "cli_audit": 7,
    "cli_compare": 7,
    "cli_controls": 7,
    "cli_explain": 7,
    "cli_explore": 7,
    "cli_export": 7,
    "cli_faults": 7,
    "cli_gpu": 7,
    "cli_import": 7,
    "cli_results": 7,
    "cli_map_facts": 7,
    "cli_paper": 7,
    "cli_phantom": 7,
    "cli_start": 7,
    "cli_study": 7,
    "cli_train": 7,
    "cli_values": 7,
}
LONGEST_FILE = 320
LONGEST_FORWARD = 20


def room(path: Path) -> str:
    """The first part of a file's place in the package."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a file imports from, whenever it does so; types alone do not count."""
    return {place[0] for place in imports(path)}


def test_imports_go_to_the_same_floor_or_a_lower_one() -> None:
    upward = []
    for path in FILES:
        here = FLOORS.get(room(path))
        if here is None:
            continue
        allowed = {name for name, floor in FLOORS.items() if floor <= here} | {"errors", "__version__"}
        if room(path) == "attention":
            allowed = {"attention"}
        upward += [f"{path.relative_to(PACKAGE)} → {name}" for name in imported_rooms(path) - allowed]
    assert upward == []


def test_a_file_stays_short_and_says_what_it_is_for() -> None:
    texts = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in FILES}
    assert [name for name, text in texts.items() if len(text.splitlines()) > LONGEST_FILE] == []
    assert [name for name, text in texts.items() if not ast.get_docstring(ast.parse(text))] == []


def test_a_forward_has_at_most_twenty_lines() -> None:
    too_long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "forward":
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                if lines > LONGEST_FORWARD:
                    too_long.append(f"{path.name}:{node.lineno} {lines} lines")
    assert too_long == []


@pytest.mark.parametrize("module", ["medattn_lite", "medattn_lite.attention", "medattn_lite.data", "medattn_lite.audit",
                                    "medattn_lite.cli"])
def test_the_front_door_does_not_import_what_is_slow(module: str) -> None:
    slow = ["monai", "captum", "sksurv", "nilearn", "matplotlib", "pandas", "sklearn"]
    code = f"import sys, {module}; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_readers_and_splits_open_without_the_slow_libraries() -> None:
    names = "open_dataset, SliceSet, load_volume, train_valid_test, normalise, check_dataset, fetch"
    slow = ["monai", "nilearn", "matplotlib", "pandas", "sklearn", "scipy"]
    code = f"from medattn_lite.data import {names}; import sys; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_package_adds_little_to_the_start_of_torch() -> None:
    code = "import time, torch; start = time.perf_counter(); import medattn_lite; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    # the promise is 0.3 s on a quiet machine; five times that is not a busy machine but a heavy import
    assert float(done.stdout) < 1.5, done.stdout + done.stderr


def test_the_type_checker_leaves_no_room_out_and_what_it_is_told_to_ignore_has_a_reason() -> None:
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert settings["files"] == ["medattn_lite"] and settings["warn_unused_ignores"]
    assert not {"overrides", "exclude", "ignore_errors"} & set(settings)
    ignored = [f"{path.name}: {line.strip()}" for path in FILES for line in path.read_text("utf-8").splitlines()
               if "# type: ignore" in line]  # fmt: skip
    assert len(ignored) > 5
    assert [line for line in ignored if not re.search(r"# type: ignore\[[a-z,-]+\]  # \w", line)] == []


def test_attention_needs_nothing_but_torch() -> None:
    foreign = []
    for path in (PACKAGE / "attention").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            tops = {name.split(".")[0] for name in names} - {"torch", "medattn_lite"} - sys.stdlib_module_names
            foreign += [f"{path.name} → {name}" for name in tops]
    assert foreign == []


def test_no_module_takes_the_name_of_what_its_package_gives():
    """A module imported for the first time is written over the package's function of the same name."""
    for package in sorted(path.parent for path in PACKAGE.rglob("__init__.py")):
        name = ".".join(package.relative_to(PACKAGE.parent).parts)
        for path in sorted(package.glob("*.py")):
            importlib.import_module(name if path.stem == "__init__" else f"{name}.{path.stem}")
        room = importlib.import_module(name)
        rooms = {path.name for path in package.iterdir() if path.is_dir()}
        taken = [name for name in getattr(room, "__all__", ()) if isinstance(getattr(room, name), ModuleType)]
        assert not set(taken) - rooms, f"{name}: {taken}"


def test_no_circle_of_imports_goes_through_the_rooms_of_the_package() -> None:
    """Imports inside functions count; the front door, `medattn_lite/__init__.py`, gives the rooms its version alone."""
    among_rooms = arrows()
    assert sum(map(len, among_rooms.values())) > 80, "the arrows are not seen"
    assert circles(among_rooms) == []


def test_every_room_of_the_package_has_a_floor() -> None:
    assert set(arrows()) == {*FLOORS, "errors"}


def test_no_circle_of_imports_goes_through_the_files_of_any_room() -> None:
    rooms = sorted(str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.rglob("*/__init__.py"))
    inside = {room: circles(arrows(room)) for room in rooms}
    assert len(rooms) > 20
    assert {room: found for room, found in inside.items() if found} == {}


def test_a_circle_of_imports_is_found(tmp_path: Path) -> None:
    package = tmp_path / "house"
    texts = {
        "a": "from house.b import x",
        "b": "def f():\n    import house.c",
        "c": "import house.a",
        "d": "from house import a",
        "e": "if TYPE_CHECKING:\n    from house.f import x\nelse:\n    find = attach()",
        "f": "def g(name):\n    return importlib.import_module(f'house.e.{name}')",
        "types": "if TYPE_CHECKING:\n    from house.d import x",
    }
    for room, text in texts.items():
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").write_text(text, encoding="utf-8")
    drawn = arrows(package=package)
    assert drawn == {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}, "types": set()}
    assert sorted(map(sorted, circles(drawn))) == [["a", "b", "c"], ["e", "f"]]
