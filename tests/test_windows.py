"""A learner on Windows: no import of what POSIX alone has, paths and texts that do not depend on the system."""

from __future__ import annotations

import ast
import errno
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from medattn_lite.cli import _parser
from medattn_lite.cli_study import STUDIES
from medattn_lite.errors import UserError
from medattn_lite.training.gpu_check import trainings
from medattn_lite.training.lock import NAME, locked

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCES = sorted((CHECKOUT / "medattn_lite").rglob("*.py"))
POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "crypt", "readline"}
POSIX_NAMES = {  # "Availability: Unix" in the library's reference; those of `signal` too
    "fork", "forkpty", "mkfifo", "mknod", "killpg", "getpgid", "setsid", "getuid", "geteuid", "getgid", "chown", "nice",
    "uname", "getloadavg", "sched_getaffinity", "wait3", "wait4", "pread", "pwrite", "sysconf", "statvfs", "lchown",
    "SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGQUIT", "SIGXFSZ", "alarm", "setitimer",
}  # fmt: skip
GUARDED = {("training/lock.py", "fcntl"), ("training/image_store.py", "pread")}  # where it is there alone
WITHOUT_POSIX = """
import torch, numpy, psutil, matplotlib, jupyter_client, pkgutil, importlib, os, sys  # which ask for it themselves
for name in {modules!r}: sys.modules[name] = None
for name in {names!r}:
    if hasattr(os, name) and name not in ("uname", "getuid", "geteuid", "sysconf", "sched_getaffinity"):
        delattr(os, name)
import medattn_lite
count = 0
for one in pkgutil.walk_packages(medattn_lite.__path__, "medattn_lite."):
    if not one.name.endswith("__main__"): importlib.import_module(one.name); count += 1
from medattn_lite.cli import main
code = main(["phantom", "--out", "phantoms", "--n", "1"])
code += main(["start", "mine", "--no-lab"])
print("imported", count, "ended", code)
"""


def used(path: Path) -> Iterator[str]:
    """Names of POSIX alone that a file imports or takes from a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from {alias.name.split(".")[0] for alias in node.names} & POSIX_MODULES
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module in POSIX_MODULES:
            yield node.module
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
            yield from {node.attr} & POSIX_NAMES


def test_the_package_uses_nothing_that_windows_lacks() -> None:
    uses = {(path.relative_to(CHECKOUT / "medattn_lite").as_posix(), name) for path in SOURCES for name in used(path)}
    assert uses == GUARDED


def test_this_search_finds_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os, signal\ndef f():\n    from fcntl import flock\n    os.fork()\n"
                                   "    os.kill(1, signal.SIGKILL)\n", encoding="utf-8")  # fmt: skip
    assert sorted(used(tmp_path / "a.py")) == ["SIGKILL", "fcntl", "fork"]


def twins() -> dict[str, str]:
    """README's table: target of the Makefile → the commands that stand for it."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `make ([a-z-]+)` \| (.+) \|$", text, re.MULTILINE))


def test_every_target_of_the_makefile_has_a_command_that_needs_no_make() -> None:
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)[1].split()) - {"help"}  # type: ignore[index]
    assert set(twins()) == targets


@pytest.mark.parametrize("target", sorted(twins()))
def test_the_command_without_make_exists(target: str) -> None:
    """Its words are taken: --help in the place of what a study runs on, the parser for the rest."""
    for words in re.findall(r"`medattn ([^`]+)`", twins()[target]):
        parts = words.split()
        if parts[0] == "study":
            assert parts[1] in STUDIES
        else:
            assert _parser().parse_args(parts).run
    for module in re.findall(r"`python -m (\w+)", twins()[target]):
        assert module in {"ruff", "mypy", "pytest"}


def test_no_command_that_is_shown_stands_in_quotes_that_cmd_does_not_know() -> None:
    """`pip install 'medattn-lite[lab]'` is a wrong name under cmd; double quotes are taken by every shell."""
    pages = [path for pattern in ("*.md", "notebooks/*.md", "notebooks/teacher/*.md", "notebooks/source/*.py")
             for path in CHECKOUT.glob(pattern)]  # fmt: skip
    wrong = [path.name for path in [*SOURCES, *pages]
             if re.search(r"pip install (-e )?'", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert wrong == []


def test_no_test_file_needs_posix_before_its_tests_run() -> None:
    """The workflow collects all of them on Windows; one import that fails there ends the whole session."""
    problems = set()
    for path in sorted((CHECKOUT / "tests").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = {a.name.split(".")[0] for a in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            problems |= {(path.name, name) for name in names & POSIX_MODULES}
    assert problems == set()


@pytest.mark.slow
def test_every_module_is_imported_and_commands_run_without_posix(tmp_path: Path) -> None:
    code = WITHOUT_POSIX.format(modules=sorted(POSIX_MODULES - {"posix"}), names=sorted(POSIX_NAMES))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    count, ended = re.search(r"imported (\d+) ended (\d)", done.stdout).groups()  # type: ignore[union-attr]
    assert int(count) > 200 and ended == "0" and any((tmp_path / "phantoms").rglob("*.nii.gz"))
    assert (tmp_path / "mine" / "notebooks" / "00_start_here.ipynb").is_file()


def test_texts_are_read_and_written_as_utf_8_whatever_the_system_prefers() -> None:
    """Windows' own is cp1252: a table or a page with an umlaut would be another one there."""
    places = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                named = {word.arg for word in node.keywords}
                modes = [w.value for w in node.args[:2] if isinstance(w, ast.Constant) and isinstance(w.value, str)]
                opened = name == "open" and any(re.fullmatch("[rwax]t?", mode) for mode in modes)
                texts = name in ("read_text", "write_text") or opened
                texts = texts and "encoding" not in named
                if texts or "text" in named and name in ("run", "Popen", "check_output") and "encoding" not in named:
                    places.append(f"{path.name}:{node.lineno}")
    assert places == []


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> dict[int, bool]:
    """`sys.platform` and `msvcrt` as Windows has them: a lock of the first byte, and no open file removed."""
    held: dict[int, bool] = {}

    def locking(descriptor: int, mode: int, length: int) -> None:
        import os

        assert (mode, length) == (2, 1)
        if held.get(os.fstat(descriptor).st_ino):
            raise PermissionError(errno.EACCES, "Permission denied")
        held[os.fstat(descriptor).st_ino] = True

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(sys, "platform", "win32")
    return held


def test_a_runs_folder_is_locked_on_windows_too_and_the_lock_is_removed(
    tmp_path: Path, windows: dict[int, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    remove, shut, open_now = Path.unlink, os.close, {"one": True}

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if open_now["one"]:
            raise PermissionError(errno.EACCES, "the file is used by another process")
        remove(path, missing_ok)

    def close(descriptor: int) -> None:
        open_now["one"] = False
        shut(descriptor)

    with locked(tmp_path):
        with pytest.raises(UserError, match="another process is at work"), locked(tmp_path):
            pass
        assert (tmp_path / NAME).exists()
        monkeypatch.setattr(Path, "unlink", unlink)
        monkeypatch.setattr(os, "close", close)
    assert not (tmp_path / NAME).exists() and windows


def test_a_training_is_stopped_on_windows_where_no_interrupt_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        ended = False

        def send_signal(self, number: int) -> None:
            raise ValueError(f"Unsupported signal: {number}")  # as subprocess says there

        def terminate(self) -> None:
            self.ended = True

    process = Process()
    with pytest.raises(ValueError, match="Unsupported"):
        trainings._interrupt(process)  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "platform", "win32")
    trainings._interrupt(process)  # type: ignore[arg-type]
    assert process.ended
