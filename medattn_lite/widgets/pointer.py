"""The page's half of the mouse and of the dark theme; see `medattn_lite.widgets.page`.

The script stands in pointer.js. It listens to the picture of the explorer that it is put into and keeps nothing else.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
from traitlets import Bool, Dict, List


class Pointer(anywidget.AnyWidget):
    """Invisible; a child of an explorer.

    Attributes:
        dark: whether the page is dark.
        boxes: the planes in the picture: left, top, right and bottom as shares of it.
        event: the mouse's last doing: {"kind": "click" | "wheel" | "drag", "x", "y"}, shares of the picture; of the
            wheel "total" slices since the page was opened, of a drag its "number" and "right" and "down", shares of
            the picture since it began.
    """

    _esm = Path(__file__).with_name("pointer.js")
    dark = Bool(False).tag(sync=True)
    boxes: List = List().tag(sync=True)
    event: Dict = Dict().tag(sync=True)
