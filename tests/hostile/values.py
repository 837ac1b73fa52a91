"""Bad values for a word of the command line, by what its option takes: whole number, path, word, or NAME=VALUE."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NUMBERS = ("abc", "", " ", "1.5", "nan", "inf", "1e3", "-1", "²", "٣", "0x10", "1_000", "9" * 40, "None", "true",
           "\x1b[2J", "1 2", "1,2", "--", "=", "−1", "1" + "0" * 5000)  # fmt: skip
PATHS = ("", " ", "a\0b", "nowhere/deeper/x", "x" * 300, "\udcff\udcfe", "a\x1b[2Jb", "mine.txt", "pipe", "dangling",
         "mine.txt/x", "~nobody-of-that-name/x", "folder", "/dev/full")  # fmt: skip
WORDS = ("nonsense", "²", "²,16,16", "", " ", "\x1b[2J", "a" * 5000, "\udcff", "脳 é", "nan", "-1", "../..", "a,b,,c",
         "=", "<script>", "'; echo", "a\0b", "None")  # fmt: skip
PAIRS = ("", "=", "=1", "a", "9=1", "a b=1", "no_such_name=1", "__class__=1", "a=b=c", "é=1", "\x1b[2J=1", "\udcff=1")
SETTINGS = ("abc", "", "nan", "inf", "-1", "0", "1.5", "1e300", "None", "true", "[]", "{}", "(", "(1, 'a')", "1,a",
            "9" * 40, "2,2,2", "__import__('os')", "1:4", "\x1b[2J", "\udcff")  # fmt: skip
ALWAYS_WRONG = {"a\0b", "\udcff", "\x1b[2J", "a" * 5000, "nonsense"}  # in a word that names one of a few things


@dataclass(frozen=True)
class Bad:
    """One bad value.

    Attributes:
        text: as on the command line.
        wrong: it must be refused; others may have a meaning.
    """

    text: str
    wrong: bool


def numbers(low: int, high: int, *, whole: bool = True) -> Iterator[Bad]:
    """For an option that takes numbers from `low` to `high`, whole ones or any."""
    fits = () if whole else ("1.5",)
    yield from (Bad(text, text not in fits) for text in (*NUMBERS, str(low - 1), str(high + 1)))


def paths() -> Iterator[Bad]:
    """For an option that takes a file or folder; they lie in the folder of `write_traps`."""
    yield from (Bad(text, text in ("", " ", "a\0b")) for text in PATHS)


def words(*, free: bool) -> Iterator[Bad]:
    """For an option that takes a word; free words may be anything."""
    yield from (Bad(text, not free and text in ALWAYS_WRONG) for text in WORDS)


def pairs() -> Iterator[Bad]:
    """For an option that takes NAME=VALUE: words that are none, or name nothing."""
    yield from (Bad(text, True) for text in PAIRS)


def settings(name: str, default: Any, *, may_be_none: bool = False) -> Iterator[Bad]:
    """Values of one setting that has the value `default` now; those of another kind must be refused."""
    for text in SETTINGS:
        fits = (text == "None" and may_be_none) or (name == "spacing_mm" and text == "2,2,2")  # one number per axis
        yield Bad(f"{name}={text}", _is_wrong(text, default) and not fits)


def may_fit(text: str, default: Any) -> bool:
    """Whether a text may stand for a value like the one that is there: of its kind, or too odd to be sure."""
    return not _is_wrong(text, default)


def _is_wrong(text: str, default: Any) -> bool:
    whole, number = {"0", "-1"}, {"0", "-1", "1.5"}
    if default is None or isinstance(default, str):
        return False
    if isinstance(default, bool):
        return text not in ("true",)
    if isinstance(default, int):
        return text not in whole | {"9" * 40} or text == "-1"
    if isinstance(default, float):
        return text not in number and text not in ("9" * 40,)
    return text not in whole | {"", "[]", "9" * 40, "1.5", "2,2,2"}


def write_traps(folder: Path) -> None:
    """What the paths of `PATHS` name: a file and a folder of the user's, a pipe, a link to nowhere."""
    (folder / "mine.txt").write_text("mine\n", encoding="utf-8")
    (folder / "folder").mkdir()
    (folder / "folder" / "notes.txt").write_text("mine, too\n", encoding="utf-8")
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
