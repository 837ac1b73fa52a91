"""The report's page holds names and outputs as text; the kernel's sockets and style are its own."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from medattn_lite.course.kernel import kernel_environment, kernel_manager_class
from medattn_lite.course.report import report_page
from medattn_lite.course.runner import run_notebook
from tests.course.notebook_maker import make_notebook

HOSTILE = ['x"><script>alert(1)</script>', "a' onmouseover='b", "<img src=x onerror=y>", "a b\x1b[2J\nc", "é & ü",
           "\udcff"]


class Tags(HTMLParser):
    """The tags of a page, with their attributes, and every anchor and link."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))


def page_of(out: Path, text: str, png: str = "iVBORw0KGgo=") -> str:
    output = nbformat.v4.new_output("display_data", data={"text/plain": text, "image/png": png})
    notebook = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_markdown_cell(f"# {text}"), nbformat.v4.new_code_cell("1", outputs=[output])])
    (out / "run.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8", errors="backslashreplace")
    entry = {"name": text, "title": text, "ok": False, "seconds": 1.0, "peak_memory_mb": 1.0, "metrics": [],
             "exercises": {text: text}, "errors": [text], "executed": "run.ipynb"}
    record = {"notebooks": [entry], "parameters": {"SCALE": text}, "environment": text, "seconds": 1.0, "started": text,
              "planned": 1}
    return report_page(record, out)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_or_output_becomes_a_tag_or_an_attribute(tmp_path: Path, text: str) -> None:
    expected = {(tag, *sorted(attributes)) for tag, attributes in Tags(page_of(tmp_path, "plain")).tags}
    tags = Tags(page_of(tmp_path, text)).tags
    assert {(tag, *sorted(attributes)) for tag, attributes in tags} == expected
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    assert len(ids) == 1 and not any(character.isspace() for character in next(iter(ids)))


@pytest.mark.parametrize("png", ['iVBO"><script>alert(1)</script>', "javascript:alert(1)", "<svg onload=a>"])
def test_a_picture_that_is_none_is_left_out(tmp_path: Path, png: str) -> None:
    page = page_of(tmp_path, "plain", png)
    assert "<img" not in page and "script" not in page.lower().replace("javascript", "script!").split("</style>")[1]


@pytest.mark.parametrize("length", [60, 90, 110, 200])
def test_sockets_of_a_long_temporary_folder_are_ports(tmp_path: Path, length: int) -> None:
    scratch = tmp_path / ("x" * max(1, length - len(str(tmp_path)) - 1))
    scratch.mkdir(parents=True)
    manager = kernel_manager_class(scratch)()
    longest = len(os.fsencode(str(scratch / "kernel"))) + len("-5")
    assert (manager.transport == "tcp") == (longest > 94)
    assert manager.transport == "tcp" or longest < 104


def test_a_notebook_runs_in_a_long_temporary_folder_and_with_a_style_that_needs_latex(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    monkeypatch.setenv("TMPDIR", str(deep))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    monkeypatch.setattr("tempfile.tempdir", None)
    code = "import matplotlib\nassert not matplotlib.rcParams['text.usetex']"
    path = make_notebook(tmp_path / "01_one.ipynb", code)
    run = run_notebook(path, out=tmp_path / "out", parameters={})
    assert run.ok, run.errors
    assert Path(kernel_environment(deep)["MATPLOTLIBRC"]).read_text() == ""


def test_a_figure_of_ours_needs_no_latex_whatever_the_user_s_style_says() -> None:
    import matplotlib as mpl

    from medattn_lite.plots.style import STYLE

    with mpl.rc_context({"text.usetex": True}), mpl.rc_context(STYLE):
        assert not mpl.rcParams["text.usetex"]
