"""Plants each mutant in a copy of the checkout, asks its tests, and writes down who saw it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.mutants.mutant import Mutant
from tests.mutants.warm import WarmPytest

CPU_SECONDS = 300  # a mutant that runs longer is caught: its tests would never end
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+\.py::.+?)(?: - .*)?$", re.MULTILINE)
MARKS = "not slow and not browser and not network"
Pytest = Callable[[Sequence[str]], tuple[int, str, float]]  # arguments → exit code, output, CPU seconds


class Misplanted(Exception):
    """A mutant that cannot be judged: its text, its tests or the tests without it are not as they should be."""


def place_of(mutant: Mutant, package: Path) -> Path:
    """The one file of the package in which the mutant's text stands, once.

    Raises:
        Misplanted: it stands nowhere or more than once, or the mutant is not Python.
    """
    counts = {path: path.read_text(encoding="utf-8").count(mutant.text) for path in sorted(package.rglob("*.py"))}
    places = {path: count for path, count in counts.items() if count}
    if sum(places.values()) != 1:
        where = ", ".join(f"{path.relative_to(package)} {count}×" for path, count in places.items()) or "nowhere"
        raise Misplanted(f"{mutant.name}: its text must stand once in {package.name} and stands {where}: change "
                         "tests/mutants/planted.py")  # fmt: skip
    path = next(iter(places))
    changed = path.read_text(encoding="utf-8").replace(mutant.text, mutant.replacement)
    if mutant.text == mutant.replacement or not _parses(changed):
        raise Misplanted(f"{mutant.name}: its replacement changes nothing, or is not Python")
    return path


def named_tests(mutant: Mutant, tests: Path) -> list[Path]:
    """The test files that a mutant names.

    Raises:
        Misplanted: a name that no file has, or several.
    """
    files = sorted(tests.rglob("test_*.py"))
    chosen = []
    for name in mutant.tests:
        matching = [path for path in files if f"/{path.relative_to(tests).as_posix()}".endswith(f"/{name}")]
        if len(matching) != 1:
            raise Misplanted(f"{mutant.name}: {name} names {len(matching)} test files: change tests/mutants/planted.py")
        chosen += matching
    return chosen


def copy_checkout(root: Path, copy: Path) -> None:
    """Every file that git knows or would take, as it lies there now."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root, capture_output=True,
                            check=True, text=True).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)


def judge(
    mutant: Mutant, copy: Path, *, package: str = "medattn_lite", tests: str = "tests", pytest: Pytest | None = None
) -> dict[str, Any]:
    """Plants a mutant in a copy, asks its tests, and takes it out again.

    Args:
        mutant: what to plant.
        copy: of the checkout; as it was afterwards.
        package: its folder of code.
        tests: its folder of tests.
        pytest: runs it; a process of its own by default.

    Returns:
        the mutant's fields, `outcome` ("caught" or "survived"), `caught_by` (a test, or why), `file`, `cpu_seconds`.

    Raises:
        Misplanted: see `place_of` and `named_tests`; or no test is chosen, or the tests do not even start.
    """
    path, files = place_of(mutant, copy / package), named_tests(mutant, copy / tests)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(mutant.text, mutant.replacement), encoding="utf-8")
    try:
        code, output, seconds = ask(files, mutant.words, copy, pytest=pytest)
    finally:
        path.write_text(whole, encoding="utf-8")
    seen = FAILED.findall(output)
    if code == 1 and seen:
        outcome, caught_by = "caught", seen[0]
    elif code < 0 or code > 128:
        outcome, caught_by = "caught", f"no end after {CPU_SECONDS} s of CPU time"
    elif code == 0:
        outcome, caught_by = "survived", ""
    else:
        raise Misplanted(f"{mutant.name}: pytest ended with {code} and judged nothing:\n{output[-1500:]}")
    return {**asdict(mutant), "file": str(path.relative_to(copy)), "outcome": outcome, "caught_by": caught_by,
            "cpu_seconds": round(seconds, 1)}  # fmt: skip


