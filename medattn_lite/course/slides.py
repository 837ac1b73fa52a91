"""One HTML page of slides a notebook: arrow keys, no network, no script from elsewhere.

A heading begins a slide; what follows it, up to the next heading, goes on the same one; a heading with nothing
under it is dropped, and text that would be higher than a screen goes on over several slides. Code goes on a slide only
where its cell is tagged `slide`. Hints, exercises and cells tagged `no-slide` stay off, and so do figure captions where
the figures are not there (`slides_pictures` makes the decks that have them).
Printing the page (or saving it as PDF) puts one slide on a sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from medattn_lite.course.links import moved_down
from medattn_lite.course.mathml import mathml
from medattn_lite.course.slides_layout import LINES, blocks, height, portions

_HEADING = re.compile(r"#{1,3} ")
_HEADED = re.compile(r"<(h[1-6])[^>]*>.*?</\1>", re.DOTALL)
CAPTION = re.compile(r"^[*_]+Figures? \d.*?(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


def slide_type(cell: Any) -> str:
    """What a cell does in a slide show: "slide", "-" (goes on) or "skip"; the author's own word wins."""
    slide = cell.metadata.get("slideshow", {}).get("slide_type")
    if slide:
        return slide
    tags = cell.metadata.get("tags", [])
    if "no-slide" in tags or "exercise" in tags or "<details" in cell.source:
        return "skip"
    if cell.cell_type == "markdown":
        return "slide" if _HEADING.match(cell.source.lstrip()) else "-"
    return "-" if "slide" in tags else "skip"


def slides_page(notebook: Any, *, title: str, figures: Mapping[int, Sequence[str]] | None = None) -> str:
    """The whole page.

    Args:
        notebook: the notebook with solutions, links as seen from `notebooks/`.
        title: the page's title.
        figures: by the place of a cell, the figures that it shows, as HTML; each gets a slide.
    """
    slides: list[list[str]] = []
    heading, taken = "", 0.0  # what stands above a slide that goes on, and how many lines of it are taken
    for place, cell in enumerate(notebook.cells):
        kind = slide_type(cell)
        shown = kind not in ("skip", "notes") and cell.source.strip()
        code = cell.cell_type == "code"
        pieces = [] if not shown else [_code(cell.source)] if code else _texts(cell.source)
        for number, (piece, lines) in enumerate(pieces):
            headed = _HEADED.match(piece)
            starts = headed is not None or (number == 0 and kind in ("slide", "subslide"))
            if starts or not slides:
                slides.append([])
                taken = 0.0
            elif taken + lines > LINES:
                slides.append([heading])
                taken = 2.5
            heading = headed.group(0) if headed else heading
            slides[-1].append(piece)
            taken += lines
        for figure in (figures or {}).get(place, ()):
            slides.append([heading, figure])
            taken = LINES
    slides = [parts for number, parts in enumerate(slides) if number == 0 or not _bare(parts)]
    sections = "\n".join(
        f'<section id="slide-{number}" tabindex="-1" aria-label="Slide {number} of {len(slides)}">\n'
        + "\n".join(parts) + f'\n<footer>{escape(title)} · {number} / {len(slides)}</footer>\n</section>'
        for number, parts in enumerate(slides, start=1)
    )
    return _PAGE.replace("{title}", escape(title)).replace("{sections}", sections)


def _code(source: str) -> tuple[str, float]:
    """A cell's code as HTML, and the lines that it takes."""
    return f"<pre><code>{_coloured(source)}</code></pre>", height(f"```\n{source}")


def _texts(markdown: str) -> list[tuple[str, float]]:
    """A cell's text as HTML, a portion for each slide, and the lines that each takes."""
    parts = [part for piece in _pieces(markdown) for part in portions(piece)]
    return [(rendered(part), sum(map(height, blocks(part)))) for part in parts]


def _bare(parts: list[str]) -> bool:
    """A heading and nothing under it, as of a section of exercises."""
    return len(parts) == 1 and re.fullmatch(r"<h[1-6][^>]*>[^\n]*</h[1-6]>", parts[0]) is not None


