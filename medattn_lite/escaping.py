"""Text from outside (file names, records, tables) made safe to print, or to put into a page.

A file name may hold an escape sequence that repaints a terminal, bytes that are not UTF-8, or a tag that a page
would run. Everything of the kind is shown as it is written, and does nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# these turn the direction of a line's text, so that a name reads as another one
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MARKUP = re.compile(r"\$|(?<=\])[(\[:]|(?<!\S)[#>](?=\s)|`{3,}")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def printable(text: object) -> str:
    """One line, or several, without control characters: `\\x1b` is shown as four characters.

    Args:
        text: whatever is to be printed; line ends and tabs stay.

    Returns:
        Text that any UTF-8 stream takes and that cannot move the cursor.
    """
    return "".join(_shown(character) for character in str(text))


def without_tags(text: str) -> str:
    """A page of Markdown in which no tag is a tag: `<` before a letter becomes `&lt;`."""
    return _TAG.sub("&lt;", text)


def inline(text: object) -> str:
    """Words from outside as part of a Markdown line: no tag, link, formula or line of its own comes of them.

    Args:
        text: such as the name of a patient or of a class. A `|` stays: a table escapes its cells.
    """
    line = " ".join(printable(text).split())
    return _MARKUP.sub(lambda match: f"\\{match.group()}", without_tags(line))


def inline_all(value: Any) -> Any:
    """A record with every word in it as `inline` makes it, the names in dictionaries too."""
    if isinstance(value, str):
        return inline(value)
    if isinstance(value, Mapping):
        return {inline_all(name): inline_all(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [inline_all(item) for item in value]
    return value


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _TURNING or unicodedata.category(character) in ("Cc", "Cs"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8, as Python keeps it
            return f"\\x{code - 0xDC00:02x}"
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return character
