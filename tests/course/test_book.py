"""The book: what it keeps of an executed notebook, what it refuses, and what its reader of pages finds."""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from medattn_lite.course.book import build_book
from medattn_lite.course.book_check import problems
from medattn_lite.course.book_notebook import book_notebook
from medattn_lite.errors import UserError
from medattn_lite.plots.show import DARK_PNG
from medattn_lite.widgets import view_volume
from tests.made_once import made_once

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "VBox(children=(IntSlider()))"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
MARKDOWN = f"| patient | AUC |\n| --- | --- |\n| {HOSTILE} | 0.9 |"
TEXT = """# A small page

A [tensor](glossary.md#tensor), a [source](../medattn_lite/errors.py) and $a^2$:

$$s_i = q^\\top k_i \\tag{1}$$

## Below
"""


def picture(alt: str = "A dot", **more: object) -> object:
    metadata = {"image/png": {"alt": alt}} if alt else {}
    return new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure>", **more}, metadata=metadata)


def executed(folder: Path, *outputs: object, name: str = "01_small") -> Path:
    cell = new_code_cell("show()", outputs=list(outputs), execution_count=1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    language = {"language_info": {"name": "python"}}
    nbformat.write(new_notebook(cells=[new_markdown_cell(TEXT), cell], metadata=language), path)
    return path


def cleaned(tmp_path: Path, *outputs: object) -> list:
    page, figures = tmp_path / "page.ipynb", tmp_path / "figures"
    figures.mkdir()
    book_notebook(executed(tmp_path / "run", *outputs), page, figures)
    return nbformat.read(page, as_version=4).cells[1].outputs


def write_small_book(place: Path) -> None:
    """One book of three notebooks, for the tests of this file and for those in Chromium."""
    shown = [picture("A slider's picture", **WIDGET), picture("A slider's picture"),
             new_output("stream", name="stdout", text="AUC 0.9\n")]  # fmt: skip
    executed(place / "run", *shown)
    hostile = [new_output("stream", name="stdout", text=f"patient {HOSTILE}\n"),
               new_output("display_data", {"text/html": "<p onclick='alert(1)'>P1<script>alert(1)</script></p>"}),
               new_output("display_data", {"text/plain": "<Markdown>", "text/markdown": MARKDOWN})]  # fmt: skip
    executed(place / "run", *hostile, name="02_hostile")
    in_the_dark = picture("A slider's picture", **WIDGET, **{DARK_PNG: PIXEL})
    executed(place / "run", in_the_dark, new_output("stream", name="stdout", text="0.9"), name="03_dark")
    build_book(place / "run", place / "site")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "book", write_small_book) / "site"


def test_an_explorer_is_dark_on_a_dark_page(tmp_path: Path) -> None:
    night = base64.b64encode(b"the dark picture").decode()
    explorer = picture("A slider's picture", **{**WIDGET, DARK_PNG: night})
    [one] = cleaned(tmp_path, explorer, picture("A slider's picture"))
    html = one.data["text/html"]
    assert html.count('alt="A slider') == 2 and "only-light" in html and "only-dark" in html and "DARK" not in html
    assert (tmp_path / "figures" / "01_small-1-dark.png").read_bytes() == b"the dark picture"
    assert (tmp_path / "figures" / "01_small-1.png").read_bytes() == base64.b64decode(PIXEL)


def test_a_viewers_page_stays_in_the_book(tmp_path: Path) -> None:
    page = ' title="a head" srcdoc="&lt;script&gt;go()&lt;/script&gt;"></iframe>'
    [one] = cleaned(tmp_path, new_output("display_data", {"text/html": f"<iframe{page}", "text/plain": "a head"}))
    assert one.data["text/html"] == f'<iframe sandbox="allow-scripts"{page}'  # it runs, and sees nothing of the book
    view = view_volume(np.random.default_rng(0).random((8, 8, 8)).astype("float32"), title="a <b>head</b>")
    (tmp_path / "real").mkdir()
    [one] = cleaned(tmp_path / "real", new_output("display_data", {"text/html": view._frame(), "text/plain": "a head"}))
    assert one.data["text/html"].startswith('<iframe sandbox="allow-scripts" ') and "<b>" not in one.data["text/html"]
    others = (f"<b>x</b><iframe{page}", f'<iframe src="https://example.org"{page}', f'<iframe sandbox=""{page}',
              f'<iframe onload="go()"{page}', f'<iframe allow="camera"{page}')  # fmt: skip
    for number, other in enumerate(others):
        (tmp_path / str(number)).mkdir()
        shown = new_output("display_data", {"text/html": other, "text/plain": "a head"})
        [one] = cleaned(tmp_path / str(number), shown)
        assert "iframe" not in one.data["text/html"]


