"""What pyproject.toml cannot say: the course goes into the wheel, and one setting gives every address.

`[tool.medattn] repository` is the repository's address. With it the package's page on the index links to code, issues,
changes and book, and the README's links and pictures lead there; without it there is no link that could be a wrong one.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
BROUGHT = ("notebooks/*.ipynb", "notebooks/*.md", "notebooks/source/*.py", "notebooks/solutions/*.ipynb",
           "notebooks/slides/*.html", "notebooks/teacher/*.md", "figures/*.md", "figures/*.png")  # fmt: skip
LINK = re.compile(r"(!?)(\[(?:[^\[\]]|\[[^\[\]]*\])*\])\((?!https?:|mailto:|#)([^()\s]+)\)")


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


def setting() -> tuple[str, str]:
    """The repository's address, empty if nobody has said it, and its branch."""
    own = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["medattn"]
    return own["repository"].removesuffix("/").removesuffix(".git"), own["branch"]


def addresses(repository: str, branch: str) -> dict[str, str]:
    """What the index shows beside the package, as `[project.urls]` would say it."""
    if not repository:
        return {}
    owner, name = repository.split("/")[-2:]
    return {"Repository": repository, "Issues": f"{repository}/issues", "Book": f"https://{owner}.github.io/{name}/",
            "Changelog": f"{repository}/blob/{branch}/CHANGELOG.md"}  # fmt: skip


def read_me(text: str, repository: str, branch: str) -> str:
    """The README for the index, which knows no files of ours: links lead to the repository; without one, pictures go.

    A picture may stand in a table, its text may hold brackets.
    """

    def elsewhere(match: re.Match[str]) -> str:
        picture, words, place = match.groups()
        if repository:
            return f"{picture}{words}({repository}/{'raw' if picture else 'blob'}/{branch}/{place})"
        return words[1:-1] if not picture else f"*{words[1:-1]}*"

    return LINK.sub(elsewhere, text)


if __name__ == "__main__":
    repository, branch = setting()
    text = (HERE / "README.md").read_text(encoding="utf-8")
    setup(
        cmdclass={"build_py": BuildWithCourse}, project_urls=addresses(repository, branch),
        long_description=read_me(text, repository, branch), long_description_content_type="text/markdown",
    )  # fmt: skip
