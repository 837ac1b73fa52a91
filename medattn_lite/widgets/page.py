"""What an explorer learns from the page it stands on: is it dark, and what does the mouse do in a plane.

anywidget brings it (the extras `lab` and `viewer`; JupyterLab, Notebook 7, VS Code, Voilà). Without it an explorer
works by its controls alone, on white paper.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medattn_lite.widgets.pointer import Pointer


_LAST = {"dark": False}  # what the page last said: the next explorer begins with it, and is not drawn twice


def page_pointer() -> Pointer | None:
    """A new one, or None where the page cannot have one: without anywidget, and in Colab, which refuses it unasked."""
    if "google.colab" in sys.modules or importlib.util.find_spec("anywidget") is None:
        return None
    from medattn_lite.widgets.pointer import Pointer

    pointer = Pointer(dark=_LAST["dark"])
    pointer.observe(lambda change: _LAST.update(dark=change["new"]), names="dark")
    return pointer
