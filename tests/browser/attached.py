"""papermill in the kernel that JupyterLab holds for a notebook: run once, then opened in the browser with its widgets.

Opening a notebook whose kernel has run already is what happens whenever a learner reloads the page: JupyterLab finds
the kernel and asks it for its widgets.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager


def attached_to(connection_file: Path) -> Callable[[Path], type[AsyncKernelManager]]:
    """For `run_notebook(managers=…)`: a class of kernel managers that take a running kernel and leave it running."""

    def managers(scratch: Path) -> type[AsyncKernelManager]:
        class Attached(AsyncKernelManager):
            started: list[AsyncKernelManager] = []

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.load_connection_file(str(connection_file))
                self.started.append(self)

            @property
            def has_kernel(self) -> bool:
                return True

            async def is_alive(self) -> bool:
                return True

            _async_is_alive = is_alive  # the base class has both names, and so has who asks

            async def shutdown_kernel(self, *args: Any, **kwargs: Any) -> None:
                """The kernel is JupyterLab's."""

            def cleanup_connection_file(self) -> None:
                """So is the file."""

        return Attached

    return managers
