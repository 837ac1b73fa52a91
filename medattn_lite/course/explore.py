"""`medattn explore`: the explorers alone on one page, for a lecture hall or somebody who never saw a notebook.

Voilà serves the page on this computer. Its notebook is written into a folder of its own, which is gone afterwards.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from medattn_lite.errors import UserError
from medattn_lite.optional import install
from medattn_lite.widgets.ready import READY

_TEMPLATES = Path(__file__).with_name("explore_page")  # as a folder of Jupyter's: voila/templates/medattn
_KERNEL = "medattn-explore"
FIRST = (
    "# medattn_lite: explore\n\nMove a slider, or click in a picture. The pictures are drawn on this computer as you "
    "move; all heads are synthetic.\n"
)


def chosen(names: Sequence[str]) -> list[str]:
    """The explorers asked for, in their order on the page; all of them if none is named.

    Raises:
        UserError: an unknown name.
    """
    unknown = next((name for name in names if name not in READY), None)
    if unknown is not None:
        raise UserError(f"there is no explorer {unknown!r}: use one of {', '.join(READY)}")
    return [name for name in READY if not names or name in names]


def write_page(folder: Path, names: Sequence[str]) -> Path:
    """Writes the notebook that Voilà shows, and a kernel that is this very Python.

    Args:
        folder: an empty one.
        names: of the explorers.

    Returns:
        the notebook.
    """
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    cells = [new_markdown_cell(FIRST)]
    for name in names:
        explorer = READY[name]
        cells += [new_markdown_cell(f"## {explorer.title}\n\n{explorer.try_this}"),
                  new_code_cell(f"from medattn_lite.widgets.ready import ready\nready({name!r})")]  # fmt: skip
    page = folder / "explore.ipynb"
    about = {"kernelspec": {"name": _KERNEL, "display_name": "this Python", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=about), page)
    kernel = folder / "kernels" / _KERNEL
    kernel.mkdir(parents=True)
    run = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about_kernel = {"argv": run, "display_name": "this Python", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(about_kernel), encoding="utf-8")
    return page


def voila_command(page: Path, *, port: int, browser: bool, dark: bool) -> tuple[list[str], dict[str, str]]:
    """The command that serves a page, and its environment.

    Args:
        page: the notebook.
        port: of this computer; the next free one is taken if it is not.
        browser: open one.
        dark: dark page and pictures.
    """
    command = [sys.executable, "-m", "voila", str(page), "--template=medattn", "--Voila.ip=127.0.0.1",
               f"--port={port}", f"--theme={'dark' if dark else 'light'}"]  # fmt: skip
    paths = [str(_TEMPLATES), str(page.parent), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    package = str(Path(__file__).resolve().parents[2])
    python = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"JUPYTER_PATH": os.pathsep.join(paths), "PYTHONPATH": os.pathsep.join(python)}
    return command + ([] if browser else ["--no-browser"]), os.environ | environment


def explore(names: Sequence[str] = (), *, port: int = 8866, browser: bool = True, dark: bool = False) -> int:
    """Serves the page until it is ended with Ctrl-C; returns the exit code.

    Raises:
        UserError: Voilà is not installed, or an unknown name.
    """
    shown = chosen(names)
    if importlib.util.find_spec("voila") is None:
        raise UserError(f"the page of explorers needs Voilà: {install('explore')}, or open notebook 11")
    with tempfile.TemporaryDirectory(prefix="medattn-explore-") as folder:
        command, environment = voila_command(write_page(Path(folder), shown), port=port, browser=browser, dark=dark)
        try:
            return subprocess.call(command, env=environment, cwd=folder)
        except KeyboardInterrupt:
            return 0
