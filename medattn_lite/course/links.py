"""Relative links of a notebook's text, kept right when the text moves to another folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

# [text](target) and ![alt](target); a target has no space, and its title, if any, stays outside.
_MARKDOWN_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)")
_HTML_LINK = re.compile(r"""((?:src|href)=["'])([^"']+)""")
_ABSOLUTE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|#|/|attachment:)", re.IGNORECASE)
_NOTEBOOK = re.compile(r"^(\d\d_\w+)\.ipynb")


def relative_targets(markdown: str) -> Iterator[str]:
    """The relative links and pictures of a markdown text, without their `#fragment`."""
    targets = [m.group(3) for m in _MARKDOWN_LINK.finditer(_prose(markdown))]
    targets += [m.group(2) for m in _HTML_LINK.finditer(_prose(markdown))]
    for target in targets:
        if not _ABSOLUTE.match(target):
            yield target.split("#")[0]


def images(markdown: str) -> Iterator[tuple[str, str]]:
    """(alternative text, target) of every picture in a markdown text."""
    prose = _prose(markdown)
    for match in _MARKDOWN_LINK.finditer(prose):
        if match.group(1):
            yield match.group(2).strip(), match.group(3)
    for tag in re.findall(r"<img\b[^>]*>", prose):
        alt = re.search(r"""\balt=["']([^"']*)["']""", tag)
        source = re.search(r"""\bsrc=["']([^"']*)["']""", tag)
        yield (alt.group(1).strip() if alt else ""), (source.group(1) if source else "")


def moved_down(markdown: str, *, notebook_suffix: str = ".ipynb") -> str:
    """The same text one folder further down: `../` goes before what stays behind.

    Args:
        markdown: a text whose links are written as seen from `notebooks/`.
        notebook_suffix: the ending of the other notebooks' copies in the new folder; links to
            `NN_name.ipynb` stay beside the text with this ending.
    """

    def target(link: str) -> str:
        if _ABSOLUTE.match(link):
            return link
        if _NOTEBOOK.match(link):
            return _NOTEBOOK.sub(rf"\1{notebook_suffix}", link)
        return f"../{link}"

    return _with_targets(markdown, target)


def moved_to(markdown: str, way_back: str) -> str:
    """The same text elsewhere: every relative link goes by `way_back`, such as "../../notebooks/"."""
    return _with_targets(markdown, lambda link: link if _ABSOLUTE.match(link) else way_back + link)


def _with_targets(markdown: str, target: Callable[[str], str]) -> str:
    text = _MARKDOWN_LINK.sub(lambda m: f"{m.group(1)}[{m.group(2)}]({target(m.group(3))}", markdown)
    return _HTML_LINK.sub(lambda m: m.group(1) + target(m.group(2)), text)


def _prose(markdown: str) -> str:
    """Without code: what looks like a link in there is none."""
    without_blocks = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", without_blocks)
