"""Every notebook of the course: within its limits, clean, linked, and running on real patients.

On phantoms, at smoke scale, each is run by `tests/browser/test_notebooks_in_lab.py`.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from medattn_lite.course.generate import NOTEBOOKS, source_paths
from medattn_lite.course.links import images, relative_targets
from medattn_lite.course.run_course import notebook_paths
from medattn_lite.course.runner import parameter_names, run_notebook
from tests.course.exercise_source import check_call
from tests.notebooks.data_cells import only_data_lines
from tests.notebooks.fewer import fewer_patients, with_short_controls
from tests.notebooks.limits import CODE_LINES_MOST, MARKDOWN_WORDS, PARAMETERS, broken_limits, words

NAMES = [path.stem for path in source_paths(NOTEBOOKS)]
LEARNER = {name: NOTEBOOKS / f"{name}.ipynb" for name in NAMES}
COPIES = [pytest.param(NOTEBOOKS / part / f"{name}.ipynb", id=f"{part or 'learner'}-{name}")
          for part in ("", "solutions") for name in NAMES]
ON_ALL_PATIENTS = ("02",)  # slices of all of them
every_notebook = pytest.mark.parametrize("name", NAMES)
every_copy = pytest.mark.parametrize("path", COPIES)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name[:2] <= "08"])  # the others need phantoms
def test_a_notebook_runs_on_real_patients(name: str, tmp_path: Path, real_data: Path) -> None:
    """The code that depends on the data: the rest does the same on phantoms, where the whole notebook is run."""
    data, root = ("open-ms", real_data / "open_ms_data") if name[:2] == "06" else ("lgg", real_data / "kaggle_3m")
    if data == "lgg" and name[:2] not in ON_ALL_PATIENTS:
        root = fewer_patients(root, tmp_path / root.name)
    notebook = tmp_path / LEARNER[name].name
    nbformat.write(with_short_controls(only_data_lines(read(LEARNER[name]))), notebook)
    values = {"SCALE": "smoke", "DEVICE": "cpu", "SEED": 0, "DATA": data, "DATA_ROOT": str(root)}
    run = run_notebook(notebook, out=tmp_path / "run", parameters=values, cell_timeout=600)
    assert run.ok, "\n".join(run.errors)
    assert run.metrics, "a training notebook reports its figures"


def test_the_course_is_what_the_sources_are() -> None:
    assert [path.stem for path in notebook_paths(NOTEBOOKS)] == NAMES
    assert [name[:2] for name in NAMES] == sorted({name[:2] for name in NAMES}), "one notebook a number"


@every_notebook
def test_a_notebook_has_the_five_parameters_under_one_tag(name: str) -> None:
    assert set(parameter_names(read(LEARNER[name]), name=name)) >= PARAMETERS


@every_copy
def test_a_copy_has_no_outputs_and_no_widget_state(path: Path) -> None:
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
    nbformat.validate(notebook)


@every_notebook
def test_a_notebook_keeps_the_limits(name: str) -> None:
    assert broken_limits(read(LEARNER[name])) == []


@every_copy
def test_a_copys_links_and_pictures_exist_and_pictures_have_alt_text(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type != "markdown":
            continue
        for target in relative_targets(cell.source):
            assert not target or (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"
        for alt, target in images(cell.source):
            assert len(alt) > 10, f"the picture {target} in {path.name} says nothing to who cannot see it"


@every_notebook
def test_a_word_that_links_to_the_glossary_is_there(name: str) -> None:
    glossary = (NOTEBOOKS / "glossary.md").read_text()
    words_there = re.findall(r"^### (?:<a data-jupyter-id=\"([\w-]+)\"></a>)?(.+)$", glossary, re.MULTILINE)
    for anchor, word in words_there:  # JupyterLab finds the first, GitHub makes its own of the second
        assert anchor == word.lower().replace(" ", "-")
    linked = re.findall(r"\]\(glossary\.md#([^)]+)\)", "\n".join(cell.source for cell in read(LEARNER[name]).cells))
    assert linked and set(linked) <= {anchor for anchor, _ in words_there}


@every_notebook
def test_a_figure_quoted_beside_a_link_to_the_results_stands_on_that_page(name: str) -> None:
    page = (NOTEBOOKS.parent / "figures" / "results.md").read_text()
    for cell in read(LEARNER[name]).cells:
        if cell.cell_type == "markdown" and "figures/results.md" in cell.source:
            quoted = re.findall(r"[-−]?\d\.\d{3} \[[-−]?\d\.\d{3}, [-−]?\d\.\d{3}\]", cell.source)
            assert [figure for figure in quoted if figure.replace("−", "-") not in page] == []


def quotes_of_the_laptop_run(notebook: nbformat.NotebookNode) -> list[str]:
    """Decimal figures in the paragraphs that link to what the notebooks measured at laptop scale."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    paragraphs = [part for text in texts for part in text.split("\n\n") if "figures/course_laptop.md" in part]
    return [figure for part in paragraphs for figure in re.findall(r"\d\.\d{2,3}", part)]


