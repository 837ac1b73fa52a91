"""Which code of a notebook depends on its data: it is kept with what it needs, and the rest is left out."""

from __future__ import annotations

import builtins
import symtable

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from medattn_lite.course.generate import NOTEBOOKS, source_paths
from medattn_lite.course.runner import parameter_names
from tests.notebooks.data_cells import data_lines, only_data_lines

NAMES = [path.stem for path in source_paths(NOTEBOOKS)]
GIVEN_BY_JUPYTER = {"__name__", "display", "get_ipython"}


def notebook_of(*cells: str) -> nbformat.NotebookNode:
    parameters = new_code_cell('SCALE = "smoke"\nDATA = "phantom"\nDATA_ROOT = None')
    parameters.metadata["tags"] = ["parameters"]
    return new_notebook(cells=[new_markdown_cell("# Words"), parameters, *map(new_code_cell, cells)])


def kept(*cells: str) -> list[str]:
    """What is left of these cells, without the parameters."""
    return list(data_lines(notebook_of(*cells)).values())[1:]


def test_what_does_not_depend_on_the_data_is_left_out() -> None:
    assert kept("run = train(SCALE)", "heads = load(DATA, DATA_ROOT)", "show(run)", "show(heads)") == [
        "heads = load(DATA, DATA_ROOT)", "show(heads)"]


def test_of_another_cell_only_the_statements_that_are_needed_stay() -> None:
    cell = "import torch\nrun = train()\nSIZE = 3\n@torch.no_grad()\ndef half(x):\n    return x / SIZE"
    assert kept(cell, "show(half(load(DATA)))") == [
        "import torch\nSIZE = 3\n@torch.no_grad()\ndef half(x):\n    return x / SIZE", "show(half(load(DATA)))"]


def test_a_cell_that_depends_on_the_data_stays_whole() -> None:
    cell = "print('a figure')\ncount = len(DATA)"
    assert kept(cell) == [cell]


@pytest.mark.parametrize("changed", ["rows.append(1)", "rows[0] = 1", "rows.size = 1", "rows += [1]",
                                     "for _ in range(2):\n    rows.extend([1])", "if SCALE:\n    rows = [2]"])
def test_what_changes_a_needed_value_stays(changed: str) -> None:
    assert kept("rows = []", changed, "show(load(DATA), rows)") == ["rows = []", changed, "show(load(DATA), rows)"]


def test_a_method_may_change_what_its_object_was_made_of() -> None:
    cells = ["weights = zeros(8)", "optimiser = LBFGS([weights])", "optimiser.step()"]
    assert kept(*cells, "show(load(DATA), weights)") == [*cells, "show(load(DATA), weights)"]
    assert kept(*cells, "show(load(DATA))") == ["show(load(DATA))"]


def test_a_function_that_is_called_for_what_it_does_may_change_what_it_is_given() -> None:
    cells = ["model = Net()", "train(model)", "show(load(DATA), model)"]
    assert kept(*cells) == cells
    cells = ["model = Net()", "fit(model, load(DATA))", "print(model)"]
    assert kept(*cells) == cells
    assert kept("model = Net()", "print(model)", "load(DATA)") == ["load(DATA)"]


def test_dependence_goes_through_functions_loops_conditions_and_elements() -> None:
    for cell in ("def shown():\n    return heads", "for name in heads:\n    total = 1", "if heads:\n    total = 2",
                 "found = [one for one in SCALE if heads]", "table['x'] = heads"):  # fmt: skip
        assert kept("table = {}", "heads = load(DATA)", cell)[-1] == cell


def test_names_inside_functions_and_comprehensions_are_names_of_their_own() -> None:
    cells = ["x = load(DATA)", "total = sum(x for x in range(3))", "def twice(x):\n    return 2 * x", "twice(total)"]
    assert kept(*cells) == cells[:1]


def test_a_name_that_is_assigned_anew_depends_on_the_data_no_longer() -> None:
    assert kept("run = load(DATA)", "run = train()", "show(run)") == ["run = load(DATA)"]
    assert kept("run = load(DATA)", "if SCALE:\n    run = train()", "show(run)")[-1] == "show(run)"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_of_a_notebook_lacks_no_name(name: str) -> None:
    whole = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    part = only_data_lines(whole)
    nbformat.validate(part)
    assert parameter_names(part) == parameter_names(whole)
    known, later = set(dir(builtins)) | GIVEN_BY_JUPYTER, set()
    for cell in part.cells:
        if cell.cell_type == "code":
            table = symtable.symtable(cell.source, "cell", "exec")
            symbols = table.get_symbols()
            known |= {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
            later |= {one.get_name() for child in table.get_children() for one in child.get_symbols()
                      if one.is_global() and one.is_referenced()}  # a function may read what is assigned after it
            assert {symbol.get_name() for symbol in symbols if symbol.is_referenced()} <= known, cell.source
    assert later <= known
