"""What the book needs of Sphinx beyond its own: formulas as MathML, and links that lead out of the book."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from medattn_lite.course.book_api import add_to
from medattn_lite.course.mathml import mathml


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("doctree-resolved", _words_only)
    add_to(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), display=True)}</div>')
    raise nodes.SkipNode


def _words_only(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """A link to a file of the checkout that is not a page of the book, such as a source, becomes its words."""
    for link in list(doctree.findall(nodes.reference)):
        uri = link.get("refuri", "")
        target = link.get("refid") or (uri[1:] if uri.startswith("#") else None)
        if target is not None and target not in doctree.ids:
            link.replace_self(nodes.inline("", "", *link.children))
