"""Part 2: every file of a real run damaged in every way; each command that reads it names it, and its remedy helps."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.attack import Outcome, attack
from tests.hostile.commands import write_inputs
from tests.hostile.toy_run import TRAIN, lasting, toy_recipe
from tests.hostile.words import work_stopped

RESULTS = ("results", "run", "--keep", "kept", "--out", "results.md")


def _empty(data: bytes) -> bytes:
    return b""


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _cut(data: bytes) -> bytes:
    return data[:-3]


def _bit(data: bytes) -> bytes:
    place = len(data) * 2 // 3
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def _noise(data: bytes) -> bytes:
    return random.Random(0).randbytes(len(data))


def _numbers_gone(data: bytes) -> bytes:
    return re.sub(rb"(: |,)-?[0-9]+\.[0-9]+", rb"\1null", data)


def _words_for_numbers(data: bytes) -> bytes:
    return re.sub(rb"(: |,)-?[0-9]+\.[0-9]+", rb'\1"x"', data)


KINDS: dict[str, Callable[[bytes], bytes]] = {
    "empty": _empty, "half": _half, "its last bytes gone": _cut, "one bit": _bit, "noise": _noise,
    "a list": lambda data: b"[]", "an object": lambda data: b"{}", "a word": lambda data: b'"x"',
    "deep": lambda data: b"[" * 100_000, "not UTF-8": lambda data: b"\xff\xfe" + data,
    "numbers gone": _numbers_gone, "words for numbers": _words_for_numbers, "twice": lambda data: data + data,
    "null": lambda data: b"null", "zeros": lambda data: bytes(len(data)),
}  # fmt: skip
NUMBERS = ("numbers gone", "words for numbers")  # of KINDS: numbers written in text are changed, and nothing else
PLACES = ("pipe", "folder", "link to nowhere", "missing")  # in the place of a file
GRADING = ("train", "grading", "--variants", "P3D", "--first-folds", "1", "--device", "cpu", "--quiet", "--out", "run")
EXPLAIN = ("explain", "run", "--image", "image.nii.gz", "--channels", "t1,t1ce,t2,flair", "--out", "map.nii.gz", "--at",
           "0,0,0", "--device", "cpu")  # fmt: skip
COMMANDS = {"train": TRAIN, "results": RESULTS, "explain": EXPLAIN}
READ_BY = {"finished": ("train", "results"), "stopped": ("train",), "graded": ("explain",)}


_EXPLAINED = ("recipe.json", "metrics.json", "best.safetensors")


@dataclass(frozen=True)
class Damage:
    """One file of a run, damaged in one way, and the command that meets it."""

    file: str
    kind: str
    command: str


def make_runs(folder: Path, *, graded: bool = False) -> None:
    """A finished run and one that was stopped in its second fold, made by the command itself.

    Args:
        folder: where to.
        graded: make a run of grading, too, whose network can be explained.
    """
    from tests.hostile.kills import killed_at

    if graded:
        assert attack(GRADING, folder, seconds=300).code == 0
        os.rename(folder / "run", folder / "graded")

    with toy_recipe():
        assert attack(TRAIN, folder).code == 0
        os.rename(folder / "run", folder / "finished")
        killed_at(folder, TRAIN, replace=18, before=True)
        os.rename(folder / "run", folder / "stopped")


def every_damage(folder: Path) -> Iterator[Damage]:
    """All damages of the finished run, and of what the stopped one goes on from."""
    for run in READ_BY:
        for path in sorted((folder / run).rglob("*")):
            name = str(path.relative_to(folder))
            going_on = path.name in ("state.safetensors", "log.csv", "best.safetensors") and \
                (path.parent / "state.safetensors").exists()  # fmt: skip
            first = run == "finished" and (path.parent == folder / run or "/A/fold-0/" in name)
            read = first or run == "stopped" and going_on or run == "graded" and path.name in _EXPLAINED
            if path.is_file() and not path.name.startswith(".") and read:
                for kind in (*KINDS, *PLACES, "of another fold"):
                    yield from (Damage(name, kind, command) for command in READ_BY[run])


def try_damage(damage: Damage, runs: Path, whole: dict[str, bytes]) -> Outcome | None:
    """One damage of a copy; None where the file has nothing that could be damaged so.

    Args:
        damage: which.
        runs: folder of `make_runs`.
        whole: `lasting` of the finished run.
    """
    with tempfile.TemporaryDirectory(prefix="hostile-") as name, toy_recipe(), work_stopped_for(damage.command):
        folder = Path(name).resolve()
        if damage.command == "explain":
            write_inputs(folder)
        run, _, rest = damage.file.partition("/")
        shutil.copytree(runs / run, folder / "run")
        path = folder / "run" / rest
        if not _damage(path, damage.kind):
            return None
        outcome = attack(COMMANDS[damage.command], folder, allowed=lambda name: True)
        return _judged(outcome, damage, folder, path, whole)


def work_stopped_for(command: str) -> contextlib.AbstractContextManager[None]:
    """An explanation ends where it has opened the run and read the image; training and results are done."""
    return work_stopped() if command == "explain" else contextlib.nullcontext()


def _damage(path: Path, kind: str) -> bool:
    before = path.read_bytes()
    if kind in KINDS:
        after = KINDS[kind](before)
        path.write_bytes(after)
        return after != before
    if kind == "of another fold":
        other = path.parent.parent / "fold-1" / path.name
        if not other.is_file() or other.read_bytes() == before:
            return False
        shutil.copy(other, path)
        return True
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to nowhere":
        path.symlink_to("nowhere")
    return True


def _judged(outcome: Outcome, damage: Damage, folder: Path, path: Path, whole: dict[str, bytes]) -> Outcome:
    if outcome.failure:
        return outcome
    if outcome.code == 2:
        if path.name not in outcome.line and f"no {path.name}" not in outcome.line and "run" not in outcome.line:
            return _failed(outcome, "file not named")
        return outcome if damage.command != "train" else _after_remedy(outcome, folder, whole)
    if damage.command == "train" and lasting_after(folder, path) != {**whole, **lasting_after(folder, path, only=True)}:
        return _failed(outcome, "other results")
    return outcome


def lasting_after(folder: Path, path: Path, *, only: bool = False) -> dict[str, bytes]:
    """What the run has found now; or the damaged file alone, which a run that is done need not read again."""
    name = str(path.relative_to(folder / "run"))
    unread = name.endswith(".safetensors") or name.endswith("log.csv")
    if only:
        return {name: path.read_bytes() if path.is_file() else b""} if unread else {}
    files = {file: data for file, data in _readable(folder / "run").items() if file != name or not unread}
    return {**files, **lasting_after(folder, path, only=True)}


def _readable(run: Path) -> dict[str, bytes]:
    try:
        return lasting(run)
    except ValueError:
        return {}


def _after_remedy(outcome: Outcome, folder: Path, whole: dict[str, bytes]) -> Outcome:
    """Does what the line says (delete a folder or a file), and runs the same command again."""
    run = folder / "run"
    match = re.search(r"delete (\S+(?: \S+)*?) and run", outcome.line)
    if match:
        named = folder / match.group(1)
        shutil.rmtree(named) if named.is_dir() and not named.is_symlink() else named.unlink(missing_ok=True)
    elif "choose another" in outcome.line:
        os.rename(run, folder / "elsewhere")
    else:
        return _failed(outcome, "remedy does not help")
    again = attack(TRAIN, folder, allowed=lambda name: True)
    return outcome if again.code == 0 and lasting(run) == whole else _failed(again, "remedy does not help")


def _failed(outcome: Outcome, failure: str) -> Outcome:
    return Outcome(outcome.code, outcome.said, outcome.shown, failure, outcome.changed, outcome.made)
