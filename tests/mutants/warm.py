"""pytest in a fork of a process that has imported the libraries already: most of a short run is importing torch.

    with WarmPytest(copy) as ask:
        code, output, seconds = ask(["-q", "tests/test_toy.py"])

The process that is forked never imports the package or its tests: each fork does, from the copy as it lies there. It
is this file, run as a script: it reads one line of arguments (JSON) and answers one line.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "numpy", "hypothesis", "scipy.ndimage", "scipy.stats", "pandas", "sklearn.linear_model",
             "matplotlib.pyplot", "monai.networks.nets", "sksurv.linear_model", "accelerate",
             "ipywidgets")  # fmt: skip


class WarmPytest:
    """A process to fork, for as long as the `with` block lasts.

    Args:
        copy: of the checkout; working folder, and first on the path.
        environment: of the process.
        cpu_seconds: a fork that takes longer is killed.
        libraries: what is imported beforehand; those that are not installed are left out.
    """

    def __init__(
        self, copy: Path, environment: Mapping[str, str], *, cpu_seconds: int, libraries: Sequence[str] = LIBRARIES
    ) -> None:
        command = [sys.executable, __file__, str(cpu_seconds), *libraries]
        self._process = subprocess.Popen(command, cwd=copy, env=dict(environment), text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip

    def __enter__(self) -> WarmPytest:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def __call__(self, arguments: Sequence[str]) -> tuple[int, str, float]:
        """pytest's exit code (negative: killed by that signal), what it wrote, and its CPU seconds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(arguments)) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer["code"], answer["output"], answer["seconds"]


def _serve(cpu_seconds: int, libraries: Sequence[str]) -> None:
    import pytest  # noqa: F401 - for the forks

    for name in libraries:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as written:
            child = os.fork()
            if not child:
                _run_pytest(json.loads(line), written.fileno(), cpu_seconds)
            _, status, used = os.wait4(child, 0)
            written.seek(0)
            answer = {"code": os.waitstatus_to_exitcode(status), "output": written.read(),
                      "seconds": used.ru_utime + used.ru_stime}  # fmt: skip
        print(json.dumps(answer), flush=True)


def _run_pytest(arguments: list[str], output: int, cpu_seconds: int) -> None:
    """In the fork: never returns."""
    code = 3  # pytest's own for an internal error
    try:
        import resource  # of POSIX alone, as fork is: Windows collects this file too

        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest

        code = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # not the folder of this script
    _serve(int(sys.argv[1]), sys.argv[2:])
