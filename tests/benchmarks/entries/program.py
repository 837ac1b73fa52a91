"""How long commands take, in a process of their own: CPU seconds of the child."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks.measuring import Case, Entry, Run


def seconds_of_child(run: Run) -> float:
    """CPU seconds of the child that a run waits for."""
    before = os.times()
    run()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def child(*words: str) -> Run:
    """Runs Python with these words; what it prints is not kept."""

    def run() -> None:
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


def cases() -> Iterator[Case]:
    """The import of the package, its help, and the list of networks."""
    command = ("-m", "medattn_lite.cli")
    empty = child("-c", "pass")
    anew = "from medattn_lite.networks.network_list import measured; measured()"
    for work, peer, ours, theirs, most in (
        ("import medattn_lite", "an empty program", child("-c", "import medattn_lite"), empty, 5),
        ("import medattn_lite", "import torch", child("-c", "import medattn_lite"), child("-c", "import torch"), 3),
        ("medattn --help", "an empty program", child(*command, "--help"), empty, 5),
        ("medattn networks", "the same list measured anew", child(*command, "networks"), child("-c", anew), 1),
    ):
        yield Case(work, peer, ours, theirs, is_equal=False, memory="", most=most, seconds=seconds_of_child)


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room; none on a GPU."""
    if device == "cpu":
        yield Entry("program", "Commands", ("import ", "medattn "), cases)
