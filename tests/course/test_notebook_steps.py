"""Functions that notebooks use around their subject: commands, turned files, sheets of slices, survival made up."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.course import (
    cohorts_that_leave,
    run_medattn,
    score_answers,
    show_masked_slices,
    slice_with_most,
    true_log_risks,
    turned_copy,
)
from medattn_lite.errors import UserError
from medattn_lite.survival import harrell_c


def test_a_command_is_printed_with_its_output_and_without_the_long_folder(tmp_path: Path, capsys) -> None:
    assert run_medattn(main, f"check-data nifti --root '{tmp_path / 'none'}'", hide=tmp_path) == 2
    printed = capsys.readouterr().out
    assert printed.startswith("$ medattn check-data nifti --root '…/none'\n") and "(exit code 2)" in printed
    assert "no folder …/none" in printed and str(tmp_path) not in printed
    assert run_medattn(main, "train --list", hide=tmp_path) == 0 and "grading:" in capsys.readouterr().out
    assert run_medattn(main, "train --list", hide=tmp_path, show=False) == 0
    assert capsys.readouterr().out == "$ medattn train --list\n"
    assert run_medattn(main, "no-such-command", hide=tmp_path) == 2 and "exit code 2" in capsys.readouterr().out


@pytest.mark.parametrize("folder", [r"C:\Users\Ann\Temp\ab", "/tmp/my scans", "/home/o'brien/ab"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_the_hidden_folder_may_hold_blanks_quotes_and_backslashes(folder: str, quote: str) -> None:
    words: list[str] = []
    command = f"explain {quote}{folder}/run{quote} --fold 0"
    assert run_medattn(lambda arguments: words.extend(arguments) or 0, command, hide=folder) == 0
    assert words == ["explain", f"{folder}/run", "--fold", "0"]


def test_a_copy_never_takes_its_sources_place(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), tmp_path / "t1.nii.gz")
    with pytest.raises(UserError, match="name another folder"):
        turned_copy(tmp_path / "t1.nii.gz", tmp_path)


def test_a_turned_copy_has_other_axes_and_the_same_places(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    affine = np.array([[2.0, 0, 0, -7], [0, 1, 0, 3], [0, 0, 4, 1], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "sub_1_t1.nii.gz")
    copy = turned_copy(tmp_path / "sub_1_t1.nii.gz", tmp_path, axes="PSR")
    turned = nibabel.load(copy)
    assert copy.name == "t1.nii.gz" and nibabel.aff2axcodes(turned.affine) == ("P", "S", "R")
    place = np.linalg.inv(turned.affine) @ affine @ [1, 2, 3, 1]  # the same millimetres
    assert turned.get_fdata()[tuple(place[:3].round().astype(int))] == pytest.approx(values[1, 2, 3])


def test_the_slice_with_most_of_a_mask(monkeypatch) -> None:
    mask = torch.zeros(5, 4, 4)
    assert slice_with_most(mask) == 2
    mask[3, :2], mask[1, 0, 0] = 4, 1
    assert slice_with_most(mask) == 3
    shown = []
    monkeypatch.setattr("medattn_lite.plots.show", shown.append)
    slices = {name: (torch.rand(6, 6), torch.ones(6, 6)) for name in "abc"}
    show_masked_slices(slices, title="flair")
    assert len(shown) == 1
    show_masked_slices(slices | {"d": (torch.rand(5, 6), torch.zeros(5, 6))}, title="flair")
    assert len(shown) == 1 + 4  # other sizes: one after another


def test_the_ceiling_of_the_tumour_leaves_age_and_surgery_out() -> None:
    meta = {"age_years": 60, "resection": "subtotal", "oracle_risk": 0.7}
    samples = [{"meta": meta | changes} for changes in ({}, {"age_years": 70, "oracle_risk": 1.1},
                                                        {"resection": "biopsy", "oracle_risk": 1.6})]  # fmt: skip
    risks = true_log_risks(samples)
    assert risks["ceiling: the tumour"] == pytest.approx([0.7] * 3)
    assert risks["ceiling: everything"] == pytest.approx([0.7, 1.1, 1.6])


def test_more_and_more_patients_leave_and_harrells_index_rises() -> None:
    shares, indices = [], []
    for share, cohort, risk in cohorts_that_leave(0, patients=1500):
        shares.append(share)
        indices.append(harrell_c(cohort.event, cohort.time, risk))
    assert len(shares) == 5 and shares == sorted(shares) and shares[0] < 0.1 < 20 < shares[-1]
    assert indices[-1] > indices[0] + 0.02


class _Task:
    spacings, measures = ((1.0, 1.0, 1.0), None), ("WT Dice",)
    asked: list[bool] = []

    def measured(self, answer: torch.Tensor, row: int, *, distances: bool) -> float:
        self.asked.append(distances)
        return float(answer.sum()) + row

    def score(self, measured: list[float], *, draws: int) -> dict[str, object]:
        return {"WT Dice": type("Value", (), {"value": sum(measured) / len(measured)})}


def test_answers_are_scored_on_the_same_patients_and_without_distances_where_sizes_are_unknown(capsys) -> None:
    answers = {"all": lambda row: torch.ones(2), "nothing": lambda row: torch.zeros(2)}
    measured, scores = score_answers(_Task(), answers, [0, 1])
    assert measured == {"all": [2.0, 3.0], "nothing": [0.0, 1.0]} and set(_Task.asked) == {False}
    assert scores["all"]["WT Dice"].value == 2.5
    assert capsys.readouterr().out.split() == ["WT", "Dice", "all", "2.50", "nothing", "0.50"]
