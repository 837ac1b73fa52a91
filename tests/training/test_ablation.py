"""The study of a recipe's choices: no test patient is touched, rows stay, and the page says what was taken back."""

from __future__ import annotations

import pytest

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.training.ablation import STUDIED, WHOLE, inner_split
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task


@pytest.fixture(scope="module")
def task():
    recipe = find_recipe("lesions")
    return open_task(recipe, recipe.at("smoke"), progress=False)


def test_no_test_patient_is_trained_on_or_scored(task):
    fold = task.splits()[0]
    for seed in range(5):
        split = inner_split(task, held=1, seed=seed)
        assert set(split.train) | set(split.test) == set(fold.train) and not set(split.train) & set(split.test)
        assert len(split.test) == 1 and not set(fold.test) & {*split.train, *split.test}
    assert len({inner_split(task, held=1, seed=seed).test for seed in range(20)}) > 1
    with pytest.raises(UserError, match="--held 9: the first fold trains on"):
        inner_split(task, held=9, seed=0)


@pytest.mark.parametrize("name", STUDIED)
def test_each_row_changes_the_settings_of_real_patients(name):
    recipe = find_recipe(name)
    base = recipe.at("laptop", "lgg")
    _, variant, studied = STUDIED[name]
    recipe.variant(variant)
    settings = {row: with_changes(base, changes) for row, changes in studied.items()}
    assert settings[WHOLE] == base
    assert all(changed != base for row, changed in settings.items() if row != WHOLE)


def test_rows_stay_and_the_page_compares_them_with_the_whole(tmp_path, capsys, monkeypatch):
    words = ["study", "ablation", "--scale", "smoke", "--iterations", "1", "--held", "1", "--quiet",
             "--rows", str(tmp_path / "rows"), "--out", str(tmp_path / "page.md")]  # fmt: skip
    assert main([*words, "--only", WHOLE]) == 0
    [first] = sorted((tmp_path / "rows").iterdir())
    written = first.read_bytes()
    monkeypatch.setattr("medattn_lite.training.trainer.Trainer.fit", lambda *arguments: pytest.fail("trained again"))
    assert main([*words, "--only", WHOLE]) == 0
    monkeypatch.undo()
    assert main([*words, "--only", "published loss"]) == 0
    assert first.read_bytes() == written and len(list((tmp_path / "rows").iterdir())) == 2
    page = (tmp_path / "page.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert lines[1].startswith(f"| {WHOLE} | ") and lines[2].startswith("| published loss | ")
    assert "One training a row, from seed 100" in page and "scored on 1 others" in page
    assert main([*words, "--only", "magic"]) == 2
    assert "use as it is" in capsys.readouterr().err
