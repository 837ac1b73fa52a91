"""The first cell and the badges: from one setting, silent where the package is installed, no address made up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from medattn_lite.course.anywhere import Address, badges, install_cell, read_address
from medattn_lite.course.course_folders import CHECKOUT
from medattn_lite.course.generate import write
from medattn_lite.errors import UserError


def project(folder: Path, repository: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(f'[tool.medattn]\nrepository = "{repository}"\nbranch = "course"\n', encoding="utf-8")
    return path


@pytest.mark.parametrize("address", ["https://github.com/someone/a-fork", "https://github.com/someone/a-fork.git",
                                     "https://github.com/someone/a-fork/"])  # fmt: skip
def test_one_setting_gives_owner_name_and_branch(tmp_path, address):
    assert read_address(project(tmp_path, address)) == Address("someone", "a-fork", "course")


@pytest.mark.parametrize("address", ["github.com/someone/x", "https://example.org/a/b", "https://github.com/only"])
def test_another_kind_of_address_is_refused(tmp_path, address):
    with pytest.raises(UserError, match="give https://github.com/OWNER/NAME"):
        read_address(project(tmp_path, address))


def test_without_an_address_there_are_no_badges(tmp_path):
    assert read_address(tmp_path / "none.toml") == Address() and badges(Address(), "notebooks/03_cbam.ipynb") == ""
    source = install_cell(Address()).source
    assert "pip\"" not in source and "raise ModuleNotFoundError" in source  # nobody knows whose package of that name is


def test_badges_stand_in_the_learners_title_and_open_this_notebook(tmp_path):
    (tmp_path / "notebooks/source").mkdir(parents=True)
    shutil.copy(CHECKOUT / "notebooks/source/00_start_here.py", tmp_path / "notebooks/source")
    project(tmp_path, "https://github.com/someone/a-fork")
    write(tmp_path / "notebooks")
    first = nbformat.read(tmp_path / "notebooks/00_start_here.ipynb", 4).cells[0].source
    for address in ("colab.research.google.com/github/someone/a-fork/blob/course/notebooks/00_start_here.ipynb",
                    "mybinder.org/v2/gh/someone/a-fork/course?urlpath=lab/tree/notebooks/00_start_here.ipynb",
                    "src=https://github.com/someone/a-fork/blob/course/notebooks/00_start_here.ipynb"):  # fmt: skip
        assert address in first
    assert "colab" not in nbformat.read(tmp_path / "notebooks/solutions/00_start_here.ipynb", 4).cells[0].source


def test_a_notebook_that_needs_scikit_survival_asks_for_it(tmp_path):
    (tmp_path / "notebooks/source").mkdir(parents=True)
    for name in ("00_start_here", "08_survival"):
        shutil.copy(CHECKOUT / f"notebooks/source/{name}.py", tmp_path / "notebooks/source")
    project(tmp_path, "https://github.com/someone/a-fork")
    write(tmp_path / "notebooks")
    cells = [nbformat.read(tmp_path / f"notebooks/{name}.ipynb", 4).cells[1].source for name in
             ("00_start_here", "08_survival")]  # fmt: skip
    assert '"medattn-lite @ git+https://github.com/someone/a-fork"' in cells[0]
    assert '"medattn-lite[survival] @ git+https://github.com/someone/a-fork"' in cells[1]


def test_without_an_address_and_without_the_package_the_cell_says_what_to_do():
    code = "import importlib.util; importlib.util.find_spec = lambda name: None\n" + install_cell(Address()).source
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 1 and "pip install its wheel" in done.stderr


@pytest.mark.parametrize("address", [Address(), Address("someone", "a-fork")])
@pytest.mark.parametrize("there", [True, False])
def test_a_missing_extra_is_named_before_a_cell_fails(address, there):
    """scikit-survival is left out of an install where it has no wheel."""
    fake = "lambda name: None if name == 'sksurv' else True" if not there else "lambda name: True"
    code = f"import importlib.util; importlib.util.find_spec = {fake}\n{install_cell(address, ['survival']).source}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    said = 'Parts of this notebook need scikit-survival: pip install "medattn-lite[survival]"'
    assert done.stdout.strip() == ("" if there else said)


@pytest.mark.parametrize("installed", [True, False])
def test_the_first_cell_installs_only_where_the_package_is_missing(tmp_path, installed):
    cell = install_cell(Address("someone", "a-fork"))
    fake_call = "subprocess.check_call = lambda command: print(command[-1])"
    missing = "" if installed else "import importlib.util; importlib.util.find_spec = lambda name: None"
    code = f"import subprocess\n{fake_call}\n{missing}\n{cell.source}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == ("" if installed else "medattn-lite @ git+https://github.com/someone/a-fork")
