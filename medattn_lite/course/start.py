"""Starts the course anywhere: copies notebooks and figures into a folder of the learner's, then opens JupyterLab.

A learner's work is never overwritten. Beside the copies, `.medattn.json` keeps the hash of each file as it was copied:
a file that still has it is renewed when the package brings a newer one; a file that was changed stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from medattn_lite.course.course_folders import course_home, existing_course
from medattn_lite.data.files import replaced
from medattn_lite.data.json_files import write_json
from medattn_lite.errors import UserError

RECORD = ".medattn.json"
PARTS = ("notebooks", "figures")
LEFT_OUT = ("source", "teacher", "results")  # folders that a learner has no use for
KINDS = (".ipynb", ".md", ".html", ".png")
_LINK = re.compile(r"(?<!!)\[(?P<words>[^\[\]\n]*)\]\((?P<target>[\w./-]+\.(?:md|json|cff|py))(?:#[\w-]*)?\)")


@dataclass
class Copied:
    """What happened to the files of the course.

    Attributes:
        new: copied for the first time.
        renewed: replaced by a newer version; the learner had not changed them.
        kept: the learner's own, left alone although the package has another version.
        same: as they were.
    """

    new: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """In words, one line for each kind that occurs."""
        words = []
        if self.new:
            words.append(f"{len(self.new)} files copied")
        if self.renewed:
            words.append(f"{len(self.renewed)} files renewed, which you had not changed")
        if self.kept:
            words.append(f"left as you changed them, although this version has others: {', '.join(self.kept)}")
        return words or ["everything is there already"]


def own_notebooks(folder: Path = Path()) -> Path:
    """The notebooks that a command run in a folder means: the learner's copies there, else the course's own.

    Args:
        folder: where the command runs; a copy of the course bears its record.
    """
    copies = folder / "notebooks"
    return copies if (folder / RECORD).is_file() and copies.is_dir() else course_home() / "notebooks"


def copy_course(target: Path, *, home: Path | None = None) -> Copied:
    """Copies the course into a folder; may be called again.

    Args:
        target: the learner's folder; made where it is missing.
        home: where the course comes from; the package's own by default.

    Raises:
        UserError: `target` is a file, lies inside the course itself, or cannot be written.
    """
    home = existing_course() if home is None else home
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file: name a folder for your copy of the course")
    if target.resolve() == home.resolve():
        raise UserError(f"{target} is the course itself: name another folder for your copy")
    try:
        target.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target / RECORD) and not (target / RECORD).is_file():
            raise UserError(f"{target / RECORD} is not the file in which the copies are noted: choose another folder")
        before = _read_record(target / RECORD)
        done, after = Copied(), dict(before)
        names = {path: path.relative_to(home).as_posix() for path in _files(home)}
        for path, name in names.items():
            content = _without_dead_links(path.read_bytes(), name, set(names.values()))
            _copy(target / name, content, before.get(name), name, done)
            if name not in done.kept:
                after[name] = _hash(content)
        write_json(target / RECORD, dict(sorted(after.items())))
    except OSError as error:
        raise UserError(f"cannot write {error.filename or target}: {error.strerror}; choose another folder") from error
    return done


def _copy(to: Path, content: bytes, copied: str | None, name: str, done: Copied) -> None:
    if not os.path.lexists(to):
        _write(to, content)
        done.new.append(name)
        return
    if not to.is_file():  # a folder, a pipe, a link to nowhere: the learner's
        done.kept.append(name)
        return
    now = _hash(to.read_bytes())
    if now == _hash(content):
        done.same.append(name)
    elif now == copied:
        _write(to, content)
        done.renewed.append(name)
    elif copied == _hash(content):
        done.same.append(name)  # the learner's work on the present version
    else:
        done.kept.append(name)


def _without_dead_links(content: bytes, name: str, there: set[str]) -> bytes:
    """A page or notebook whose links to files that stay behind, such as the repository's README, are plain words."""
    if not name.endswith((".md", ".ipynb")):
        return content

    def kept(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), match["target"]))
        return match[0] if target in there else match["words"]

    return _LINK.sub(kept, content.decode("utf-8")).encode("utf-8")


def _write(to: Path, content: bytes) -> None:
    """Whole or not at all: half a file would count as one that the learner has changed."""
    with replaced(to.resolve()) as part:
        part.write_bytes(content)


def _files(home: Path) -> list[Path]:
    files = [path for part in PARTS for path in sorted((home / part).rglob("*")) if path.suffix in KINDS]
    return [path for path in files if path.is_file() and not set(path.relative_to(home).parts) & set(LEFT_OUT)]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_record(path: Path) -> dict[str, str]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # without it every file that differs counts as the learner's
    return {str(name): str(value) for name, value in record.items()} if isinstance(record, dict) else {}


def open_lab(folder: Path) -> int:
    """JupyterLab at the first notebook of a copied course; ends when the learner ends it.

    Raises:
        UserError: JupyterLab is not installed.
    """
    import importlib.util

    first = next(iter(sorted((folder / "notebooks").glob("*.ipynb"))), folder)
    if importlib.util.find_spec("jupyterlab") is None:
        raise UserError(f"JupyterLab is not installed: pip install jupyterlab, or open {first} in your own Jupyter")
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(first), f"--ServerApp.root_dir={folder.resolve()}"])
