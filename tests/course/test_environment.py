"""Scales, recorded figures, the environment line and the doctor."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.course import environment_line, record, scale_numbers
from medattn_lite.course.doctor import OK, PROBLEM, REMARK, doctor
from medattn_lite.course.metrics import METRIC_MIME, collect_metrics, metric_text
from medattn_lite.course.widget_setup import widget_findings
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval


def test_a_scale_chooses_its_numbers_and_another_word_is_refused() -> None:
    assert scale_numbers("laptop", smoke=(4, 2), laptop=(20, 3), paper=(200, 10)) == (20, 3)
    with pytest.raises(UserError, match="'big', but it must be one of smoke, laptop, paper"):
        scale_numbers("big", smoke=1, laptop=2, paper=3)


@pytest.mark.parametrize(("value", "unit", "line"), [
    (3, "patients", "x: 3 patients"), (0.51234, "", "x: 0.5123"), (np.float32(0.5), "s", "x: 0.5 s"),
    (torch.tensor(2.0), "", "x: 2"), ("cpu", "", "x: cpu"), (float("nan"), "", "x: not a number"),
    (Interval(0.8, 0.7, 0.9), "", "x: 0.8 [0.7, 0.9]"),
])
def test_a_figure_is_printed_outside_a_notebook(value: object, unit: str, line: str,
                                                    capsys: pytest.CaptureFixture) -> None:
    record("x", value, unit)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize("value", [torch.ones(2), [1, 2], None, {"a": 1}])
def test_what_is_no_single_figure_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="takes one number"):
        record("x", value)


def test_recorded_figures_are_collected_from_cells_in_order() -> None:
    metric = {"name": "AUC", "value": 0.9, "unit": ""}
    cells = [{"cell_type": "markdown"}, {"outputs": [{"output_type": "stream"}, {"data": {METRIC_MIME: metric}}]}]
    assert collect_metrics(cells) == [metric]
    assert metric_text(metric) == "AUC: 0.9"


def test_the_environment_line_names_scale_device_and_whose_data() -> None:
    line = environment_line("cpu", "smoke", seed=3, data="phantom")
    assert "scale smoke" in line and "seed 3" in line and "phantom (synthetic)" in line and "cpu" in line
    real = environment_line("cpu", "laptop", data="lgg", data_root="/home/someone/kaggle_3m")
    assert "data: lgg in kaggle_3m (real)" in real and "someone" not in real
    with pytest.raises(UserError):
        environment_line("cpu", "huge")


def test_the_doctor_finds_this_environment_whole() -> None:
    diagnosis = doctor(device="cpu")
    topics = {finding.topic for finding in diagnosis.findings}
    assert {"Python", "packages", "device", "precision", "disk", "widgets", "JupyterLab", "Chromium"} <= topics
    assert diagnosis.exit_code == 0, str(diagnosis)
    assert str(diagnosis).endswith("All set.")


def test_the_doctor_names_what_is_missing_and_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a checkout there is no lock and no make."""
    needs = ["numpy>=99", "no-such-package>=1.2", "scipy>=1", "nowhere>=1; extra == 'lab'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needs)
    (found,) = (one for one in doctor(device="cpu").findings if one.topic == "packages")
    assert found.mark == PROBLEM and "no-such-package is missing" in found.text and "scipy" not in found.text
    assert found.text.endswith('; run pip install "numpy>=99" "no-such-package>=1.2"')


def test_the_doctor_names_a_version_that_is_not_the_locked_one_without_failing(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# a comment\nnumpy==0.1\nno-such-package==1.0\ntorch=={torch.__version__.split('+')[0]}\n")
    findings = [finding for finding in doctor(device="cpu", lock=lock).findings if finding.topic == "lock file"]
    assert findings[0].mark == REMARK
    assert findings[0].text.startswith("2 of 3 packages") and "no-such-package missing (locked 1.0)" in findings[0].text


def test_what_the_lock_leaves_out_on_this_system_is_not_missed(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("no-such-package==1.0 ; sys_platform == 'another'\n"
                    f"torch=={torch.__version__.split('+')[0]} ; python_version >= '3.11'\n")  # fmt: skip
    (finding,) = (one for one in doctor(device="cpu", lock=lock).findings if one.topic == "lock file")
    assert finding.mark == OK and finding.text.startswith("all 1 packages")


def test_the_doctor_ends_with_1_when_something_will_not_work() -> None:
    diagnosis = doctor(device="cuda:99")
    assert diagnosis.exit_code == 1
    assert any(finding.mark == PROBLEM and "cuda:99" in finding.text for finding in diagnosis.findings)


def test_the_doctor_says_why_a_cpu_trains_in_fp32() -> None:
    line = next(finding.text for finding in doctor(device="cpu").findings if finding.topic == "precision")
    assert line.startswith("fp32") and "bf16" in line and "wrong gradients" in line


def _extension(prefix: Path, version: str) -> Path:
    folder = prefix / "share" / "jupyter" / "labextensions" / "@jupyter-widgets" / "jupyterlab-manager"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"version": version}))
    (prefix / "bin").mkdir()
    return prefix


def test_widgets_show_only_when_the_servers_half_fits(tmp_path: Path) -> None:
    good, old, bare = (tmp_path / name for name in ("good", "old", "bare"))
    _extension(good, "5.0.16")
    _extension(old, "2.0.0")
    server = str(good / "bin" / "jupyter-lab")
    assert [f[0] for f in widget_findings(prefix=good, server=server)] == [OK, OK]
    assert [f[0] for f in widget_findings(prefix=old, server=str(old / "bin" / "jupyter-lab"))] == [PROBLEM, OK]
    assert "has no widget extension" in next(iter(widget_findings(prefix=bare, server=server)))[2]
    other = list(widget_findings(prefix=Path(sys.prefix), server=str(old / "bin" / "jupyter-lab")))
    assert [f[0] for f in other] == [OK, REMARK, REMARK]
    assert "another environment's" in other[1][2] and "do not fit" in other[2][2]


@pytest.mark.parametrize(("variable", "host"), [("COLAB_RELEASE_TAG", "Colab"), ("KAGGLE_KERNEL_RUN_TYPE", "Kaggle")])
def test_where_a_page_of_its_own_draws_widgets_nothing_is_asked_of_jupyterlab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, host: str
) -> None:
    old = _extension(tmp_path / "old", "2.0.0")
    server = str(old / "bin" / "jupyter-lab")
    assert next(iter(widget_findings(prefix=old, server=server)))[0] == PROBLEM
    monkeypatch.setenv(variable, "release")
    [(mark, _, text)] = widget_findings(prefix=old, server=server)
    assert mark == OK and host in text


@pytest.mark.parametrize("place", ["bin/jupyter-lab", "Scripts/jupyter-lab.exe", None])
def test_a_lab_that_is_not_on_the_path_is_named_and_none_is_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
) -> None:
    good = _extension(tmp_path / "good", "5.0.16")
    monkeypatch.setattr("shutil.which", lambda name: None)
    if place:
        (good / place).parent.mkdir(exist_ok=True)
        (good / place).write_text("", encoding="utf-8")
    mark, _, text = list(widget_findings(prefix=good))[-1]
    assert mark == REMARK and "make" not in text
    assert (str(good / place) if place else 'pip install "medattn-lite[lab]"') in text
