"""The API reference: every public name of every room, made without a warning, formulas as they stand."""

from __future__ import annotations

import importlib
import inspect
import io
from pathlib import Path

import pytest

from medattn_lite.course.book_api import EXTENSIONS, SETTINGS, restore_signatures, rooms, to_rst, write_api
from medattn_lite.course.book_check import problems


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The pages alone, and what Sphinx complained of."""
    from sphinx.application import Sphinx

    place, warnings = tmp_path_factory.mktemp("api"), io.StringIO()
    pages = write_api(place / "source" / "api")
    contents = "\n".join(["Names", "=====", "", ".. toctree::", "", *(f"   api/{page}" for page in pages)])
    (place / "source" / "index.rst").write_text(contents)
    settings = {"extensions": [*EXTENSIONS, "medattn_lite.course.book_sphinx"], **SETTINGS, "html_theme": "basic",
                "html_math_renderer": "mathml", "project": "medattn_lite", "html_copy_source": False}  # fmt: skip
    app = Sphinx(str(place / "source"), None, str(place / "html"), str(place / "trees"), "html", settings, status=None,
                 warning=warnings, freshenv=True)  # fmt: skip
    app.build()
    assert defaults_of_sphinx()
    restore_signatures()
    return place / "html", warnings.getvalue()


def defaults_of_sphinx() -> list[str]:
    """Functions and methods of public names whose defaults, for whoever asks, are objects of Sphinx."""
    names = []
    for room in rooms():
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            methods = inspect.getmembers(value, callable) if inspect.isclass(value) else []
            for documented in (value, *(method for _, method in methods)):
                signature = getattr(documented, "__dict__", {}).get("__signature__")
                parameters = signature.parameters.values() if isinstance(signature, inspect.Signature) else []
                if any(type(parameter.default).__name__ == "DefaultValue" for parameter in parameters):
                    names.append(f"{room}.{name}")
    return names


def test_signatures_are_those_of_the_source_after_a_book_was_made(built) -> None:
    assert not defaults_of_sphinx()
    estimator = importlib.import_module("medattn_lite.survival").CoxEstimator
    assert inspect.signature(estimator).parameters["seed"].default == 0


def test_the_reference_is_made_without_a_warning_and_without_a_broken_link(built: tuple[Path, str]) -> None:
    site, warnings = built
    # a second Sphinx in one process says so of each of its own node classes
    lines = [line for line in warnings.splitlines() if "is already registered" not in line]
    assert lines == []
    assert [line for line in problems(site) if "is not there" in line and "_static" not in line] == []


def test_every_public_name_stands_on_its_room_s_page(built: tuple[Path, str]) -> None:
    assert {f"medattn_lite.{room}" for room in ("attention", "networks", "evaluation", "plots")} <= set(rooms())
    missing = []
    for room in rooms():
        page = (built[0] / "api" / f"{room.replace('.', '_')}.html").read_text(encoding="utf-8")
        names = [name for name in importlib.import_module(room).__all__ if name != "__version__"]
        missing += [f"{room}.{name}" for name in names if f">{name}</span>" not in page]
    assert missing == []


def test_signatures_arguments_and_formulas_are_shown(built: tuple[Path, str]) -> None:
    page = (built[0] / "api" / "medattn_lite_attention.html").read_text(encoding="utf-8")
    assert "spatial_dims" in page and "channels of the input and the output" in page
    evaluation = (built[0] / "api" / "medattn_lite_evaluation.html").read_text(encoding="utf-8")
    assert "Raises" in evaluation and "UserError" in evaluation


def test_a_docstring_becomes_text_code_and_blocks_and_no_markup() -> None:
    docstring = ["|S| of `x_` times y*, see f_.", "", "    z = |a| * b_        (B, C)", "      + c", "",
                 "Behind it.", "", "Args:", "    x: of `shape`.", "    **options: a|b.", "",
                 ">>> f_(2) * 3", "6", ""]  # fmt: skip
    assert to_rst(docstring) == [
        r"\|S\| of ``x_`` times y\*, see f\_.", "", "::", "", "    z = |a| * b_        (B, C)", "      + c", "",
        "Behind it.", "", "Args:", "    x: of ``shape``.", r"    \*\*options: a\|b.", "", ">>> f_(2) * 3", "6",
    ]  # fmt: skip
