"""`medattn start` and the wheel: the course outside a checkout, and nothing of the learner's lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medattn_lite.cli import _parser
from medattn_lite.course.course_folders import CHECKOUT
from medattn_lite.course.links import relative_targets
from medattn_lite.course.start import RECORD, copy_course, own_notebooks
from medattn_lite.errors import UserError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A small course."""
    (tmp_path / "home" / "notebooks" / "solutions").mkdir(parents=True)
    (tmp_path / "home" / "notebooks" / "source").mkdir()
    (tmp_path / "home" / "figures" / "results").mkdir(parents=True)
    for name in ("notebooks/00_a.ipynb", "notebooks/01_b.ipynb", "notebooks/solutions/00_a.ipynb",
                 "notebooks/source/00_a.py", "figures/parity.md", "figures/results/x.json"):  # fmt: skip
        (tmp_path / "home" / name).write_text(f"{name}, version 1", encoding="utf-8")
    return tmp_path / "home"


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_learner_gets_notebooks_solutions_and_figures_and_no_sources(home, tmp_path):
    done = copy_course(tmp_path / "mine", home=home)
    assert sorted(done.new) == sorted(set(everything(tmp_path / "mine")) - {RECORD})
    assert done.new == ["notebooks/00_a.ipynb", "notebooks/01_b.ipynb", "notebooks/solutions/00_a.ipynb",
                        "figures/parity.md"]  # fmt: skip
    assert copy_course(tmp_path / "mine", home=home).lines() == ["everything is there already"]


def test_what_the_learner_changed_stays_and_what_not_is_renewed(home, tmp_path):
    mine = tmp_path / "mine"
    copy_course(mine, home=home)
    (mine / "notebooks/00_a.ipynb").write_text("my answers", encoding="utf-8")
    (mine / "notebooks/my_own.ipynb").write_text("mine", encoding="utf-8")
    before = everything(mine)
    assert copy_course(mine, home=home).same and everything(mine) == before, "the same version changes nothing"
    for name in ("00_a", "01_b"):
        (home / f"notebooks/{name}.ipynb").write_text("version 2", encoding="utf-8")
    for _ in range(2):  # also when asked again
        done = copy_course(mine, home=home)
        assert done.kept == ["notebooks/00_a.ipynb"] and "notebooks/00_a.ipynb" in done.lines()[-1]
        assert (mine / "notebooks/00_a.ipynb").read_text(encoding="utf-8") == "my answers"
        assert (mine / "notebooks/01_b.ipynb").read_text(encoding="utf-8") == "version 2"
        assert (mine / "notebooks/my_own.ipynb").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("record", ["", "[]", "{broken", json.dumps({"notebooks/00_a.ipynb": 3})])
def test_without_its_record_every_file_that_differs_is_the_learners(home, tmp_path, record):
    mine = tmp_path / "mine"
    copy_course(mine, home=home)
    (mine / RECORD).write_text(record, encoding="utf-8")
    (home / "notebooks/00_a.ipynb").write_text("version 2", encoding="utf-8")
    assert copy_course(mine, home=home).kept == ["notebooks/00_a.ipynb"]
    assert "version 1" in (mine / "notebooks/00_a.ipynb").read_text(encoding="utf-8")


def test_a_file_and_the_course_itself_are_refused(home, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="is a file: name a folder"):
        copy_course(tmp_path / "file", home=home)
    with pytest.raises(UserError, match="is the course itself"):
        copy_course(home, home=home)


