"""The kernel that the runner starts, and how much memory it takes.

The kernel is this very Python with this very package, whatever kernels the user's Jupyter folders name
`python3`, and with an IPython profile of its own, so that start-up files of the user's change nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import ClassVar

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

import medattn_lite

LONGEST_SOCKET = 92  # bytes of a socket's path without its number; macOS takes 103 in all


def kernel_environment(scratch: Path) -> dict[str, str]:
    """What the kernel's environment has beyond ours.

    Args:
        scratch: a folder for the kernel's own files, away when the run is over.
    """
    package = str(Path(medattn_lite.__file__).resolve().parents[1])
    path = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads that spin slow a busy machine down many times
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a warning of the debugger's that means nothing here
        "MEDATTN_NO_KERNEL": "1",  # what is run here is read later: the viewer writes its page, and no live canvas
        "MATPLOTLIBRC": str(_empty_style(scratch)),  # not the user's, whose usetex needs a LaTeX
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
    }


def _empty_style(scratch: Path) -> Path:
    path = scratch / "matplotlibrc"
    path.write_text("", encoding="utf-8")
    return path


class ListedManager(AsyncKernelManager):
    """A kernel manager whose class lists the managers made."""

    started: ClassVar[list[AsyncKernelManager]]


def kernel_manager_class(scratch: Path) -> type[ListedManager]:
    """A kernel manager that starts this Python; its `started` lists the managers made."""

    class CurrentPython(ListedManager):
        started = []

        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            sockets = str(scratch / "kernel")
            # sockets in our own folder: no port to race for, nobody else can listen; their names, with -1 to -5 behind,
            # have 104 to 108 bytes at most, which a long TMPDIR exceeds: then ports of this computer
            if os.name == "posix" and len(os.fsencode(sockets)) <= LONGEST_SOCKET:
                self.transport, self.ip = "ipc", sockets
            self.started.append(self)

        @property
        def kernel_spec(self) -> KernelSpec:
            if self._kernel_spec is None:
                self._kernel_spec = KernelSpec(
                    argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"],
                    display_name="this Python",
                    language="python",
                    env=kernel_environment(scratch),
                )
            return self._kernel_spec

    return CurrentPython


class MemoryWatch:
    """Samples the resident memory of a kernel and all its children while a `with` block runs.

    Attributes:
        peak: the largest sum seen, in bytes; 0 before the kernel is up.
    """

    def __init__(self, managers: type[ListedManager], *, interval: float = 0.1) -> None:
        self.peak = 0
        self._managers = managers
        self._interval = interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="kernel memory")

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            self.peak = max(self.peak, sum(map(_tree_memory, self._pids())))

    def _pids(self) -> list[int]:
        provisioners = [manager.provisioner for manager in self._managers.started]
        pids = [getattr(provisioner, "pid", None) for provisioner in provisioners]
        return [pid for pid in pids if pid]


def _tree_memory(pid: int) -> int:
    """Resident bytes of a process and its children; 0 if it is gone."""
    total = 0
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # ended between being listed and being asked
            continue
    return total
