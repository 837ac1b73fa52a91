"""What the machine does not allow, in one line for every command; output that any stream takes; kinds of words."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import re
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path

from medattn_lite.escaping import printable
from medattn_lite.optional import missing

LARGEST_SEED = 2**32 - 1  # that NumPy's generators take
_SAME = {"overwrite": ("force",)}  # argument of a function → option of a command that says it in another word


def outside_fault(error: BaseException) -> str | None:
    """One line for what the machine does not allow: a full disk, no permission, no home; None for a bug of ours."""
    if type(error).__name__ == "SafetensorError" and "os error" in str(error).lower():  # wraps the system's own
        number = re.search(r"os error (\d+)", str(error))
        error = OSError(int(number.group(1)), os.strerror(int(number.group(1)))) if number else OSError(str(error))
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "there is no home folder (HOME is not set): set HOME, or name paths without ~"
    if isinstance(error, ModuleNotFoundError) and missing(error) is not None:
        return missing(error)
    if isinstance(error, MemoryError):
        return "the memory is full: close other programs, or use smaller images or batches"
    if not isinstance(error, OSError) or isinstance(error, urllib.error.URLError):
        return None
    remedies = {errno.ENOSPC: "free some space and run the same command again",
                errno.EDQUOT: "free some of your quota and run the same command again",
                errno.EMFILE: "close other programs, or raise the limit (ulimit -n)",
                errno.EROFS: "choose a folder that can be written to", errno.ENAMETOOLONG: "choose a shorter name"}
    if error.errno is None and error.filename is None:
        return None
    link = Path(error.filename or "")
    if isinstance(error, FileExistsError) and link.is_symlink() and not link.exists():
        return printable(f"{link} is a link to {link.readlink()}, which does not exist: make it, or name another")
    place = "" if error.filename is None else f"{error.filename}: "
    what = (error.strerror or str(error)).rstrip(".")
    return printable(" ".join(f"{place}{what}; {remedies.get(error.errno or 0, 'check the path and its permissions')}"
                              .splitlines()))


def in_options(message: str, options: argparse.Namespace) -> str:
    """A message that names an argument of a Python function, with the option of the command in its place.

    `or pass overwrite=True` becomes `or add --force` where the command has it under that name, and is left out where
    the command never replaces a file; `with layer=` becomes `with --layer`.
    """

    def option(match: re.Match[str]) -> str:
        verb, name = match["verb"], match["name"]
        same = next((candidate for candidate in (name, *_SAME.get(name, ())) if hasattr(options, candidate)), None)
        if same is None:
            return "" if verb == "pass" else match[0]
        return f"{match['before']}{'add' if verb == 'pass' else verb} --{same.replace('_', '-')}"

    argument = r"(?P<before>,? ?(or )?)\b(?P<verb>pass|with) (?P<name>[a-z_]+)=(True)?(?![\w'\"(\[…])"
    return re.sub(argument, option, message)


def take_any_text() -> None:
    """What a stream's encoding lacks is printed as a question mark: output into a file under Windows, LANG=C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors="replace")


def give_up_output() -> None:
    """Sends what is still to be printed nowhere if the standard output takes nothing more, such as a full disk."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def folder(word: str) -> Path:
    """A folder named on the command line; `--root ""`, an unset variable of the shell's, is not the present one."""
    if not word.strip():
        raise argparse.ArgumentTypeError("names no folder: is a variable of your shell not set? Write . for this one")
    return path(word)


def path(word: str) -> Path:
    """A file or folder named on the command line; an empty word is none, and a name cannot hold a zero byte."""
    if not word.strip():
        raise argparse.ArgumentTypeError("names no file or folder: is a variable of your shell not set?")
    if "\0" in word:
        raise argparse.ArgumentTypeError(f"{word!r} is not a name of a file or folder")
    return Path(word)


def minutes(word: str) -> float:
    """A time above 0, at most a year, as the type of an option."""
    if not re.fullmatch(r"\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)\s*", word, re.ASCII) or not 0 < float(word) <= 525_600:
        raise argparse.ArgumentTypeError(f"{word[:40]!r} is not a number of minutes above 0")
    return float(word)


def whole(low: int, high: int) -> Callable[[str], int]:
    """Whole numbers from `low` to `high`, as the type of an option."""

    def number(word: str) -> int:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,30}\s*", word) or not low <= int(word) <= high:
            raise argparse.ArgumentTypeError(f"{word[:40]!r} is not a whole number from {low} to {high}")
        return int(word)

    number.bounds = low, high  # type: ignore[attr-defined]  # tests/hostile reads it
    return number