def test_every_link_of_a_copy_leads_somewhere_in_it(tmp_path):
    copy_course(tmp_path / "mine")
    dead, kept = set(), 0
    for path in [*(tmp_path / "mine").rglob("*.md"), *(tmp_path / "mine").rglob("*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
            text = "\n".join("".join(cell["source"]) for cell in cells)
        targets = set(relative_targets(text))
        kept += len(targets)
        dead |= {(path.name, target) for target in targets if not (path.parent / target).exists()}
    assert dead == set() and kept > 200
    assert "[CONTRIBUTING]" in (CHECKOUT / "notebooks/README.md").read_text(encoding="utf-8")  # there is one to lose


def test_in_a_copy_of_the_course_its_own_notebooks_are_run(home, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    copy_course(mine, home=home)
    assert own_notebooks(mine) == mine / "notebooks" and own_notebooks(tmp_path) == CHECKOUT / "notebooks"
    monkeypatch.chdir(mine)
    assert _parser().parse_args(["course"]).notebooks.resolve() == mine / "notebooks"


def test_the_wheel_holds_all_that_a_learner_or_teacher_opens():
    """What is taken along is a list of patterns in setup.py: none of the course's files is outside them."""
    patterns = re.search(r"BROUGHT = \((.*?)\)", (CHECKOUT / "setup.py").read_text(encoding="utf-8"), re.DOTALL)[1]
    brought = {path for pattern in re.findall(r'"([^"]+)"', patterns) for path in CHECKOUT.glob(pattern)}
    kinds = (".ipynb", ".md", ".html", ".py")
    course = {path for path in (CHECKOUT / "notebooks").rglob("*") if path.suffix in kinds}
    course = {path for path in course if ".ipynb_checkpoints" not in path.parts}
    assert course - brought == set() and set((CHECKOUT / "notebooks/teacher").glob("*.md")) <= brought


@pytest.mark.slow
def test_the_wheel_brings_the_course_and_runs_it_outside_the_checkout(tmp_path):
    pytest.importorskip("setuptools")
    tree = tmp_path / "tree"
    kept = shutil.ignore_patterns(".venv", "runs", ".git", "__pycache__", "shared", "build", "*.egg-info", ".*_cache")
    shutil.copytree(CHECKOUT, tree, ignore=kept)
    installed, work = tmp_path / "installed", tmp_path / "work"
    work.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheel", tree], check=True)
    [wheel] = (tmp_path / "wheel").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, wheel], check=True)
    outside = {**os.environ, "PYTHONPATH": str(installed)}
    medattn = [sys.executable, "-m", "medattn_lite.cli"]
    subprocess.run([*medattn, "start", "mine", "--no-lab"], check=True, cwd=work, env=outside)
    assert len(list((work / "mine/notebooks").glob("*.ipynb"))) == 13
    where = subprocess.run([sys.executable, "-c", "import medattn_lite; print(medattn_lite.__file__)"], check=True,
                           cwd=work, env=outside, capture_output=True, text=True)  # fmt: skip
    assert str(installed) in where.stdout
    command = [*medattn, "course", "--only", "03", "--out", "run"]  # the learner's own copy
    subprocess.run(command, check=True, cwd=work / "mine", env=outside)
    assert (work / "mine/run/report.html").is_file()
    facts = json.loads((work / "mine/run/report.json").read_text(encoding="utf-8"))
    assert [(run["name"], run["ok"]) for run in facts["notebooks"]] == [("03_cbam", True)]


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("kind", ["link to nowhere", "folder", "pipe"])
def test_what_lies_where_a_file_of_the_course_belongs_is_left_alone(kind, home, tmp_path):
    place = tmp_path / "mine" / "notebooks" / "00_a.ipynb"
    place.parent.mkdir(parents=True)
    {"link to nowhere": lambda: place.symlink_to(tmp_path / "elsewhere.txt"), "folder": place.mkdir,
     "pipe": lambda: os.mkfifo(place)}[kind]()  # fmt: skip
    assert copy_course(tmp_path / "mine", home=home).kept == ["notebooks/00_a.ipynb"]
    assert not (tmp_path / "elsewhere.txt").exists()


def test_a_copy_that_was_stopped_leaves_no_half_file_that_would_count_as_the_learners(home, tmp_path, monkeypatch):
    mine, real = tmp_path / "mine", os.replace
    copy_course(mine, home=home)
    for name in ("00_a", "01_b"):
        (home / f"notebooks/{name}.ipynb").write_text("version 2", encoding="utf-8")

    def killed(part, path):
        if str(path).endswith("01_b.ipynb"):
            raise KeyboardInterrupt
        real(part, path)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        copy_course(mine, home=home)
    assert (mine / "notebooks/01_b.ipynb").read_text(encoding="utf-8") == "notebooks/01_b.ipynb, version 1"
    monkeypatch.setattr(os, "replace", real)
    done = copy_course(mine, home=home)
    assert (done.renewed, done.kept) == (["notebooks/01_b.ipynb"], [])
