"""Part 3: a training killed at a random moment, or before and after each of its files, goes on and ends the same.

A child of this process trains; SIGKILL ends it, as the out-of-memory killer or a power cut would. Then the same command
is given again until it ends. What it leaves must be what a run without a kill leaves, bit for bit.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from medattn_lite import cli
from tests.hostile.toy_run import lasting, toy_recipe


def child(folder: Path, words: Sequence[str], *, replace: int | None = None, before: bool = True,
          file_limit: int | None = None) -> int:  # fmt: skip
    """Starts a command in a child process; returns its number.

    Args:
        folder: to run it in.
        words: the command.
        replace: kills itself at its n-th file that is moved to its place, counted from 1.
        before: it dies just before that move; else just after it.
        file_limit: bytes beyond which no file can grow, as on a full disk.
    """
    number = os.fork()
    if number:
        return number
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.chdir(folder)
        if replace is not None:
            _die_at(replace, before=before)
        if file_limit is not None:
            import resource  # of POSIX alone: Windows collects this file too

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        with toy_recipe():
            os._exit(cli.main(list(words)))
    except BaseException as error:
        os._exit(3 if not isinstance(error, SystemExit) else 2)


def _die_at(count: int, *, before: bool) -> None:
    move, seen = os.replace, 0

    def counted(source: object, target: object) -> None:
        nonlocal seen
        seen += 1
        if seen == count and before:
            os.kill(os.getpid(), signal.SIGKILL)
        move(source, target)  # type: ignore[arg-type]
        if seen == count:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = counted  # type: ignore[assignment]


def ended(number: int) -> int:
    """The exit code of a child; minus the signal that ended it."""
    _, status = os.waitpid(number, 0)
    return os.waitstatus_to_exitcode(status)


def killed_at(folder: Path, words: Sequence[str], *, replace: int, before: bool) -> bool:
    """Runs a command that dies at its n-th file; whether it got so far."""
    return ended(child(folder, words, replace=replace, before=before)) == -signal.SIGKILL


def killed_after(folder: Path, words: Sequence[str], seconds: float) -> bool:
    """Runs a command and kills it after some time; whether it was still running."""
    number = child(folder, words)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return False
        time.sleep(0.002)
    os.kill(number, signal.SIGKILL)
    return ended(number) == -signal.SIGKILL


def same_after_kills(folder: Path, words: Sequence[str], whole: dict[str, bytes], kills: Sequence[float]) -> int | None:
    """A run that is killed after each of some times and gone on with; it may end before the last of them.

    Returns:
        How many kills met a running process; None where the run did not end as it would have without them.
    """
    shutil.rmtree(folder / "run", ignore_errors=True)
    met = 0
    for seconds in kills:
        if not killed_after(folder, words, seconds):
            break
        met += 1
    return met if ended(child(folder, words)) == 0 and lasting(folder / "run") == whole else None


def same_after_death_at(folder: Path, words: Sequence[str], whole: dict[str, bytes], replace: int, *,
                        before: bool) -> bool | None:  # fmt: skip
    """A run that dies at its n-th file and is gone on with; None where it has no so many files."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    if not killed_at(folder, words, replace=replace, before=before):
        return None
    return ended(child(folder, words)) == 0 and lasting(folder / "run") == whole


def same_after_full_disk(folder: Path, words: Sequence[str], whole: dict[str, bytes], limit: int) -> bool | None:
    """A run that finds no room for a file, ends with exit code 2, and is gone on with where there is room.

    None where there was room enough.
    """
    shutil.rmtree(folder / "run", ignore_errors=True)
    code = ended(child(folder, words, file_limit=limit))
    if code == 0:
        return None
    parts = list((folder / "run").rglob("*.part"))
    return code == 2 and not parts and ended(child(folder, words)) == 0 and lasting(folder / "run") == whole


def same_for_two(folder: Path, words: Sequence[str], whole: dict[str, bytes]) -> bool:
    """Two processes at once in one folder: one ends the run, the other ends it too or is refused."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    codes = sorted(map(ended, [child(folder, words), child(folder, words)]))
    return codes in ([0, 0], [0, 2]) and lasting(folder / "run") == whole


def moments(seed: int, longest: float, count: int) -> list[float]:
    """Random times, each of another length of run."""
    rng = random.Random(seed)
    return [rng.uniform(0, longest) for _ in range(count)]
