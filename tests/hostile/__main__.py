"""The long run: every bad word, every damage, 100 kills; what was tried and what failed goes to figures/reliability.md.

    medattn study reliability [--part words|damage|kills] [--minutes 5] [--out figures/reliability.md]

A part that was stopped goes on where it stopped: what is tried lies in runs/hostile.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from tests.hostile import damage, kills, page, words
from tests.hostile.attack import attack
from tests.hostile.page import Tried, Tries
from tests.hostile.toy_run import TRAIN, lasting, toy_recipe

KILLS, MOST = 100, 8  # in all, and of one run
FILES = 14  # moved to their place: all those of a fold, and the first of the next
FILE_LIMITS = (0, 100, 400, 1_000, 2_000, 4_000, 8_000, 12_000, 16_000, 24_000)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study reliability", description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("words", "damage", "kills"), action="append")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after these; the same command goes on")
    parser.add_argument("--out", type=Path, default=Path("figures/reliability.md"))
    parser.add_argument("--state", type=Path, default=Path("runs/hostile"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    end, out, state = time.monotonic() + 60 * options.minutes, options.out.resolve(), options.state.resolve()
    parts: dict[str, Callable[[Tries], Iterator[None]]] = {"words": _words, "damage": _damage, "kills": _kills}
    for name in options.part or parts:
        tries = Tries(state / f"{name}.jsonl")
        if tries.is_whole:
            continue
        for _ in parts[name](tries):
            if time.monotonic() > end:
                print(f"{name}: stopped after {len(tries.done)} tries; the same command goes on", file=sys.stderr)
                return 3
        tries.is_whole = True
    whole = [Tries(state / f"{name}.jsonl") for name in parts]
    if not all(part.is_whole for part in whole):
        return 0
    out.write_text(page.page({name: part.done for name, part in zip(parts, whole, strict=True)}), encoding="utf-8")
    print(out)
    return int(any(tried.failure for part in whole for tried in part.done.values()))


def _words(tries: Tries) -> Iterator[None]:
    with words.work_stopped(), words.fresh_folder() as folder:
        for case in words.every_case():
            key = page.shown(case.words)
            if key not in tries.done:
                outcome = words.try_case(case, folder)
                command = case.words[0] if case.words and case.words[0] in words.parsers() else "no command"
                tries.add(key, Tried(command, outcome.code, outcome.failure, page.lost(outcome), outcome.said[-300:]))
                yield


def _damage(tries: Tries) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        runs = Path(name).resolve()
        words.write_inputs(runs)
        damage.make_runs(runs, graded=True)
        whole = lasting(runs / "finished")
        for one in damage.every_damage(runs):
            key = f"{one.file}: {one.kind} → {one.command}"
            if key not in tries.done:
                outcome = damage.try_damage(one, runs, whole)
                if outcome is not None:
                    tries.add(key, Tried(f"{one.command}, {Path(one.file).name}", outcome.code, outcome.failure, 0,
                                         outcome.said[-300:]))  # fmt: skip
                yield


def _kills(tries: Tries) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name).resolve()
        with toy_recipe():
            assert attack(TRAIN, folder, seconds=300).code == 0
        whole = lasting(folder / "run")
        shutil.rmtree(folder / "run")
        began = time.monotonic()
        assert kills.ended(kills.child(folder, TRAIN)) == 0
        longest = time.monotonic() - began
        seed = 0
        while sum(tried.count for key, tried in tries.done.items() if key.startswith("random")) < KILLS:
            key = f"random kills, seed {seed}"
            if key not in tries.done:
                met = kills.same_after_kills(folder, TRAIN, whole, kills.moments(seed, longest * 0.7, MOST))
                tries.add(key, _tried("killed at a random moment", met is not None, met or 0))
                yield
            seed += 1
        for number in range(1, FILES + 1):
            sides = [kills.same_after_death_at(folder, TRAIN, whole, number, before=side)
                     if f"file {number}, {side}" not in tries.done else False for side in (True, False)]  # fmt: skip
            if None in sides:
                break
            for side, same in zip((True, False), sides, strict=True):
                if f"file {number}, {side}" not in tries.done:
                    tries.add(f"file {number}, {side}", _tried("killed at a file", bool(same)))
                    yield
        for limit in FILE_LIMITS:
            if f"no room, {limit}" not in tries.done:
                same = kills.same_after_full_disk(folder, TRAIN, whole, limit)
                tries.add(f"no room, {limit}", _tried("no room for a file", same is not False))
                yield
        for number in range(5):
            if f"two, {number}" not in tries.done:
                same = kills.same_for_two(folder, TRAIN, whole)
                tries.add(f"two, {number}", _tried("two processes in one folder", bool(same)))
                yield


def _tried(what: str, same: bool, count: int = 1) -> Tried:
    return Tried(what, 0, "" if same else "other results", 0, "", count)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
