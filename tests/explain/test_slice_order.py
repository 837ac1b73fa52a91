"""Edited gates over a finished run: unedited, it gives what the run wrote; a run that lies is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medattn_lite import cli
from medattn_lite.data.json_files import SEAL
from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.slice_order import EDITS, main, slice_order


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "grading"
    command = ["train", "grading", "--variants", "P3D + IAM", "--out", str(out), "--device", "cpu", "--quiet"]
    assert cli.main(command) == 0
    return out


def test_every_edit_has_its_auc_and_without_an_edit_it_is_that_of_the_run(run: Path, tmp_path: Path) -> None:
    assert main([str(run), "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "slice_order.json").read_text())
    assert list(record["edits"]) == list(EDITS) and record["data"] == "phantom"
    scores = json.loads((run / "metrics.json").read_text())["variants"]["P3D + IAM"]["pooled"]
    assert record["edits"]["as it is"]["auc"]["value"] == pytest.approx(scores["AUC"]["value"], nan_ok=True)
    assert record["edits"]["all one half"]["most"] > 0
    assert "| upside down |" in (tmp_path / "slice_order.md").read_text()


def test_a_run_whose_weights_do_not_give_its_predictions_is_refused(run: Path, capsys: pytest.CaptureFixture) -> None:
    path = next(run.glob("P3D + IAM/fold-0/predictions.json"))
    kept = path.read_text()
    record = json.loads(kept)
    record["predictions"][0]["probability"] = 1 - record["predictions"][0]["probability"] + 0.01
    record.pop(SEAL)  # as of a version that did not seal its files
    path.write_text(json.dumps(record))
    try:
        assert main([str(run)]) == 2
        assert "run it anew" in capsys.readouterr().err
    finally:
        path.write_text(kept)


def test_without_a_run_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished run"):
        slice_order(tmp_path)
