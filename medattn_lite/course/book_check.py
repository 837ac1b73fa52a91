"""Reads a folder of HTML pages as a reader would: do links lead somewhere, do pictures have words, do headings step?

Contrast and roles are left to axe-core in a real browser, in `tests/browser`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class _Page:
    targets: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    without_words: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = _Page()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        for name in ("id", "name"):
            if name in named:
                self.page.targets.add(named[name])
        if tag == "a" and "href" in named:
            self.page.links.append(named["href"])
        elif tag == "link" and "href" in named and named.get("rel") in ("stylesheet", "icon"):
            self.page.needed.append(named["href"])
        elif tag in ("img", "script", "iframe", "source") and named.get("src"):
            self.page.needed.append(named["src"])
        if tag == "img" and "alt" not in named:
            self.page.without_words.append(named.get("src", "?"))
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.page.headings.append(int(tag[1]))


def problems(folder: Path) -> list[str]:
    """What is wrong with the pages of a folder; one line each, none if all is well.

    A link to another host is left alone; a script, style or picture from one is a problem, since the pages have to
    work without a network.

    Args:
        folder: with `index.html`.
    """
    pages = {path: _read(path) for path in sorted(folder.rglob("*.html"))}
    wrong = [] if (folder / "index.html") in pages else [f"{folder} has no index.html"]
    for path, page in pages.items():
        shown = path.relative_to(folder)
        wrong += [f"{shown}: {link} is not there" for link in page.links if not _leads(path, link, pages, folder)]
        for source in page.needed:
            if _outside(source):
                if not source.startswith("data:"):
                    wrong.append(f"{shown}: {source} comes from another host")
            elif not _leads(path, source, pages, folder):
                wrong.append(f"{shown}: {source} is not there")
        wrong += [f"{shown}: the picture {source} has no alternative text" for source in page.without_words]
        steps = zip(page.headings, page.headings[1:], strict=False)
        wrong += [
            f"{shown}: a heading of level {level} is followed by {after}" for level, after in steps if after > level + 1
        ]
        if page.headings.count(1) != 1 and shown.name not in ("search.html", "genindex.html"):
            wrong.append(f"{shown}: {page.headings.count(1)} titles")
    return wrong


def _read(path: Path) -> _Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def _outside(link: str) -> bool:
    return bool(urlsplit(link).scheme) or link.startswith("//")


def _leads(path: Path, link: str, pages: dict[Path, _Page], folder: Path) -> bool:
    if _outside(link):
        return True
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists() or not target.is_relative_to(folder.resolve()):
        return False
    page = pages.get(target)
    return not parts.fragment or page is None or unquote(parts.fragment) in page.targets
