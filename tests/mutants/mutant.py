"""What a planted mistake is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One planted mistake.

    Attributes:
        name: short, unique; the key of the record.
        room: part of the package, for the table.
        mistake: what is wrong with it, in words.
        text: what is replaced; stands exactly once in the package's Python files.
        replacement: what is put there.
        tests: file names in `tests`, without folders.
        words: pytest's `-k` expression; "" runs the files whole.
    """

    name: str
    room: str
    mistake: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    words: str = ""


def planted(room: str, name: str, mistake: str, text: str, replacement: str, tests: str, words: str = "") -> Mutant:
    """A mutant whose tests are named in one string."""
    return Mutant(name, room, mistake, text, replacement, tuple(tests.split()), words)
