"""Examples in docstrings are run: each public function of four rooms has one, and what it prints is what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
from typing import Any

import pytest
import torch

ROOMS = [f"medattn_lite.{room}" for room in ("attention", "networks", "evaluation", "plots")]
# `show` displays in a notebook. A view is the picture of one widget, which calls it.
WITHOUT = {"medattn_lite.plots": {"show"}}


def public(room: str) -> dict[str, Any]:
    module = importlib.import_module(room)
    return {name: getattr(module, name) for name in module.__all__}


def examples_of(name: str, value: Any) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(inspect.getdoc(inspect.unwrap(value)) or "", name)


WITH_EXAMPLES = [(room, name) for room in ROOMS for name, value in public(room).items()
                 if callable(value) and examples_of(name, value)]  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_function_has_an_example(room: str) -> None:
    functions = {name: value for name, value in public(room).items() if inspect.isroutine(value)}
    exempt = WITHOUT.get(room, set()) | {name for name in functions if name.endswith("_view")}
    assert [name for name, value in functions.items() if not examples_of(name, value) and name not in exempt] == []


@pytest.mark.parametrize(("room", "name"), WITH_EXAMPLES, ids=lambda part: part.removeprefix("medattn_lite."))
def test_an_example_prints_what_it_says(room: str, name: str) -> None:
    assert run(name, public(room)[name]) == ""


def run(name: str, value: Any) -> str:
    """The differences, in doctest's words; "" where there is none."""
    torch.manual_seed(0)
    output: list[str] = []
    examples = doctest.DocTest(examples_of(name, value), {}, name, None, None, None)
    doctest.DocTestRunner(verbose=False).run(examples, out=output.append)
    return "".join(output)


def test_a_wrong_example_is_noticed() -> None:
    def off_by_one(number: int) -> int:
        """
        >>> 1 + 1
        3
        """

    assert "Expected:\n    3\nGot:\n    2" in run("off_by_one", off_by_one)
