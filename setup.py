"""Puts the course into the wheel: notebooks, solutions, slides, glossary and the figures that they link to.

Everything else stands in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
BROUGHT = ("notebooks/*.ipynb", "notebooks/*.md", "notebooks/source/*.py", "notebooks/solutions/*.ipynb",
           "notebooks/slides/*.html", "figures/*.md", "figures/*.png")  # fmt: skip


class BuildWithCourse(build_py):
    """Copies the course beside the code that starts it."""

    def run(self) -> None:
        super().run()
        shipped = Path(self.build_lib) / "medattn_lite" / "course" / "shipped"
        for pattern in BROUGHT:
            for path in sorted(HERE.glob(pattern)):
                target = shipped / path.relative_to(HERE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(cmdclass={"build_py": BuildWithCourse})
