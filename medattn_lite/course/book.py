"""The book: a static site of the executed notebooks, to read without Jupyter and without a network.

    medattn course --out runs/course
    medattn study book runs/course runs/book        then open runs/book/index.html

Sphinx makes the pages, MyST-NB reads the notebooks, Furo is the theme (light and dark, phones). Nothing comes from
another host: formulas are MathML, the search runs in the page, every widget stands as its static figure.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn_lite.course.book_api import EXTENSIONS, SETTINGS, restore_signatures, write_api
from medattn_lite.course.book_check import problems
from medattn_lite.course.book_notebook import book_notebook
from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.optional import install

ROOT = Path(__file__).resolve().parents[2]
_STYLE = Path(__file__).with_name("book.css")
_NUMBER = re.compile(r"^\d\d_\w+$")
_PAGES = ("README", "glossary", "faq", "data", "friends")  # pages in notebooks/
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ANCHOR = re.compile(r'<a data-jupyter-id="[^"]*"></a>')
# What the theme leaves out for those who listen to a page, or go through it by keyboard.
_SAID = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
    ('<aside class="toc-drawer">', '<aside class="toc-drawer" aria-label="On this page">'),
    ('<aside class="toc-drawer no-toc">', '<aside class="toc-drawer no-toc" aria-label="On this page">'),
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)


def build_book(executed: Path, out: Path, *, root: Path = ROOT) -> Path:
    """Makes the site.

    Args:
        executed: folder of executed notebooks, as `medattn course` writes it.
        out: folder of the site; must be missing, empty, or a book of before.
        root: the checkout with README, glossary and figures.

    Returns:
        the first page.

    Raises:
        UserError: no checkout at `root`, no executed notebooks, a notebook that was not run or holds an error, an
            `out` that holds something else, or pages with broken links, missing alternative texts or skipped headings.
    """
    if not (root / "README.md").is_file():
        raise UserError("the book is made in a clone: an installed package lacks the README and figures it holds")
    names = sorted(path for path in executed.glob("*.ipynb") if _NUMBER.match(path.stem))
    if not names:
        raise UserError(f"{executed} has no executed notebooks: run medattn course --out {executed} first")
    if out.exists() and any(out.iterdir()) and not (out / "searchindex.js").exists():
        raise UserError(f"{out} holds something that is not a book: name a new folder, nothing is overwritten")
    with tempfile.TemporaryDirectory() as place:
        staged, built = Path(place) / "source", Path(place) / "html"
        _stage(names, staged, root)
        _sphinx(staged, built)
        wrong = problems(built)
        if wrong:
            raise UserError(f"the book has {len(wrong)} problems: " + "; ".join(wrong[:10]))
        if out.exists():
            shutil.rmtree(out)
        shutil.copytree(built, out, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo", "objects.inv"))
    return out / "index.html"


def _stage(executed: Sequence[Path], staged: Path, root: Path) -> None:
    """Sphinx's source folder, laid out as the checkout is, so that relative links hold."""
    (staged / "notebooks").mkdir(parents=True)
    static = staged / "static"
    static.mkdir()
    shutil.copy(_STYLE, static / "book.css")
    for path in executed:
        book_notebook(path, staged / "notebooks" / path.name, static)
    for name in (*(f"notebooks/{page}.md" for page in _PAGES), "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(root / name, staged / name)
    shutil.copytree(root / "figures", staged / "figures")
    pages = sorted(path.stem for path in (staged / "figures").glob("*.md"))
    contents = [
        _tree("The course", [f"notebooks/{path.stem}" for path in executed]),
        _tree("More pages", [*(f"notebooks/{page}" for page in _PAGES), *(f"figures/{page}" for page in pages)]),
        _tree("API reference", [f"api/{page}" for page in write_api(staged / "api")]),
        _tree("The project", ["README", "CONTRIBUTING", "CHANGELOG"]),
    ]
    readme = _COMMENT.sub("", (root / "README.md").read_text(encoding="utf-8"))
    (staged / "README.md").write_text(readme, encoding="utf-8")
    front = (root / "notebooks" / "front.md").read_text(encoding="utf-8")  # its links are as seen from notebooks/
    front = re.sub(r"\]\((?!https?:|#|\.\./)", "](notebooks/", front).replace("](../", "](")
    (staged / "index.md").write_text("\n\n".join([front, *contents]), encoding="utf-8")
    for text in [*staged.rglob("*.md"), *staged.rglob("*.ipynb")]:
        words = _ANCHOR.sub("", text.read_text(encoding="utf-8"))  # headings are anchors of their own here
        text.write_text(words, encoding="utf-8")


def _tree(caption: str, pages: Sequence[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", ":titlesonly:", "", *pages, "```"])


def _sphinx(staged: Path, built: Path) -> None:
    try:
        import furo  # noqa: F401
        import myst_nb  # noqa: F401
        from sphinx.application import Sphinx
    except ImportError as error:
        raise UserError(f"the book needs {error.name}: {install('book')}") from error
    settings: dict[str, Any] = {
        "project": "medattn_lite", "author": "the authors of medattn_lite", "html_title": "medattn_lite",
        "extensions": ["myst_nb", *EXTENSIONS, "medattn_lite.course.book_sphinx"], "html_theme": "furo",
        "nb_execution_mode": "off", "nb_render_markdown_format": "myst",
        "myst_heading_anchors": 4, "myst_enable_extensions": ["dollarmath", "amsmath"],
        "html_math_renderer": "mathml", "html_static_path": ["static"], "html_css_files": ["book.css"],
        "html_copy_source": False, "html_show_sourcelink": False, "html_show_copyright": False,
        "html_show_search_summary": False, "language": "en", "html_last_updated_fmt": None,
        "suppress_warnings": ["myst.header", "misc.highlighting_failure", "myst.xref_missing"], **SETTINGS,
    }  # fmt: skip
    try:
        app = Sphinx(str(staged), None, str(built), str(built / ".doctrees"), "html", confoverrides=settings,
                     status=None, warning=sys.stderr, freshenv=True)  # fmt: skip
        app.build()
    except Exception as error:
        raise UserError(f"Sphinx could not make the book: {type(error).__name__} {error}") from error
    finally:
        restore_signatures()
    if app.statuscode:
        raise UserError("Sphinx could not make the book; its warnings stand above")
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for plain, sphinx_text in _SAID:
            text = text.replace(plain, sphinx_text)
        page.write_text(text, encoding="utf-8")


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study book", description=__doc__.splitlines()[0])
    parser.add_argument("executed", type=Path, help="folder of executed notebooks")
    parser.add_argument("out", type=Path, help="folder of the site")
    options = parser.parse_args(arguments)
    print(build_book(options.executed, options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
