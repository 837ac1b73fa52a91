"""Folders of the user's own: LGG, BraTS, NIfTI with a table, class folders of pictures; real patients too."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn_lite import cli
from medattn_lite.audit.opening import open_labelled
from medattn_lite.errors import UserError
from tests.data.makers import brain, brats_case, lgg_case, save, tumour

QUICK = ["--groups", "none", "--quiet"]


def findings(folder: Path) -> dict[str, dict]:
    content = json.loads((folder / "audit.json").read_text())
    return {finding["name"]: finding for finding in content["findings"]}


def test_a_folder_of_nifti_is_asked_for_a_column_of_its_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = ["image_t1,mask,subject,grade,scanner,time,event"]
    for at in range(16):
        save(brain(seed=at), tmp_path / f"p{at}_t1.nii.gz")
        save(tumour(labels=(1,)), tmp_path / f"p{at}_mask.nii.gz")
        rows.append(f"p{at}_t1.nii.gz,p{at}_mask.nii.gz,p{at},{'high' if at % 2 else 'low'},"
                    f"{'A' if at % 2 else 'BC'[at // 2 % 2]},{100 + at},{at % 3 > 0:d}")
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    words = ["audit", "nifti", "--root", str(tmp_path), "--out", str(tmp_path / "out"), *QUICK]
    assert cli.main([*words, "--label", "grade"]) == 0
    by_name = findings(tmp_path / "out")
    assert by_name["scanner"]["verdict"] == "tells" and "grade" not in by_name
    assert "scanner: tells grade better than chance" in capsys.readouterr().out
    assert cli.main([*words, "--label", "smell"]) == 2
    assert "--label can be survival, grade, scanner" in capsys.readouterr().err
    assert cli.main([*words[:4], "--label", "survival", "--out", str(tmp_path / "s"), *QUICK]) == 0
    assert findings(tmp_path / "s")["scanner"]["measure"] == "C-index"
    assert cli.main([*words[:4], "--label", "grade", "--declared", "smell", "--out", str(tmp_path / "d"), *QUICK]) == 2
    assert "no such fact; there are" in capsys.readouterr().err and not (tmp_path / "d").exists()


def test_lgg_finds_copied_channels_slices_and_sites_by_class(tmp_path: Path) -> None:
    rows = ["case,cdr_grade,IDH,gender,OS,OS.time"]
    for at in range(16):
        case = f"TCGA_{'CS' if at % 2 else 'DU'}_{1000 + at}_19970{1 + at // 2:d}01"
        lgg_case(tmp_path, case, seed=at, slices=14 if at % 2 else 12, copy="pre" if at % 2 else None)
        rows.append(f"{case},{'G3' if at % 2 else 'G2'},{'WT' if at < 8 else 'Mutant'},{1 + at // 4 % 2},{at % 2},"
                    f"{90 + at}")
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    out = tmp_path / "out"
    assert cli.main(["audit", "lgg", "--root", str(tmp_path), "--label", "grade", "--out", str(out), *QUICK]) == 0
    by_name = findings(out)
    assert {name for name, finding in by_name.items() if finding["verdict"] == "tells"} >= {
        "slice count", "site in the name", "copied channels"}
    assert by_name["sex"]["verdict"] == "chance" and by_name["slice count"]["sentence"].endswith("higher in G3")
    opened = open_labelled("lgg", tmp_path, "idh")
    assert opened.classes == ("wild type", "mutant") and sorted(opened.dataset.labels) == [0] * 8 + [1] * 8


def test_class_folders_of_pictures_are_audited_and_size_is_caught(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for at in range(24):
        size = 32 + 4 * (at % 2)
        row, column = np.mgrid[:size, :size] / (size - 1) * 2 - 1
        picture = random.integers(60, 200, (size, size)) * (row**2 + column**2 < 0.7)
        folder = tmp_path / "pictures" / ("cat" if at % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{at}.png")
    words = ["audit", "images", "--root", str(tmp_path / "pictures"), "--out", str(tmp_path / "out"), *QUICK]
    assert cli.main(words) == 0
    by_name = findings(tmp_path / "out")
    assert by_name["matrix, rows"]["verdict"] == "tells"
    page = (tmp_path / "out" / "audit.md").read_text()
    assert "cat 12, dog 12" in page and "each counts as a patient" in page and "no masks" in page


def test_brats_grades_are_asked_for_and_a_label_that_nobody_has_is_one_line(tmp_path: Path) -> None:
    for at in range(12):
        brats_case(tmp_path / ("HGG" if at % 2 else "LGG") / f"Brats18_TCIA{at:02d}_{100 + at}_1", seed=at)
    opened = open_labelled("brats", tmp_path, None)
    assert opened.label == "grade" and opened.classes == ("LGG", "HGG") and opened.column is None
    assert cli.main(["audit", "brats", "--root", str(tmp_path), "--out", str(tmp_path / "out"), *QUICK]) == 0
    page = (tmp_path / "out" / "audit.md").read_text()
    assert "lesion volume (mL)" in page.split("The same in every case:")[1] and "LGG 6, HGG 6" in page
    with pytest.raises(UserError, match="no idh in .*: --label can be grade"):
        open_labelled("brats", tmp_path, "idh")


@pytest.mark.slow
@pytest.mark.skipif("MEDATTN_TEST_DATA" not in os.environ, reason="needs real patients: set MEDATTN_TEST_DATA")
def test_real_patients_have_all_their_facts(tmp_path: Path) -> None:
    root = Path(os.environ["MEDATTN_TEST_DATA"]) / "kaggle_3m"
    words = ["audit", "lgg", "--root", str(root), "--label", "survival", "--out", str(tmp_path / "out"), *QUICK]
    assert cli.main(words) == 0
    by_name = findings(tmp_path / "out")
    assert {"slice count", "lesion volume (voxels)", "site in the name", "day of the scan in the name", "age", "sex",
            "copied channels", "file size (MB)", "grade", "idh"} <= set(by_name)
    assert by_name["age"]["measure"] == "C-index" and by_name["age"]["direction"] == "higher in those who die early"
