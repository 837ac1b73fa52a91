"""Make the learner's notebooks, the solutions and the slides from `notebooks/source/`.

    medattn notebooks            writes what has changed
    medattn notebooks --check    names what is stale; exit code 1 if anything is

One direction only: the texts in `source/` are edited by hand, everything else is written from them, with
cell ids made from the text and no times in it, so that making them again changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medattn_lite.course.anywhere import badges, extras_of, install_cell, read_address
from medattn_lite.course.course_folders import course_home
from medattn_lite.course.links import moved_down
from medattn_lite.course.slides import slide_type, slides_page
from medattn_lite.course.stubs import keep_solutions, strip_solutions
from medattn_lite.errors import UserError, ends_in_one_line

NOTEBOOKS = course_home() / "notebooks"
_NAME = re.compile(r"^\d\d_[a-z0-9_]+$")
_KEPT_METADATA = ("tags", "slideshow", "jupyter", "editable", "deletable")
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


def source_paths(folder: Path = NOTEBOOKS) -> list[Path]:
    """The hand-edited sources, in the course's order.

    Raises:
        UserError: there is no `source` folder, or nothing in it.
    """
    paths = sorted(path for path in (folder / "source").glob("*.py") if _NAME.match(path.stem))
    if not paths:
        raise UserError(f"{folder / 'source'} has no NN_name.py: give the folder that holds source/")
    return paths


def read_source(path: Path) -> Any:
    """A source as a notebook, solutions and their markers still in it; the cells' ids come from their text."""
    import jupytext
    from nbformat.v4 import new_notebook

    raw = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    seen: dict[str, int] = {}
    for cell in raw.cells:
        cell.metadata = {key: cell.metadata[key] for key in _KEPT_METADATA if key in cell.metadata}
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell.metadata["slideshow"] = {"slide_type": slide_type(cell)}
    return new_notebook(cells=raw.cells, metadata=_METADATA)


def generated(folder: Path = NOTEBOOKS) -> dict[Path, str]:
    """Every generated file with the text it should have.

    Raises:
        UserError: a source cannot be turned into notebooks; the message names it.
    """
    paths = source_paths(folder)
    sources = {path.stem: read_source(path) for path in paths}
    titles = {name: _title(name, source) for name, source in sources.items()}
    address = read_address(folder.parent / "pyproject.toml")
    texts: dict[Path, str] = {}
    for number, path in enumerate(paths):
        before = paths[number - 1].stem if number else None
        after = paths[number + 1].stem if number + 1 < len(paths) else None
        name = path.stem
        try:
            source = sources[name]
            navigation = _navigation(before, after, titles)
            opened = badges(address, f"notebooks/{name}.ipynb")
            code = "\n".join(cell.source for cell in source.cells if cell.cell_type == "code")
            install = install_cell(address, extras_of(code))
            learner = _copy(source, navigation, opened, install, solutions=False)
            teacher = _copy(source, navigation, "", install, solutions=True)
            page = slides_page(teacher, title=titles[name])
        except ValueError as error:
            raise UserError(f"{path.name}: {error}") from error
        texts[folder / f"{name}.ipynb"] = _json(learner)
        texts[folder / "solutions" / f"{name}.ipynb"] = _json(_one_folder_down(teacher))
        texts[folder / "slides" / f"{name}.html"] = page
    return texts


def stale(folder: Path = NOTEBOOKS) -> list[str]:
    """What differs from its source, is missing, or has no source; one line each."""
    texts = generated(folder)
    lines = []
    for path, text in texts.items():
        shown = path.relative_to(folder)
        if not path.exists():
            lines.append(f"{shown} is missing")
        elif path.read_bytes() != text.encode():
            lines.append(f"{shown} differs from its source")
    made = [*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb"), *folder.glob("slides/*.html")]
    lines += [f"{p.relative_to(folder)} has no source" for p in sorted(made) if _NAME.match(p.stem) and p not in texts]
    return lines


def write(folder: Path = NOTEBOOKS) -> list[Path]:
    """Write what has changed, and only that; returns the files written."""
    written = []
    for path, text in generated(folder).items():
        if path.exists() and path.read_bytes() == text.encode():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(text.encode())  # bytes: a line ends the same way on every system
        os.replace(new, path)
        written.append(path)
    return written


def _copy(source: Any, navigation: str, opened: str, install: Any, *, solutions: bool) -> Any:
    """The learner's or the teacher's copy; links as seen from `notebooks/`."""
    from nbformat.v4 import new_markdown_cell, new_notebook

    cells = []
    for number, original in enumerate(source.cells, start=1):
        cell = type(original)(original.copy())
        tags = cell.metadata.get("tags", [])
        if ("solution-only" in tags and not solutions) or ("learner-only" in tags and solutions):
            continue
        stripped = strip_solutions(cell.source, where=f"cell {number}")  # in both: it finds unbalanced markers
        cell.source = keep_solutions(cell.source) if solutions else stripped
        cells.append(cell)
    if opened:
        cells[0].source += f"\n\n{opened}"
    cells.insert(1, install)
    end = new_markdown_cell(navigation, id="navigation", metadata={"slideshow": {"slide_type": "skip"}})
    return new_notebook(cells=[*cells, end], metadata=source.metadata)


def _one_folder_down(notebook: Any) -> Any:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = moved_down(cell.source)
    return notebook


def _navigation(before: str | None, after: str | None, titles: dict[str, str]) -> str:
    parts = [
        f"← [{titles[before]}]({before}.ipynb)" if before else "",
        "[All notebooks](README.md)",
        f"[{titles[after]}]({after}.ipynb) →" if after else "",
    ]
    return "---\n" + "  |  ".join(part for part in parts if part).replace("|", "·")


def _title(name: str, source: Any) -> str:
    """The heading that the first cell starts with, as plain words."""
    first = source.cells[0] if source.cells else None
    match = re.match(r"#{1,2} (.+)", first.source) if first is not None and first.cell_type == "markdown" else None
    if match is None:
        raise UserError(f"{name}.py has no heading: its first cell must be markdown and start with '# ' and the title")
    return re.sub(r"[*`\[\]]", "", match.group(1)).strip()


def _json(notebook: Any) -> str:
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the notebooks, or with `--check` say which are stale."""
    parser = argparse.ArgumentParser(prog="medattn notebooks", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if anything is stale")
    parser.add_argument("--notebooks", type=Path, default=NOTEBOOKS, metavar="DIR", help="where source/ is")
    options = parser.parse_args(arguments)
    if options.check:
        lines = stale(options.notebooks)
        print("\n".join(lines) or "every notebook is as its source makes it")
        return 1 if lines else 0
    written = write(options.notebooks)
    print("\n".join(f"wrote {path.relative_to(options.notebooks)}" for path in written) or "nothing has changed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
