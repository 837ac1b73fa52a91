"""What an explorer learns from the page it stands on: is it dark, and what does the mouse do in a plane.

anywidget brings it (the extra `viewer`; JupyterLab, Notebook 7, VS Code, Voilà). Without it an explorer works by its
controls alone, on white paper.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medattn_lite.widgets.pointer import Pointer


def page_pointer() -> Pointer | None:
    """A new one, or None where the page cannot have one: without anywidget, and in Colab, which refuses it unasked."""
    if "google.colab" in sys.modules or importlib.util.find_spec("anywidget") is None:
        return None
    from medattn_lite.widgets.pointer import Pointer

    return Pointer()
