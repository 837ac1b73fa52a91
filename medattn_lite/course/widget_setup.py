"""Will ipywidgets show in JupyterLab? They need two halves that fit: one in the kernel, one in the server.

The usual trouble: `jupyter lab` is started from another environment than the kernel's, and that one has no
widget extension, or one of another major version. Then a cell says "Error displaying widget". Colab and Kaggle draw
widgets by a page of their own, to which what is installed beside the kernel says nothing.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from medattn_lite.optional import install

_EXTENSION = Path("share") / "jupyter" / "labextensions" / "@jupyter-widgets" / "jupyterlab-manager" / "package.json"
_EXTENSION_NAME = "@jupyter-widgets/jupyterlab-manager"
# Which major version of the server's half draws which of the kernel's half.
_PAIRS = {8: (5,)}
_HOSTED = {"COLAB_RELEASE_TAG": "Colab", "KAGGLE_KERNEL_RUN_TYPE": "Kaggle"}  # set in their kernels

OK, REMARK, PROBLEM = "✓", "!", "✗"


def widget_findings(*, prefix: Path = Path(sys.prefix), server: str | None = None) -> Iterator[tuple[str, str, str]]:
    """Mark, topic and text of each finding.

    Args:
        prefix: the kernel's environment.
        server: the `jupyter-lab` that a user would start; the one on the PATH if None.
    """
    try:
        kernel_half = importlib.metadata.version("ipywidgets")
    except importlib.metadata.PackageNotFoundError:
        yield PROBLEM, "widgets", "ipywidgets is missing: pip install ipywidgets"
        return
    host = next((name for variable, name in _HOSTED.items() if variable in os.environ), None)
    if host is not None:
        yield OK, "widgets", f"{host} draws those of ipywidgets {kernel_half} by its own page"
        return
    yield _pairing(prefix, kernel_half, "this environment")
    disabled = _disabled()
    if disabled:
        yield PROBLEM, "widgets", f"{_EXTENSION_NAME} is disabled in {disabled}: run `jupyter labextension enable " \
                                  f"{_EXTENSION_NAME}`"
    jupyter = server or shutil.which("jupyter-lab")
    if jupyter is None:
        places = (prefix / "bin" / "jupyter-lab", prefix / "Scripts" / "jupyter-lab.exe")  # the second under Windows
        existing = [path for path in places if path.exists()]
        yield REMARK, "JupyterLab", (
            f"not on the PATH; `medattn start` opens it, or {existing[0]}" if existing else
            f"not in this environment: {install('lab')}, or open the notebooks in a Jupyter of your own"
        )  # fmt: skip
        return
    home = Path(jupyter).absolute().parent.parent
    if home.resolve() == prefix.resolve():
        yield OK, "JupyterLab", f"{jupyter} is this environment's own"
        return
    mark, _, text = _pairing(home, kernel_half, f"the environment of {jupyter}")
    yield (
        REMARK,
        "JupyterLab",
        f"{jupyter}, the first on the PATH, is another environment's; `medattn start` opens ours",
    )
    yield (REMARK if mark == PROBLEM else mark), "JupyterLab", text


def _pairing(prefix: Path, kernel_half: str, where: str) -> tuple[str, str, str]:
    """Does the extension in an environment draw the widgets of this kernel?"""
    try:
        server_half = json.loads((prefix / _EXTENSION).read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        return PROBLEM, "widgets", f"{where} has no widget extension: install jupyterlab_widgets there"
    fitting = _PAIRS.get(int(kernel_half.split(".")[0]), ())
    if int(server_half.split(".")[0]) not in fitting:
        return PROBLEM, "widgets", f"ipywidgets {kernel_half} and the extension {server_half} of {where} do not fit: " \
                                   'pip install "ipywidgets>=8.1.5" "jupyterlab_widgets>=3.0.13" in both'
    return OK, "widgets", f"will show: ipywidgets {kernel_half} and the extension {server_half} of {where} fit"


def _disabled() -> Path | None:
    """The file that turns the extension off, if one does."""
    from jupyter_core.paths import jupyter_config_path

    for folder in jupyter_config_path():
        path = Path(folder) / "labconfig" / "page_config.json"
        try:
            off = json.loads(path.read_text(encoding="utf-8")).get("disabledExtensions", {})
        except (OSError, ValueError, AttributeError):
            continue
        if (off.get(_EXTENSION_NAME) if isinstance(off, dict) else _EXTENSION_NAME in off):
            return path
    return None
