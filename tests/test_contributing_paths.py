"""CONTRIBUTING answers twelve requests, and every file, module and study that it names is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from medattn_lite.cli_study import STUDIES

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
REQUESTS = ("a mechanism", "a network", "a recipe", "a loader of data", "a class activation map", "a metric",
            "another bootstrap", "a widget", "a notebook", "other colours", "a disease",
            "another language")  # fmt: skip
PLACES = ("", "medattn_lite", "tests", "notebooks", "medattn_lite/data")
SUFFIXES = (".py", ".md", ".json", ".toml", ".lock", ".txt", ".yml")
MADE = (".venv/", "runs/", "recipe.json", "figures/phantom_controls_", "figures/mutants.")  # by commands, not kept
WILD = re.compile(r"NAME|NN|\*|…|<|\bDIR\b")


def paths_in(text: str) -> list[str]:
    """What stands between backticks and looks like a file or a folder, without placeholders."""
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    words = [word for code in quoted if not code.startswith(("python ", "medattn ", "make ")) for word in code.split()]
    looks = [word.strip("(),;:") for word in words if "/" in word or word.endswith(SUFFIXES)]
    return [word for word in looks if re.fullmatch(r"[\w./-]+", word) and not WILD.search(word)]


def is_there(path: str) -> bool:
    """Below the checkout or one of its rooms; a name alone anywhere; `folder/file.function` is a function of a file."""
    if path.startswith(MADE):
        return True
    paths = [ROOT / place / path for place in PLACES]
    if any(one.exists() for one in paths):
        return True
    if "/" not in path:
        return any(True for top in ("medattn_lite", "tests", "notebooks") for _ in (ROOT / top).rglob(path))
    stem, _, name = path.rpartition(".")
    files = [ROOT / place / f"{stem}.py" for place in PLACES]
    return any(file.is_file() and re.search(rf"(def|class) {name}\b", file.read_text("utf-8")) for file in files)


def test_every_file_and_folder_that_contributing_names_is_there() -> None:
    paths = paths_in(TEXT)
    assert len(paths) > 60
    assert [path for path in paths if not is_there(path)] == []


@pytest.mark.parametrize(
    ("path", "there"),
    [("attention/eca.py", True), ("attention/gone.py", False), ("explain/grids/upsampling.to_image_grid", True),
     ("explain/grids/upsampling.gone", False), ("tests/parity", True), ("runs/book", True)],
)  # fmt: skip
def test_a_path_that_is_gone_is_noticed(path: str, there: bool) -> None:
    assert is_there(path) is there


def test_every_program_and_study_that_contributing_names_can_be_run() -> None:
    modules = re.findall(r"python -m ((?:tests|medattn_lite)[\w.]*)", TEXT)
    assert len(modules) >= 5
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    studies = re.findall(r"medattn study ([a-z-]+)", TEXT)
    assert len(studies) >= 5 and set(studies) <= set(STUDIES)


def test_twelve_requests_are_answered_with_files_and_tests() -> None:
    section = TEXT.split("## Twelve changes")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| a") or
            line.startswith("| other")]  # fmt: skip
    assert len(rows) == 12
    for request, row in zip(REQUESTS, rows, strict=True):
        wanted, files, tests = row
        assert wanted.strip().startswith(request)
        if request != "another language":
            assert len(paths_in(files)) >= 2 and re.search(r"`(tests/|python -m tests|medattn )", tests), request


def test_placeholders_of_the_requests_lie_in_folders_that_are_there() -> None:
    folders = re.findall(r"`([\w/]+)/(?:test_)?(?:NAME|NN|nbNN)\w*\.py`", TEXT)
    assert len(folders) >= 8
    assert [folder for folder in folders if not is_there(folder)] == []
