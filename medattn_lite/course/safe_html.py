"""HTML of a notebook's output without anything that runs: what a page made of someone else's data may show."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

_DROPPED = frozenset({  # with what they hold
    "script", "iframe", "object", "embed", "applet", "template", "noscript", "style",
})  # fmt: skip
_EMPTY = frozenset({"base", "link", "meta", "form", "animate", "set", "animatetransform", "animatemotion"})  # alone
_FRAME = re.compile(r"""<iframe((?:\s+(?:title|srcdoc|style)="[^"<>]*")+)\s*>\s*</iframe>\s*(<p[^<>]*>[^<]*</p>)?""")
_LINKS = frozenset({"href", "src", "action", "formaction", "poster", "background", "xlink:href", "data"})


def safe_html(text: str) -> str:
    """HTML without scripts, frames, event handlers and links that run code; everything else stays as it is.

    Args:
        text: a piece of HTML, such as a table.

    Returns:
        the same without them; an element that is left out takes what it holds with it.
    """
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return "".join(cleaner.parts)


def viewer_page(text: str) -> str:
    """A frame with a page of its own and a line under it, as `view_volume` gives it; "" where it is anything else.

    The page's scripts run, and see nothing but their own page: not the book's, its storage or another frame.

    Args:
        text: the HTML of a whole output.
    """
    frame = _FRAME.fullmatch(text.strip())
    return "" if frame is None else f'<iframe sandbox="allow-scripts"{frame[1]}></iframe>{safe_html(frame[2] or "")}'


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attrs, "")
        if tag in _DROPPED:
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attrs, "/")

    def handle_endtag(self, tag: str) -> None:
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()
        elif tag not in _DROPPED | _EMPTY:
            self._keep(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._keep(data.replace("<", "&lt;"))

    def handle_entityref(self, name: str) -> None:
        self._keep(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._keep(f"&#{name};")

    def _tag(self, tag: str, attributes: list[tuple[str, str | None]], end: str) -> None:
        if tag in _DROPPED | _EMPTY:
            return
        kept = [name if value is None else f'{name}="{escape(value)}"' for name, value in attributes
                if not _runs(name, value or "")]  # fmt: skip
        self._keep(f"<{' '.join([tag, *kept])}{end}>")

    def _keep(self, text: str) -> None:
        if not self.inside:
            self.parts.append(text)


def _runs(name: str, value: str) -> bool:
    """Whether an attribute makes a browser run code."""
    if name.startswith("on") or name == "srcdoc":
        return True
    scheme = "".join(character for character in value if character > " ").lower().split(":")[0]
    outside = scheme in ("javascript", "vbscript") or scheme == "data" and not value.strip().startswith("data:image/")
    return name in _LINKS and outside
