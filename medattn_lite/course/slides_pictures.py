"""Slides with the pictures of a run: one figure a slide, with its caption.

    medattn course --out runs/course
    medattn study slides runs/course runs/slides

The decks beside the notebooks are made from the text alone. These hold what the executed notebooks show, in one file
each, so that they can be shown where there is neither Python nor a network.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from medattn_lite.course.report import picture_alt
from medattn_lite.course.slides import CAPTION, rendered, slides_page
from medattn_lite.errors import UserError, ends_in_one_line

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_NUMBER = re.compile(r"^\d\d_\w+$")


@dataclass(frozen=True)
class Figure:
    """A picture of an executed notebook.

    Attributes:
        png: the picture in base64.
        alt: its description.
        caption: the Markdown under it; empty if the notebook has none.
    """

    png: str
    alt: str
    caption: str

    def html(self) -> str:
        """The figure, for a slide."""
        under = f"<figcaption>{rendered(self.caption)}</figcaption>" if self.caption else ""
        return f'<figure><img alt="{escape(self.alt)}" src="data:image/png;base64,{self.png}">{under}</figure>'


def figures(notebook: Any) -> dict[int, list[Figure]]:
    """The pictures of a notebook by the place of their cell, each once, with the caption that follows it.

    The captions of a cell of text belong to the pictures between it and the text before, in order; a single caption
    ("above …, below …", "Figures 04.4 to 04.6") to each of them. A caption without a picture is dropped.
    """
    waiting: list[tuple[int, str, str]] = []
    by_cell: dict[int, list[Figure]] = {}
    last = ""

    def attach_captions(captions: list[str]) -> None:
        for number, (place, png, alt) in enumerate(waiting):
            caption = captions[0] if len(captions) == 1 else captions[number] if number < len(captions) else ""
            by_cell.setdefault(place, []).append(Figure(png, alt, caption))
        waiting.clear()

    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            captions = [match.group(0).strip() for match in CAPTION.finditer(cell.source)]
            attach_captions(captions)
            continue
        for output in cell.get("outputs", []):
            png = "".join(str(output.get("data", {}).get("image/png", "")).split())
            if png and png != last and _BASE64.fullmatch(png):  # the figure under a widget is the one it shows
                waiting.append((place, png, picture_alt(output)))
                last = png
    attach_captions([])
    return by_cell


def write_decks(executed: Path, out: Path) -> list[Path]:
    """A deck for each executed notebook of a folder.

    Args:
        executed: folder of executed notebooks, as `medattn course` writes it.
        out: where the pages go; decks of before are replaced, nothing else.

    Raises:
        UserError: there are no executed notebooks, or one was not run.
    """
    import nbformat

    names = sorted(path for path in executed.glob("*.ipynb") if _NUMBER.match(path.stem))
    if not names:
        raise UserError(f"{executed} has no executed notebooks: run medattn course --out {executed} first")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for path in names:
        notebook = nbformat.read(path, as_version=4)
        shown = figures(notebook)
        if not shown:
            raise UserError(f"{path} shows no figure: was it run? medattn course --out {executed} does it")
        page = out / f"{path.stem}.html"
        title = re.sub(r"[*`$#]", "", notebook.cells[0].source.strip().split("\n")[0]).strip()
        pieces = {place: [figure.html() for figure in cell_figures] for place, cell_figures in shown.items()}
        page.write_text(slides_page(notebook, title=title, figures=pieces), encoding="utf-8")
        written.append(page)
    return written


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study slides",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("executed", type=Path, help="folder of executed notebooks")
    parser.add_argument("out", type=Path, help="folder of the decks")
    options = parser.parse_args(arguments)
    print("\n".join(map(str, write_decks(options.executed, options.out))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