def _pieces(markdown: str) -> list[str]:
    """A cell's text cut before each heading, without captions: the pictures they belong to are not here."""
    pieces: list[list[str]] = [[]]
    fenced = False
    for line in markdown.split("\n"):
        fenced ^= line.startswith("```")
        if _HEADING.match(line) and not fenced:
            pieces.append([])
        pieces[-1].append(line)
    texts = (CAPTION.sub("", "\n".join(lines)).strip() for lines in pieces)
    return [text for text in texts if text]


def rendered(markdown: str) -> str:
    """Markdown as HTML, formulas as MathML, links as seen from the slides' folder."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    reader.use(dollarmath_plugin, allow_space=False, double_inline=True,
               renderer=lambda tex, options: mathml(tex, display=options["display_mode"]))
    return reader.render(moved_down(markdown, notebook_suffix=".html")).strip()


def _coloured(code: str) -> str:
    """Python as HTML; the classes are Pygments' short names (k keyword, s string, m number, c comment)."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(code, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root { color-scheme: light dark; --edge: #8a8f98; --soft: #f3f4f6; --key: #7a1fa2; --text: #0b6e3b; --note: #5a6270; }
@media (prefers-color-scheme: dark) {
  :root { --soft: #23262d; --key: #d6a3ff; --text: #8fd6a8; --note: #aab2c0; }
}
body { margin: 0; font: 20px/1.5 system-ui, sans-serif; }
section { display: none; box-sizing: border-box; min-height: 100vh; padding: 5vh 8vw 4em; position: relative; }
section.shown { display: block; }
section:focus { outline: none; }
.no-script section { display: block; border-bottom: 1px solid var(--edge); }
h1 { font-size: 2em; line-height: 1.2; } h2 { font-size: 1.6em; line-height: 1.2; } h3 { font-size: 1.25em; }
pre { background: var(--soft); padding: .8em 1em; overflow-x: auto; font-size: .8em; border-radius: .3em; }
code { font-family: ui-monospace, monospace; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--edge); padding: .3em .8em; text-align: left; }
img { max-width: 100%; max-height: 60vh; }
figure { margin: 0; } figure img { max-height: 62vh; background: white; } figure > :not(img) { font-size: .8em; }
math { font-size: 1.1em; }
pre [class^=k] { color: var(--key); } pre [class^=s] { color: var(--text); }
pre [class^=c], footer { color: var(--note); }
footer { position: absolute; left: 8vw; bottom: 1.2em; font-size: .7em; }
@media print { section { display: block; min-height: 0; page-break-after: always; } }
</style>
</head>
<body class="no-script">
<main>
{sections}
</main>
<script>
const slides = [...document.querySelectorAll("section")];
let current = 0;
function fit(slide) {  // smaller text where a slide is higher than the screen, or its code wider than the slide
  const tooLarge = () => slide.scrollHeight > window.innerHeight
    || [...slide.querySelectorAll("pre")].some((code) => code.scrollWidth > code.clientWidth);
  for (let size = 20; size >= 13; size--) {
    slide.style.fontSize = size + "px";
    if (!tooLarge()) return;
  }
}
window.addEventListener("resize", () => fit(slides[current]));
function show(number) {
  current = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i === current));
  fit(slides[current]);
  slides[current].focus({ preventScroll: true });
  window.scrollTo(0, 0);
  history.replaceState(null, "", "#slide-" + (current + 1));
}
document.body.classList.remove("no-script");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 }[event.key];
  if (step) { event.preventDefault(); show(current + step); }
  if (event.key === "Home") show(0);
  if (event.key === "End") show(slides.length - 1);
});
window.addEventListener("hashchange", () => show(Number(location.hash.replace("#slide-", "")) - 1 || 0));
show(Number(location.hash.replace("#slide-", "")) - 1 || 0);
</script>
</body>
</html>
"""