def test_a_widget_stands_as_its_figure_once_and_a_progress_bar_not_at_all(tmp_path: Path) -> None:
    bar = new_output("display_data", dict(WIDGET))
    noise = new_output("stream", name="stderr", text="warming up")
    outputs = cleaned(tmp_path, bar, noise, picture("Moved & still", **WIDGET), picture("Moved & still"))
    assert len(outputs) == 1 and set(outputs[0].data) == {"text/html"}
    assert 'alt="Moved &amp; still"' in outputs[0].data["text/html"]
    assert (tmp_path / "figures" / "01_small-1.png").read_bytes() == base64.b64decode(PIXEL)


def test_a_quiz_keeps_what_it_says_in_html_and_what_only_the_report_reads_goes(tmp_path: Path) -> None:
    quiz = new_output("execute_result", {**WIDGET, "text/html": "<p>Which?</p><script>go()</script>"})
    metric = new_output("display_data", {"application/vnd.medattn.metric+json": {}, "text/plain": "AUC: 0.9"})
    outputs = cleaned(tmp_path, quiz, metric)
    assert outputs[0].data["text/html"] == "<p>Which?</p>"
    assert outputs[1].data == {"text/plain": "AUC: 0.9"}


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ([], "was not run"),
        ([picture(alt="")], "no alternative text"),
        ([new_output("error", ename="ValueError", evalue="no", traceback=[])], "cell 2: ValueError: no"),
    ],
)
def test_what_cannot_be_a_page_is_refused(tmp_path: Path, outputs: list, says: str) -> None:
    with pytest.raises(UserError, match=says):
        cleaned(tmp_path, *outputs)


def test_outside_a_clone_one_line_says_where_the_book_is_made(tmp_path: Path) -> None:
    executed(tmp_path / "run", picture("a"))
    with pytest.raises(UserError, match="made in a clone"):
        build_book(tmp_path / "run", tmp_path / "book", root=tmp_path)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    executed(tmp_path / "run", picture())
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    with pytest.raises(UserError, match="nothing is overwritten"):
        build_book(tmp_path / "run", tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    with pytest.raises(UserError, match="run medattn course"):
        build_book(tmp_path / "thesis", tmp_path / "site")


def test_the_book_needs_no_network_and_its_formulas_are_mathml(book: Path) -> None:
    page = (book / "notebooks" / "01_small.html").read_text(encoding="utf-8")
    assert problems(book) == []  # no script, style or picture from elsewhere; every link leads somewhere
    assert page.count("<math") == 2 and "mathjax.js" not in page.lower()
    assert page.count("01_small-1.png") == 1 and "01_small-2" not in page and "AUC 0.9" in page
    assert 'href="glossary.html#tensor"' in page
    assert "errors.py" not in page and ">source<" in page  # a link out of the book becomes its words
    assert (book / "searchindex.js").exists() and (book / "figures" / "results.html").exists()


def test_a_patient_s_name_runs_nothing_in_the_book_and_a_table_stays_a_table(book: Path) -> None:
    page = (book / "notebooks" / "02_hostile.html").read_text(encoding="utf-8")
    assert "<p>P1" in page
    assert not any(text in page for text in ("<script>alert", "<img src=x", "onclick", '<img src="x"'))
    assert page.count("&lt;script&gt;alert(1)") >= 2  # printed, and in the cell of the table
    assert "<table" in page and "&lt;Markdown&gt;" not in page


def test_the_reader_of_pages_finds_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<h1>One</h1><h3>Three</h3><a href="gone.html">x</a><a href="#nowhere">x</a><a href="https://a.example">x</a>'
        '<img src="gone.png"><script src="https://a.example/x.js"></script>'
    )
    problem_lines = "\n".join(problems(tmp_path))
    for line in ("gone.html is not there", "#nowhere is not there", "gone.png is not there", "no alternative text",
                 "https://a.example/x.js comes from another host", "level 1 is followed by 3"):  # fmt: skip
        assert line in problem_lines
    assert len(problems(tmp_path)) == 6
