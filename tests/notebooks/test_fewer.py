"""What is made short for real patients: a third of the cases with all that describes them, and the controls' steps."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from medattn_lite.course.generate import NOTEBOOKS, source_paths
from medattn_lite.positive_controls import train, train_control
from tests.notebooks.fewer import STEPS, fewer_patients, with_short_controls

NAMES = [path.stem for path in source_paths(NOTEBOOKS)]


def test_every_third_case_and_every_table_are_linked(tmp_path: Path) -> None:
    root = tmp_path / "cases"
    for number in range(7):
        (root / f"case_{number}").mkdir(parents=True)
    (root / "table.csv").write_text("one", encoding="utf-8")
    few = fewer_patients(root, tmp_path / "few")
    assert sorted(path.name for path in few.iterdir()) == ["case_0", "case_3", "case_6", "table.csv"]
    assert (few / "case_3").resolve() == root / "case_3" and (few / "table.csv").read_text(encoding="utf-8") == "one"


def test_controls_are_short_after_the_parameters_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = new_code_cell("SCALE = 'smoke'")
    parameters.metadata["tags"] = ["parameters"]
    whole = new_notebook(cells=[new_code_cell("1"), parameters, new_code_cell("2")])
    sources = [cell.source for cell in with_short_controls(whole).cells]
    assert [*sources[:2], *sources[3:]] == ["1", "SCALE = 'smoke'", "2"] and len(whole.cells) == 3
    monkeypatch.setattr(train, "SETTINGS", train.SETTINGS)
    exec(sources[2], {})
    assert len(train_control("zoom", "none").losses) == STEPS


@pytest.mark.parametrize("name", NAMES)
def test_controls_of_every_notebook_can_be_made_short(name: str) -> None:
    nbformat.validate(with_short_controls(nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)))
