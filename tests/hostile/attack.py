"""One attack: a command run in this process in a folder of its own, and what came of it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import stat
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from medattn_lite import cli

LONGEST = 20.0  # seconds of this process; what takes longer hangs, and so does what waits for many times as long
WAITS = 12
FAILURES = ("traceback", "hang", "several lines", "no line", "accepted in silence", "wrote although refused",
            "changed a file", "file not named", "remedy does not help", "other results")


class Accepted(BaseException):
    """Raised in place of the work that a command would begin: everything before it has been let through."""


class _Hang(BaseException):
    pass


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        code: its exit code; None where it ended in a traceback or did not end.
        said: what it wrote to the standard error.
        shown: what it wrote to the standard output.
        failure: one of `FAILURES`, or "" where all is well.
        changed: files of the user's that are not as they were.
        made: files that were not there before.
    """

    code: int | None
    said: str
    shown: str
    failure: str
    changed: tuple[str, ...] = ()
    made: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The one line of a command that refuses."""
        return next((line for line in self.said.splitlines() if line.startswith("medattn:")), "")


def attack(
    words: Sequence[str], folder: Path, *, allowed: Callable[[str], bool] = lambda name: False, may_keep: bool = False,
    seconds: float = LONGEST,
) -> Outcome:  # fmt: skip
    """Runs `medattn WORDS` in a folder.

    Args:
        words: the command.
        folder: to run it in; every file below it is the user's.
        allowed: which of its files the command may replace when it succeeds.
        may_keep: a refused command may have written: what it does is not known before it begins.
        seconds: of this process, after which it hangs.
    """
    before = contents(folder)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: int | None = None
    failure = ""
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _limit(seconds):
        try:
            code = cli.main(list(words))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        except Accepted:
            code = 0
        except _Hang:
            failure = "hang"
        except BaseException:
            failure = "traceback"
            traceback.print_exc(file=err)
    errors, shown = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in (err, out))
    after = contents(folder)
    changed = tuple(sorted(name for name in before if after.get(name) != before[name] and not _left_over(name)))
    made = tuple(sorted(name for name in after if name not in before))
    return Outcome(
        code, errors, shown, failure or _judge(code, errors, changed, made, allowed, may_keep), changed, made
    )


def _judge(
    code: int | None, errors: str, changed: Sequence[str], made: Sequence[str], allowed: Callable[[str], bool],
    may_keep: bool,
) -> str:  # fmt: skip
    if "Traceback (most recent call last)" in errors:
        return "traceback"
    lines = [line for line in errors.splitlines() if line.startswith("medattn:")]
    if code == 2:
        if len(lines) != 1:
            return "several lines" if lines else "no line"
        if changed:
            return "changed a file"
        return "wrote although refused" if made and not may_keep else ""
    return "changed a file" if any(not allowed(name) for name in changed) else ""


def _left_over(name: str) -> bool:
    """What a killed training leaves, which the next one takes away."""
    return name.endswith("/.lock") or name.startswith("run/") and name.endswith(".part")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and link below a folder with what is in it; folders and pipes by their kind."""
    files: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        name = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
        if stat.S_ISREG(mode):
            files[name] = path.read_bytes()
        elif stat.S_ISLNK(mode):
            files[name] = b"link to " + os.fsencode(os.readlink(path))
        else:
            files[name] = b"folder" if stat.S_ISDIR(mode) else b"pipe"
    return files


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _Hang

    before = signal.signal(signal.SIGALRM, stop)
    of_process = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds * WAITS)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGPROF, of_process)