@pytest.mark.parametrize("name", [name for name in NAMES if quotes_of_the_laptop_run(read(LEARNER[name]))])
def test_a_figure_quoted_from_the_laptop_run_was_measured_by_that_notebook(name: str) -> None:
    record = json.loads((NOTEBOOKS.parent / "figures" / "course_laptop.json").read_text(encoding="utf-8"))
    found = [metric.get(part) for metric in record[name]["metrics"] for part in ("value", "low", "high")]
    known = {f"{abs(value):.{digits}f}" for value in found if isinstance(value, float) for digits in (2, 3)}
    assert [figure for figure in quotes_of_the_laptop_run(read(LEARNER[name])) if figure not in known] == []


def test_one_notebook_quotes_the_laptop_run_and_the_others_measure() -> None:
    assert [name[:2] for name in NAMES if quotes_of_the_laptop_run(read(LEARNER[name]))] == ["08"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_builds_networks_with_the_options_of_one_network(name: str) -> None:
    """A recipe's `network` also holds other networks' options by name, which no constructor takes."""
    source = (NOTEBOOKS / "source" / f"{name}.py").read_text(encoding="utf-8")
    assert "**settings.network," not in source and "**settings.network)" not in source


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_a_notebook_leads_on_and_back(number: int) -> None:
    last = read(LEARNER[NAMES[number]]).cells[-1].source
    assert (f"({NAMES[number - 1]}.ipynb)" in last) == (number > 0)
    assert number == len(NAMES) - 1 or f"({NAMES[number + 1]}.ipynb)" in last


@every_notebook
def test_a_notebook_starts_with_a_title_minutes_and_what_it_takes(name: str) -> None:
    first = read(LEARNER[name]).cells[0].source
    assert re.match(rf"# {name[:2]}\b", first)
    assert re.search(r"\bmin(ute)?s?\b", first)


@every_notebook
def test_a_check_that_is_shown_is_the_last_line_of_its_cell(name: str) -> None:
    for cell in read(LEARNER[name]).cells:
        if cell.cell_type == "code":
            lines = [line.value for line in ast.walk(ast.parse(cell.source)) if isinstance(line, ast.Expr)]
            shown = [line for line in lines if isinstance(line, ast.Call) and getattr(line.func, "id", "") == "check"]
            assert len(shown) == (check_call(cell.source) is not None), cell.source


@every_notebook
def test_headings_go_down_one_step_at_a_time(name: str) -> None:
    texts = [cell.source for cell in read(LEARNER[name]).cells if cell.cell_type == "markdown"]
    prose = re.sub(r"```.*?```", "", "\n".join(texts), flags=re.DOTALL)
    headings = re.findall(r"^(#{1,6}) (.+)", prose, re.MULTILINE)
    assert len(headings[0][0]) == 1 and [len(mark) for mark, _ in headings].count(1) == 1
    for (before, _), (after, title) in zip(headings, headings[1:], strict=False):
        assert len(after) <= len(before) + 1, f"{title!r} skips a level"


def test_the_limits_notice_what_breaks_them() -> None:
    cells = [new_code_cell("x = 1\n" * (CODE_LINES_MOST + 1)), new_markdown_cell("word " * (MARKDOWN_WORDS + 1)),
             new_code_cell("y = 2")]
    lines = broken_limits(new_notebook(cells=cells))
    assert len(lines) == 5
    assert [any(part in line for line in lines) for part in
            ("3 cells", "1 of 3 cells are markdown", "in the median", "31 lines", "121 words")] == [True] * 5


def test_words_count_what_a_reader_reads() -> None:
    assert words("One [two words](http://a.b/c) $x + y$ `code`, well-known") == 6
