"""Slides in Chromium: none is higher than the screen, no code is wider than its slide, every picture is there."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from medattn_lite.course.slides_pictures import write_decks

pytestmark = pytest.mark.browser

MEASURE = """() => slides.map((slide, number) => {
  show(number);
  return {high: slide.scrollHeight - innerHeight, size: parseFloat(getComputedStyle(slide).fontSize),
          wide: Math.max(0, ...[...slide.querySelectorAll("pre")].map((code) => code.scrollWidth - code.clientWidth)),
          pictures: [...slide.querySelectorAll("img")].map((image) => image.naturalWidth),
          captions: slide.querySelectorAll("figcaption").length};
})"""
SENTENCE = "This sentence stands for the text of a lecture, and it is neither long nor short, but there are many. "
CODE = "total = " + " + ".join(f"value_{number}" for number in range(9)) + "  # (B, C, D, H, W)"


def picture(width: int, height: int) -> str:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height))
    held = io.BytesIO()
    figure.savefig(held, format="png")
    plt.close(figure)
    return base64.b64encode(held.getvalue()).decode()


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
    page = write_decks(tmp_path, tmp_path / "out")[0]
    shown = browser.new_page(viewport={"width": size[0], "height": size[1]})  # type: ignore[attr-defined]
    shown.goto(page.as_uri())
    slides = shown.evaluate(MEASURE)
    shown.close()
    assert len(slides) > 6 and max(slide["high"] for slide in slides) <= 0
    assert max(slide["wide"] for slide in slides) == 0 and min(slide["size"] for slide in slides) >= 13
    assert [slide["captions"] for slide in slides if slide["pictures"]] == [1, 1]
    assert all(width > 0 for slide in slides for width in slide["pictures"])
