"""`--log`: the curve of log.csv in a tracker, before and after a stop; the run itself is the same without."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

from medattn_lite.cli import main
from medattn_lite.training.trainer import Trainer

RUN = ["train", "grading", "--scale", "smoke", "--first-folds", "1", "--variants", "P3D", "--set", "epochs=6",
       "--quiet", "--device", "cpu", "--save-every", "2", "--out"]  # fmt: skip
FOLD = Path("P3D") / "fold-0"


def have(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"the extra '{module}' is not installed")


def rows(run: Path) -> list[dict[str, str]]:
    with (run / FOLD / "log.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def curve(run: Path, name: str) -> dict[int, float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / FOLD / "tensorboard"))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


@have("tensorboard")
def test_tensorboard_has_the_curve_of_the_log_and_the_run_is_the_same_without(tmp_path):
    assert main([*RUN, str(tmp_path / "with"), "--log", "tensorboard"]) == 0
    assert main([*RUN, str(tmp_path / "without")]) == 0
    log = rows(tmp_path / "with")
    assert curve(tmp_path / "with", "loss") == pytest.approx({int(row["iteration"]): float(row["loss"]) for row in log})
    scored = {int(row["iteration"]): float(row["validation"]) for row in log if row["validation"]}
    assert scored and curve(tmp_path / "with", "validation") == pytest.approx(scored)
    assert log == rows(tmp_path / "without") and not (tmp_path / "without" / FOLD / "tensorboard").exists()
    weights = [(tmp_path / name / FOLD / "last.safetensors").read_bytes() for name in ("with", "without")]
    assert weights[0] == weights[1]


@have("tensorboard")
def test_the_curve_goes_on_after_a_stop(tmp_path, monkeypatch):
    step = Trainer._step

    def stopped(self, model, optimiser, places, iteration, rate):
        if iteration == 3:
            raise KeyboardInterrupt
        return step(self, model, optimiser, places, iteration, rate)

    monkeypatch.setattr(Trainer, "_step", stopped)
    assert main([*RUN, str(tmp_path / "run"), "--log", "tensorboard"]) == 130
    assert sorted(curve(tmp_path / "run", "loss")) == [1, 2, 3]
    monkeypatch.setattr(Trainer, "_step", step)
    assert main([*RUN, str(tmp_path / "run"), "--log", "tensorboard"]) == 0
    log = {int(row["iteration"]): float(row["loss"]) for row in rows(tmp_path / "run")}
    assert len(log) > 4 and curve(tmp_path / "run", "loss") == pytest.approx(log)


@have("wandb")
def test_wandb_keeps_its_files_in_the_run_and_sends_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nobody listens
    assert main([*RUN, str(tmp_path / "run"), "--log", "wandb"]) == 0
    (kept,) = (tmp_path / "run" / FOLD / "wandb").glob("offline-run-*/*.wandb")
    assert kept.stat().st_size > 0 and rows(tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "missing", "message"),
    [
        (["mlflow"], "", "--log mlflow: use tensorboard or wandb"),
        (["tensorboard"], "tensorboard", 'pip install "medattn-lite[tensorboard]"'),
        (["wandb"], "wandb", 'pip install "medattn-lite[wandb]"'),
    ],
)
def test_a_tracker_that_is_not_there_is_one_line_before_anything_is_written(
    tmp_path, capsys, monkeypatch, words, missing, message
):
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    assert main([*RUN, str(tmp_path / "run"), "--log", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error and not (tmp_path / "run").exists()
