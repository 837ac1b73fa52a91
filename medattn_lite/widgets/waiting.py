"""While a picture is made that takes a second or more, the readout has a progress bar and says what is computed.

How much is left is not known, so the bar only moves. A picture whose map is there already gets no bar.
"""

from __future__ import annotations

from collections.abc import Hashable
from html import escape

MANY_PASSES = ("integrated gradients", "occlusion")  # methods that ask the network tens to hundreds of times


class SlowMaps:
    """Which maps of slow methods have been computed, so that the others can be announced.

    Example:
        >>> maps = SlowMaps()
        >>> maps.announce("occlusion", "P3D", 0)
        'Computing occlusion, which asks the network many times.'
        >>> maps.announce("occlusion", "P3D", 0), maps.announce("Grad-CAM", "P3D", 0)
        ('', '')
    """

    def __init__(self) -> None:
        self._known: set[Hashable] = set()

    def announce(self, method: str, *rest: Hashable) -> str:
        """What the reader waits for, in a sentence; nothing where the map is there, or there in a moment.

        Args:
            method: name of the method.
            rest: what else the map depends on.
        """
        if method not in MANY_PASSES or (method, *rest) in self._known:
            return ""
        self._known.add((method, *rest))
        return f"Computing {method}, which asks the network many times."


def progress_html(words: str, *, style: str) -> str:
    """The readout while the picture is made: the words and a moving bar.

    Args:
        words: what is computed.
        style: CSS of the readout.
    """
    text = escape(words)
    bar = f'<progress aria-label="{text}"></progress>'
    return f'<div role="status" aria-live="polite" style="{style}">{text}<br>{bar}</div>'
