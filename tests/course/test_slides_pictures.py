"""Decks with pictures: one figure a slide, a caption only under its figure, text in portions of a screen."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from medattn_lite.course.slides import slides_page
from medattn_lite.course.slides_layout import LINES, blocks, height, portions
from medattn_lite.course.slides_pictures import figures, main, write_decks
from medattn_lite.errors import UserError

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OTHER = PNG.replace("DUlEQVR42mNk", "DUlEQVR42mNg")


def shows(*pngs: str) -> nbformat.NotebookNode:
    return new_code_cell("draw()", outputs=[
        new_output("display_data", data={"image/png": png}, metadata={"image/png": {"alt": f"picture {number}"}})
        for number, png in enumerate(pngs)])  # fmt: skip


def notebook_of(*cells: nbformat.NotebookNode | str) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_markdown_cell(each) if isinstance(each, str) else each for each in cells])


def test_a_caption_stands_under_the_pictures_before_it_and_nowhere_else() -> None:
    by_place = figures(notebook_of(
        "# Title", shows(PNG), "No caption here.", shows(OTHER),
        "*Figure 05.1.* The second.", "*Figure 05.2.* No picture.",
        shows(PNG, OTHER), "*Figures 05.3 and 05.4.* Both.", shows(PNG), shows(OTHER),
        "*Figure 05.5.* One.\n\n*Figure 05.6.* Two.\n\nText.",
    ))
    captions = [(place, figure.caption) for place, shown in by_place.items() for figure in shown]
    assert captions == [(1, ""), (3, "*Figure 05.1.* The second."), (6, "*Figures 05.3 and 05.4.* Both."),
                        (6, "*Figures 05.3 and 05.4.* Both."), (8, "*Figure 05.5.* One."), (9, "*Figure 05.6.* Two.")]


def test_a_widget_s_picture_that_is_shown_again_is_one_figure_and_what_is_no_picture_is_none() -> None:
    by_place = figures(notebook_of("# Title", shows(PNG), shows(PNG), shows('x"><script>'), "*Figure 01.1.* Once."))
    assert [(place, len(shown)) for place, shown in by_place.items()] == [(1, 1)]


def test_a_deck_has_a_slide_for_each_figure_with_the_heading_of_its_section(tmp_path: Path) -> None:
    notebook = notebook_of("# Title\n\nHello.", "## A section\n\nText.", shows(PNG, OTHER), "*Figure 01.1.* Seen.",
                           "After it.")  # fmt: skip
    nbformat.write(notebook, tmp_path / "01_one.ipynb")
    page = write_decks(tmp_path, tmp_path / "out")[0].read_text()
    slides = page.split("<section")[1:]
    assert [slide.count("<figure>") for slide in slides] == [0, 0, 1, 1, 0]
    assert all("A section</h2>" in slide for slide in slides[1:]) and "After it." in slides[4]
    assert page.count("<figcaption>") == 2 and 'alt="picture 0"' in slides[2]
    assert "Figure 01.1" not in slides_page(notebook, title="t")  # without pictures no caption


def test_a_folder_without_runs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(UserError, match="no executed notebooks"):
        write_decks(tmp_path, tmp_path / "out")
    nbformat.write(notebook_of("# Title", new_code_cell("1")), tmp_path / "01_one.ipynb")
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "was it run?" in capsys.readouterr().err


PARAGRAPH = "A sentence that goes on for about a hundred characters, so that one line of a slide is filled by it. " * 3


def test_long_text_is_cut_between_its_blocks_and_nothing_is_lost() -> None:
    text = "## Heading\n\n" + "\n\n".join(f"{number}. {PARAGRAPH}".replace(". ", " ", 1) for number in range(12))
    parts = portions(text)
    assert len(parts) > 1 and parts[0].startswith("## Heading\n\n0 ")
    assert "\n\n".join(parts) == text
    assert all(sum(map(height, blocks(part))) <= LINES for part in parts)


def test_fences_formulas_and_lists_stay_whole_and_a_long_table_is_cut_between_its_rows() -> None:
    whole = ["```\na\n\nb\n```", "$$\nx\n\ny\n$$", "- one\n\n- two"]
    assert blocks("\n\n".join(whole)) == whole
    table = "\n".join(["| a | b |", "| --- | --- |", *(f"| row {number} | {'word ' * 30} |" for number in range(30))])
    parts = portions("## Table\n\n" + table)
    assert len(parts) > 2 and all("| a | b |\n| --- | --- |\n| row" in part for part in parts)
    assert [f"row {number} " in "".join(parts) for number in range(30)] == [True] * 30
