"""What was tried and what failed, kept as it goes on, and as a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.hostile.attack import FAILURES, Outcome

PAGE = """# Reliability

Made by `medattn study reliability`; do not edit by hand. {tried:,} tries, {failed} failed: {tracebacks} tracebacks,
{silent} silent changes, {lost} bytes of the user's lost.

A command that is given something wrong must end with exit code 2, one line on the standard error that begins with
`medattn:`, and no file made or changed. What is let through ends where the work would begin.
"""
TITLES = {
    "words": """## Bad words

Every option of every command, taken from the parser itself, with bad numbers, paths, words and pairs, and every setting
of every recipe, option of every data set and option of every method with values of another kind.
""",
    "damage": """## Damaged files

Every file of a run damaged in {kinds} ways (cut, emptied, one bit turned over, other JSON, a pipe or a folder in its
place, the file of another fold, …) and met by the command that reads it. The line must name the file, and what it
says to do is done: the same training must then end as if nothing had happened. Where the command goes on (weights of
a fold that is done are not read again), the results must be the same.
""",
    "kills": """## Kills, full disks, two processes

A training killed (SIGKILL) at a random moment, or just before or after it moves a file to its place; one that finds no
room for a file; two at once in one folder. Each is gone on with by the same command, and must leave, bit for bit, what
a training leaves that nothing happened to.
""",
}


@dataclass(frozen=True)
class Tried:
    """One try.

    Attributes:
        group: row of the table.
        code: exit code.
        failure: one of `FAILURES`, or "".
        lost: bytes of the user's.
        said: the end of what it said.
        count: how many tries it stands for.
    """

    group: str
    code: int | None
    failure: str
    lost: int
    said: str
    count: int = 1


class Tries:
    """What was tried, kept in a file line by line.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.done: dict[str, Tried] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            key, tried = json.loads(line)
            self.done[key] = Tried(**tried)

    def add(self, key: str, tried: Tried) -> None:
        """Keeps one try."""
        self.done[key] = tried
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([key, asdict(tried)]) + "\n")

    @property
    def is_whole(self) -> bool:
        """Whether the part came to its end."""
        return self.path.with_suffix(".whole").exists()

    @is_whole.setter
    def is_whole(self, value: bool) -> None:
        if value:
            self.path.with_suffix(".whole").touch()


def shown(words: Sequence[str]) -> str:
    """A command as a key: long words cut, what is not UTF-8 escaped."""
    cut = (word if len(word) <= 60 else f"{word[:20]}… ({len(word)})" for word in words)
    return " ".join(repr(word) for word in cut).encode("utf-8", "backslashreplace").decode()


def lost(outcome: Outcome) -> int:
    """Files of the user's that are not as they were."""
    return len(outcome.changed) if outcome.failure == "changed a file" else 0


def page(parts: Mapping[str, Mapping[str, Tried]]) -> str:
    """The page as Markdown."""
    from tests.hostile.damage import KINDS, PLACES

    every = [tried for part in parts.values() for tried in part.values()]
    failures = Counter(tried.failure for tried in every if tried.failure)
    silent = sum(failures[name] for name in ("accepted in silence", "changed a file", "other results"))
    lines = [PAGE.format(tried=sum(tried.count for tried in every), failed=sum(failures.values()), silent=silent,
                         tracebacks=failures["traceback"], lost=sum(tried.lost for tried in every))]  # fmt: skip
    for name, part in parts.items():
        lines += [TITLES[name].format(kinds=len(KINDS) + len(PLACES) + 1), *_table(list(part.values())), ""]
        wrong = [f"- `{key}`: {tried.failure}" for key, tried in part.items() if tried.failure]
        lines += [*wrong, ""] if wrong else []
    return "\n".join(lines).rstrip() + "\n"


def _table(tries: Sequence[Tried]) -> list[str]:
    groups = list(dict.fromkeys(tried.group for tried in tries))
    present = [name for name in FAILURES if any(tried.failure == name for tried in tries)]
    lines = ["| | tried | refused in one line | went on | failed |" + "".join(f" {name} |" for name in present),
             "|---|---|---|---|---|" + "---|" * len(present)]  # fmt: skip
    for group in groups:
        of_group = [tried for tried in tries if tried.group == group]
        well = [tried for tried in of_group if not tried.failure]
        cells = [sum(tried.count for tried in of_group), sum(tried.count for tried in well if tried.code == 2),
                 sum(tried.count for tried in well if tried.code != 2), sum(bool(tried.failure) for tried in of_group),
                 *(sum(tried.failure == name for tried in of_group) for name in present)]  # fmt: skip
        lines.append(f"| {group} | " + " | ".join(map(str, cells)) + " |")
    return lines
