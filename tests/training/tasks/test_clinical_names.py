"""Clinical columns are found in any spelling, and a column that is not used is named."""

from __future__ import annotations

import math

import pytest

from medattn_lite.cli import main
from medattn_lite.course.own_folder import make_own_folder
from medattn_lite.training.tasks.clinical import clinical_values, not_used


@pytest.mark.parametrize("meta", [
    {"age": 61, "grade": "G3", "idh": "mutant", "resection": "GTR"},
    {"Age (years)": 61, "Grade": "G3", "IDH status": "Mutant", "Extent of Resection": "GTR"},
    {"age_years": 61.0, "age": 5, "GRADE": "G3", "IDH": "m", "Resection": "GTR"},
])  # fmt: skip
def test_spelling_does_not_matter(meta):
    values = clinical_values(meta)
    assert values == {"age": 61.0, "high grade": 1.0, "IDH mutation": 1.0, "gross total resection": 1.0,
                      "biopsy only": 0.0}  # fmt: skip


def test_what_is_not_known_is_nan_and_what_is_not_used_is_named():
    assert all(math.isnan(value) for value in clinical_values({"ageing": 3, "case": "a"}).values())
    assert not_used([{"age": 3, "case": "a", "voxel_size_mm": 1, "time": 4.0}]) == ""
    assert "Karnofsky, site; it knows age" in not_used([{"Karnofsky": 90, "age": 3}, {"site": "b"}])


@pytest.mark.slow
def test_the_run_says_which_columns_it_did_not_use(tmp_path, capsys):
    pytest.importorskip("sksurv", reason="the extra 'survival' is not installed")
    root = make_own_folder(tmp_path / "mine", n=12, shape=(22, 26, 22), spacing_mm=7.0, faults=False)
    rows = (root / "cases.csv").read_text().splitlines()
    more = [f"{100 * number + 60},{number % 3 > 0:d},{50 + number},{number % 2}" for number in range(12)]
    (root / "cases.csv").write_text("\n".join([rows[0] + ",time,event,Age,Karnofsky",
                                               *(f"{row},{cells}" for row, cells in zip(rows[1:], more, strict=True))]))
    run = tmp_path / "run"
    words = ["train", "survival", "--data", "nifti", "--root", str(root), "--scale", "smoke", "--variants", "clinical"]
    assert main([*words, "--quiet", "--device", "cpu", "--out", str(run)]) == 0
    printed = capsys.readouterr()
    assert "not clinical values of this recipe: Karnofsky; it knows age" in printed.err
    assert "clinical (1 parameters)" in printed.out  # the age