def ask(files: Sequence[Path], words: str, copy: Path, *, pytest: Pytest | None = None) -> tuple[int, str, float]:
    """pytest's exit code and output, and its CPU seconds; it stops at the first failure."""
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-m", MARKS, "--no-header"]
    arguments += [*(["-k", words] if words else []), *map(str, files)]
    if pytest is not None:
        return pytest(arguments)
    before = _children()
    done = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=copy, env=environment_of(copy),
                          capture_output=True, text=True, preexec_fn=_limited)  # fmt: skip
    return done.returncode, done.stdout + done.stderr, _children() - before


def environment_of(copy: Path) -> dict[str, str]:
    """Of pytest: the copy's package, one thread, no window, no bytecode of a mutant left behind."""
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1", "MPLBACKEND": "agg"}  # fmt: skip


def require_green(
    mutants: Sequence[Mutant], copy: Path, *, tests: str = "tests", pytest: Pytest | None = None
) -> None:
    """The tests of these mutants pass without a mutant; else a failure would say nothing.

    Raises:
        Misplanted: they do not.
    """
    for words, names in sorted({(mutant.words, mutant.tests) for mutant in mutants}):
        mutant = next(one for one in mutants if (one.words, one.tests) == (words, names))
        code, output, _ = ask(named_tests(mutant, copy / tests), words, copy, pytest=pytest)
        if code:
            raise Misplanted(f"{mutant.name}: its tests do not pass without it (pytest ended with {code}):\n"
                             f"{output[-1500:]}")  # fmt: skip


def fingerprint(mutant: Mutant) -> str:
    """Of the mutant as it is written down: a record of another one with its name does not count."""
    return hashlib.blake2b(json.dumps(asdict(mutant)).encode(), digest_size=8).hexdigest()


def run(
    mutants: Sequence[Mutant], root: Path, copy: Path, record: dict[str, Any], *, minutes: float, again: bool = False
) -> list[str]:
    """Judges mutants into a record, at most for so long; what is in it already is not judged again.

    Args:
        mutants: to judge.
        root: the checkout.
        copy: an empty folder for its copy.
        record: name → outcome; changed in place.
        minutes: no mutant is begun after these.
        again: judge also what is in the record.

    Returns:
        mutants that could not be judged, with the reason.
    """
    wanted = [one for one in mutants if again or record.get(one.name, {}).get("fingerprint") != fingerprint(one)]
    if not wanted:
        return []
    copy_checkout(root, copy)
    with WarmPytest(copy, environment_of(copy), cpu_seconds=CPU_SECONDS) as pytest:
        return _run_all(wanted, root, copy, record, minutes=minutes, pytest=pytest)


def _run_all(
    wanted: Sequence[Mutant], root: Path, copy: Path, record: dict[str, Any], *, minutes: float, pytest: Pytest
) -> list[str]:
    began, problems = time.monotonic(), []
    for number, mutant in enumerate(wanted, start=1):
        if time.monotonic() - began > 60 * minutes:
            print(f"{len(wanted) - number + 1} mutants are left: give the same command again")
            break
        try:
            require_green([mutant], copy, pytest=pytest)
            record[mutant.name] = {**judge(mutant, copy, pytest=pytest), "fingerprint": fingerprint(mutant)}
        except Misplanted as problem:
            problems.append(str(problem))
            print(f"{number}/{len(wanted)} {mutant.name}: not judged", flush=True)
            continue
        result = record[mutant.name]
        print(f"{number}/{len(wanted)} {mutant.name}: {result['outcome']} {result['caught_by']}", flush=True)
        save_record(record, root)
    return problems


def save_record(record: dict[str, Any], root: Path) -> None:
    """Writes what is known so far, so that a stopped run goes on."""
    path = root / "figures" / "mutants.json"
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
