"""The README's table: its rule holds, it leaves nothing out, and it is what its records make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from medattn_lite.cli import main
from medattn_lite.data.versions import INTENSITY, PHANTOM, versions
from medattn_lite.errors import UserError
from medattn_lite.evaluation.readme_table import BEGIN, END, MEASURES, SYSTEMS, readme_table, with_table
from medattn_lite.training.recipes import NAMES

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "figures" / "results"
RECORDS = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
RUNS = [record for record in RECORDS if "tables" not in record]


def test_the_table_in_the_readme_is_what_its_records_make():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert text.split(BEGIN)[1].split(END)[0].strip() == readme_table(FOLDER, recipes=NAMES)


def test_every_run_has_a_row_with_every_comparison_of_its_recipe():
    rows = [line for line in readme_table(FOLDER, recipes=NAMES).splitlines() if line.startswith("| ")][2:]
    assert len([row for row in rows if "not run yet" not in row]) == len(RUNS)
    lines = "\n".join(rows)
    for run in RUNS:
        for pair in run["comparisons"]:
            for measure in MEASURES.get(run["recipe"].split("-")[0], ("AUC",)):
                difference = pair["difference"][measure]
                text = f"{difference['value']:.3f}"
                if difference["low"] is not None:  # too few patients of one class for an interval
                    text += f" [{difference['low']:.3f}, {difference['high']:.3f}]"
                assert any(f"{pair['first']} " in row and text in row for row in rows), (run["recipe"], pair["first"])
    ran = {run["recipe"] for run in RUNS}
    assert all((SYSTEMS.get(name, name) in lines) for name in NAMES)
    assert lines.count("not run yet") == len(set(NAMES) - ran)


def test_a_run_that_was_left_out_of_the_folder_changes_the_table(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "records")
    whole = readme_table(tmp_path / "records", recipes=NAMES)
    (tmp_path / "records" / "lesions-phantom-laptop-0.json").unlink()
    assert readme_table(tmp_path / "records", recipes=NAMES) != whole


def test_the_recipes_own_task_stands_first_then_other_labels_then_changed_settings(tmp_path):
    base = {"recipe": "survival", "scale": "laptop", "folds": 5, "variants": {}, "comparisons": [],
            "environment": {"versions": versions("phantom")}}  # fmt: skip
    kinds = {"a": {"data": "phantom", "changes": {"subjects": 9}}, "b": {"data": "lgg"}, "d": {"data": "phantom"},
             "c": {"data": "lgg", "settings": {"folds": 5, "options": {"label": "idh"}}}}  # fmt: skip
    for name, kind in kinds.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({**base, **kind}))
    rows = [line for line in readme_table(tmp_path).splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[1] for row in rows] == [
        "phantom (synthetic); `laptop`; 5 folds or splits", "lgg (real patients); `laptop`; 5 folds or splits",
        "lgg (real patients), idh; `laptop`; 5 folds or splits",
        "phantom (synthetic); `laptop`; 5 folds or splits; changed settings: subjects 9",
    ]  # fmt: skip


def test_a_run_made_with_an_older_phantom_or_scale_is_named(tmp_path):
    base = {"recipe": "survival", "scale": "laptop", "folds": 5, "variants": {}, "comparisons": []}
    old = {"phantom": PHANTOM - 1, "intensity": INTENSITY}
    kinds = {"a": {"data": "phantom", "environment": {"versions": old}}, "b": {"data": "lgg"},
             "c": {"data": "lgg", "environment": {"versions": old}}}  # fmt: skip
    for name, kind in kinds.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({**base, **kind}))
    text = readme_table(tmp_path)
    assert text.count("†") == 3 and "still to be made anew: 2 of 3 runs" in text  # a, b, and the rule


def test_the_command_writes_between_the_marks_and_keeps_the_rest(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nlast year's\n{END}\nafter\n")
    out = ["--keep", str(FOLDER), "--out", str(tmp_path / "results.md")]
    assert main(["results", *out, "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n**The rule") and text.endswith(f"{END}\nafter\n")
    assert "last year" not in text
    readme.write_text("no marks")
    assert main(["results", *out, "--readme", str(readme)]) == 2
    assert "has no place for the table" in capsys.readouterr().err and readme.read_text() == "no marks"
    with pytest.raises(UserError, match="no place"):
        with_table(tmp_path / "none.md", "x")
