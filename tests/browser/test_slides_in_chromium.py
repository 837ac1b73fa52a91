"""Slides in Chromium: none is higher than the screen, no code is wider than its slide, every picture is there."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from medattn_lite.course.course_folders import CHECKOUT
from medattn_lite.course.slides_pictures import write_decks

pytestmark = pytest.mark.browser

MEASURE = """() => slides.map((slide, number) => {
  show(number);
  return {high: slide.scrollHeight - innerHeight, size: parseFloat(getComputedStyle(slide).fontSize),
          wide: Math.max(0, ...[...slide.querySelectorAll("pre")].map((code) => code.scrollWidth - code.clientWidth)),
          pictures: [...slide.querySelectorAll("img")].map((image) => image.naturalWidth),
          captions: slide.querySelectorAll("figcaption").length};
})"""
DECKS = sorted((CHECKOUT / "notebooks" / "slides").glob("*.html"))
SENTENCE = "This sentence stands for the text of a lecture, and it is neither long nor short, but there are many. "
CODE = "total = " + " + ".join(f"value_{number}" for number in range(9)) + "  # (B, C, D, H, W)"


def picture(width: int, height: int) -> str:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height))
    held = io.BytesIO()
    figure.savefig(held, format="png")
    plt.close(figure)
    return base64.b64encode(held.getvalue()).decode()


def measured(browser: object, deck: Path, size: tuple[int, int]) -> list[dict]:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})  # type: ignore[attr-defined]
    page.goto(deck.as_uri())
    slides = page.evaluate(MEASURE)
    page.close()
    return slides


def too_large(slides: list[dict]) -> list[tuple[int, dict]]:
    """Slides higher than the screen, with code wider than they are, or in letters that a lecture hall cannot read."""
    return [(number, slide) for number, slide in enumerate(slides, start=1)
            if slide["high"] > 0 or slide["wide"] > 0 or slide["size"] < 13]  # fmt: skip


@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_every_slide_of_the_course_fits_a_laptop(deck: Path, browser: object) -> None:
    """The decks beside the notebooks, which hold the text; those of a run hold its figures on slides of their own."""
    slides = measured(browser, deck, (1366, 768))
    assert len(slides) > 6 and too_large(slides) == []


@pytest.mark.parametrize("size", [(1366, 768), (1024, 768), (1920, 1080)])
def test_every_slide_fits_the_screen(tmp_path: Path, browser: object, size: tuple[int, int]) -> None:
    rows = "\n".join(f"| claim {number} | {SENTENCE} | {SENTENCE} |" for number in range(14))
    code = new_code_cell("\n".join([CODE] * 16), metadata={"tags": ["slide"]})
    metadata = {"image/png": {"alt": "a picture"}}
    code.outputs = [new_output("display_data", data={"image/png": picture(*shape)}, metadata=metadata)
                    for shape in ((12, 4), (4, 12))]  # fmt: skip
    nbformat.write(new_notebook(cells=[
        new_markdown_cell("# Title\n\n" + SENTENCE * 8),
        new_markdown_cell("## Text\n\n" + "\n\n".join([SENTENCE * 4] * 9)),
        new_markdown_cell(f"## Table\n\n| what | paper | here |\n| --- | --- | --- |\n{rows}"),
        new_markdown_cell("## Code"), code, new_markdown_cell("*Figures 01.1 and 01.2.* " + SENTENCE),
    ]), tmp_path / "01_one.ipynb")  # fmt: skip
    slides = measured(browser, write_decks(tmp_path, tmp_path / "out")[0], size)
    assert len(slides) > 6 and too_large(slides) == []
    assert [slide["captions"] for slide in slides if slide["pictures"]] == [1, 1]
    assert all(width > 0 for slide in slides for width in slide["pictures"])
