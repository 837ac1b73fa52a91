"""The teacher's pack: what is in it, whether its times are the report's, and whether assignments can be marked."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import nbformat
import pytest

from medattn_lite.course.assignments import assignments
from medattn_lite.course.generate import NOTEBOOKS, read_source, source_paths
from medattn_lite.course.run_check import check
from medattn_lite.course.stubs import strip_solutions
from medattn_lite.course.teacher import reading_minutes, teacher_pack, times
from medattn_lite.errors import UserError

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

NAMES = [path.stem for path in source_paths()]


def report(folder: Path, *, names: list[str] = NAMES, ok: bool = True) -> Path:
    runs = [{"name": name, "title": f"{name[:2]} · A title", "ok": ok, "seconds": 10.0 + k} for k, name in
            enumerate(names)]  # fmt: skip
    path = folder / "report.json"
    path.write_text(json.dumps({"environment": "two cores", "notebooks": runs}))
    return path


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    place = tmp_path_factory.mktemp("teacher")
    out = teacher_pack(report(place), place / "pack.zip")
    with zipfile.ZipFile(out) as opened:
        return {name.removeprefix("medattn_lite-teacher/"): opened.read(name) for name in opened.namelist()}


def test_the_pack_holds_all_a_teacher_needs(pack: dict[str, bytes]) -> None:
    pages = {"README.md", "syllabus_one_day.md", "syllabus_twelve_weeks.md", "rubric.md", "computer_room.md"}
    assert pages <= set(pack)
    for name in NAMES:
        assert {f"notebooks/solutions/{name}.ipynb", f"notebooks/slides/{name}.html"} <= set(pack)
    assert "pip install --no-index --find-links" in pack["computer_room.md"].decode()


def test_every_time_on_its_pages_is_filled_in_from_the_report(pack: dict[str, bytes]) -> None:
    for name in (name for name in pack if name.endswith(".md") and "/" not in name):
        assert not re.search(r"\{\w+(:\d\d)?\}", pack[name].decode()), name
    assert f"{10 + len(NAMES) - 1} |" in pack["README.md"].decode() and "two cores" in pack["README.md"].decode()
    assert f"({10 + NAMES.index('02_squeeze_excitation')} s)" in pack["syllabus_one_day.md"].decode()


def test_relative_links_of_the_packs_notebooks_lead_somewhere_in_it(pack: dict[str, bytes]) -> None:
    text = pack["assignments/source/03_cbam/03_cbam.ipynb"].decode()
    targets = set(re.findall(r"\]\((\.\./[^)#\s]+)", text))
    assert any(target.endswith("glossary.md") for target in targets)
    for target in targets:
        place = Path("/assignments/source/03_cbam", target).resolve().relative_to("/")
        assert str(place) in pack or (NOTEBOOKS.parent / place).exists(), target


def test_links_of_the_packs_pages_lead_somewhere_in_it(pack: dict[str, bytes]) -> None:
    linked = {(name, target) for name in pack if name.endswith(".md") and "/" not in name
              for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", pack[name].decode())}  # fmt: skip
    assert ("jupyterhub.md", "figures/course_times.md") in linked
    assert {(name, target) for name, target in linked if target not in pack} == set()


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = (teacher_pack(report(tmp_path), tmp_path / name).read_bytes() for name in ("1.zip", "2.zip"))
    assert one == two


@pytest.mark.parametrize(
    ("options", "says"), [({"names": NAMES[:2]}, "no run of"), ({"ok": False}, "failed: mend that")]
)
def test_half_a_course_makes_no_pack(tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        teacher_pack(report(tmp_path, **options), tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def test_without_a_report_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="medattn course"):
        teacher_pack(tmp_path / "report.json", tmp_path / "pack.zip")


@pytest.mark.parametrize("name", sorted(assignments()))
def test_each_exercise_is_answered_in_one_cell_and_marked_in_the_next(name: str) -> None:
    notebook = assignments()[name]
    nbformat.validate(notebook)
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    names = [cell.metadata["nbgrader"]["grade_id"] for cell in marked]
    assert len(set(names)) == len(names)
    answers, marks = marked[::2], marked[1::2]
    count = sum("exercise" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert len(answers) == len(marks) == count
    for answer, mark in zip(answers, marks, strict=True):
        assert "### BEGIN SOLUTION" in answer.source and answer.metadata["nbgrader"]["solution"]
        assert mark.metadata["nbgrader"]["points"] == 2 and mark.metadata["nbgrader"]["locked"]
        assert mark.source.rstrip().endswith("assert result.passed, str(result)")


def test_a_marking_cell_fails_on_the_stub_and_passes_on_the_solution() -> None:
    cells = [cell for cell in assignments()["02_squeeze_excitation"].cells if "nbgrader" in cell.metadata]
    answer, mark = cells[:2]
    for text, passes in ((strip_solutions(answer.source), False), (answer.source, True)):
        space: dict = {"check": check}
        exec("import torch\nfrom torch import nn\n" + text, space)
        if passes:
            exec(mark.source, space)
            assert space["result"].passed
        else:
            with pytest.raises(AssertionError, match="not attempted yet"):
                exec(mark.source, space)


def test_the_times_are_those_of_title_and_report(tmp_path: Path) -> None:
    by_notebook = times(json.loads(report(tmp_path).read_text()))
    assert by_notebook["02"].seconds == 10.0 + NAMES.index("02_squeeze_excitation")
    assert by_notebook["02"].exercises >= 3 and by_notebook["02"].title == "02 · A title"


@pytest.mark.parametrize("path", source_paths(), ids=lambda path: path.stem)
def test_the_minutes_in_a_title_are_those_that_its_words_and_lines_take(path: Path) -> None:
    notebook = read_source(path)
    minutes = int(re.search(r"\*\*(\d+) minutes to read", notebook.cells[0].source)[1])
    counted = reading_minutes(notebook)
    assert abs(minutes - counted) <= 5, f"the title says {minutes} minutes to read, its length says {counted}"


@pytest.mark.parametrize("path", source_paths(), ids=lambda path: path.stem)
def test_the_minutes_to_run_in_a_title_are_those_that_were_measured(path: Path) -> None:
    """Wall time differs between machines, so half as long and twice as long are still the title's minutes."""
    record = json.loads((NOTEBOOKS.parent / "figures" / "course_times.json").read_text(encoding="utf-8"))
    took = {scale: record[scale]["notebooks"][path.stem]["seconds"] / 60 for scale in ("smoke", "laptop")}
    title = read_source(path).cells[0].source.replace("one at `laptop`", "1 at `laptop`")
    words = re.search(r"(under|about) a minute to run,? at `smoke`(?:, (\d+) at `laptop`| and at `laptop`)\.", title)
    assert words, "the title says how long it takes to run at smoke and at laptop"
    assert took["smoke"] < (0.6 if words[1] == "under" else 2.0)
    minutes = float(words[2] or 0.5)
    assert minutes / 2 <= took["laptop"] <= minutes * 2


def test_the_packs_slides_have_the_pictures_of_the_run_that_gave_its_times(tmp_path: Path) -> None:
    path = report(tmp_path)
    for name in NAMES:
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
        shown = nbformat.v4.new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": "a head"}})
        cell.outputs = [shown]
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    with zipfile.ZipFile(teacher_pack(path, tmp_path / "pack.zip")) as opened:
        for name in NAMES:
            page = opened.read(f"medattn_lite-teacher/notebooks/slides/{name}.html").decode()
            assert PIXEL in page and PIXEL not in (NOTEBOOKS / "slides" / f"{name}.html").read_text(encoding="utf-8")
