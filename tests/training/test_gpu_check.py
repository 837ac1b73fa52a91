"""The GPU's check, tried on a CPU: it compares what it says, goes on where it was, and notices what is wrong."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from medattn_lite import attention
from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.networks.registry import NETWORKS
from medattn_lite.training.gpu_check import check, correctness, throughput
from medattn_lite.training.gpu_check.trainings import TRAININGS, Training, run_training
from medattn_lite.training.gpu_check.work import Work, works
from medattn_lite.training.recipes import find_recipe

CPU = torch.device("cpu")


def test_every_block_and_network_is_checked():
    names = {work.name for work in works()}
    assert set(NETWORKS) <= names
    blocks = {f"{name}, {dims}-D" for name in attention.names() if name != "none"
              for dims in attention.MECHANISMS[name].spatial_dims}  # fmt: skip
    assert blocks <= names


@pytest.mark.slow
def test_a_second_call_goes_on_and_the_page_says_what_was_found(tmp_path):
    lines: list[str] = []
    arguments = {"device": CPU, "parts": ["correctness", "speed"], "smoke": True, "say": lines.append}
    record = check.gpu_check(tmp_path, minutes=5, **arguments)
    assert record["steps"]
    assert not [step for step in record["steps"].values() if "error" in step or step.get("ok") is False]
    count = len(lines)
    assert check.gpu_check(tmp_path, minutes=5, **arguments)["steps"] == record["steps"] and len(lines) == count
    page = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "only shows that the check works" in page and "| rsa, 3-D | bf16 |" in page and "| p3d_iam | fp32 |" in page
    assert json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["steps"] == record["steps"]


def test_time_over_stops_before_the_next_step(tmp_path):
    lines: list[str] = []
    record = check.gpu_check(tmp_path, minutes=1e-9, device=CPU, parts=["correctness"], smoke=True, say=lines.append)
    assert record["steps"] == {} and "run the same command again" in lines[0]


@pytest.mark.parametrize("name", ["rsa", "non_local"])
def test_blocks_that_pass_their_input_on_at_first_are_woken(name):
    block = correctness.wake(attention.create(name, 8, spatial_dims=2)).eval()
    images = torch.randn(1, 8, 6, 6)
    assert not torch.allclose(block(images), images)


def test_a_device_that_computes_something_else_is_noticed(monkeypatch):
    work = Work("toy", "block", (4, 8, 8), lambda: nn.Conv2d(4, 4, 3))
    assert correctness.compare_with_cpu(work, "fp32", CPU)["ok"]
    runs = correctness._run
    calls = []

    def slightly_off(module, images, mode):
        calls.append(mode)
        output, gradient = runs(module, images, mode)
        return (output * 1.01, gradient) if len(calls) % 2 == 0 else (output, gradient)

    monkeypatch.setattr(correctness, "_run", slightly_off)
    result = correctness.compare_with_cpu(work, "fp32", CPU)
    assert not result["ok"] and result["output"] == pytest.approx(0.01, rel=0.05)


def test_operations_are_counted_as_by_hand():
    work = Work("toy", "network", (3, 8, 8), lambda: nn.Conv2d(3, 5, 3, padding=1, bias=False))
    forward = 2 * 2 * 5 * 8 * 8 * 3 * 9  # batch of two; a multiplication and an addition each
    result = throughput.measure_step(work, "fp32", CPU, batch=2)
    assert result["operations"] == 2 * forward  # the gradient of the weights; the input wants none
    assert result["seconds"] > 0 and result["memory"] is None


def test_batches_follow_from_two_measurements():
    fits = throughput.batches_that_fit(int(3e9), int(5e9))  # 1 GB fixed, 1 GB an image
    assert fits["8 GB"] == 6 and fits["80 GB"] == 72
    assert throughput.batches_that_fit(int(20e9), int(39e9))["8 GB"] == 0


def test_what_goes_wrong_is_a_result(tmp_path):
    assert check._attempt(lambda: 1 / 0) == {"error": "ZeroDivisionError: division by zero"}


@pytest.mark.parametrize("training", TRAININGS, ids=lambda training: training.name)
def test_trainings_name_recipes_and_variants_that_exist(training):
    recipe = find_recipe(training.words[0])
    words = list(training.words)
    if "--variants" in words:
        start = words.index("--variants") + 1
        names = [word for word in words[start:] if not word.startswith("--") and not word.isdigit()]
        assert names and all(recipe.variant(name) for name in names)


@pytest.mark.slow
def test_a_training_is_stopped_in_time_goes_on_and_says_how_it_ended(tmp_path):
    grading = Training("grading", ("grading", "--variants", "P3D", "--first-folds", "1"))
    options = {"scale": "smoke", "device": "cpu", "roots": {}}
    assert run_training(grading, tmp_path, seconds=2, **options)["state"] in ("stopped", "finished")
    assert run_training(grading, tmp_path, seconds=300, **options)["state"] == "finished"
    assert run_training(Training("x", ("nonsense",)), tmp_path, seconds=60, **options)["state"].startswith("failed: ")
    assert "needs the folder of lgg" in run_training(TRAININGS[1], tmp_path, seconds=9, **options)["state"]


def test_without_a_gpu_and_with_another_machines_record_it_says_so(tmp_path, capsys):
    assert main(["gpu-check", "--device", "cpu", "--out", str(tmp_path / "new")]) == 2
    assert "there is no GPU here" in capsys.readouterr().err and not (tmp_path / "new").exists()
    (tmp_path / "gpu.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="is damaged"):
        check.gpu_check(tmp_path, device=CPU, smoke=True)
    (tmp_path / "gpu.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(UserError, match="is damaged"):
        check.gpu_check(tmp_path, device=CPU, smoke=True)
    elsewhere = {"device": "H100", "torch": "1", "python": "3", "smoke": True, "steps": {}}
    (tmp_path / "gpu.json").write_text(json.dumps(elsewhere), encoding="utf-8")
    with pytest.raises(UserError, match="was made elsewhere"):
        check.gpu_check(tmp_path, device=CPU, smoke=True)


def test_the_record_is_written_beside_a_link_of_the_users_and_never_through_it(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "gpu.json.part").symlink_to("mine.txt")
    check._save({"steps": {}}, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine" and json.loads((tmp_path / "gpu.json").read_text())


@pytest.mark.parametrize("steps", [None, [], {"peaks": 3}])
def test_a_record_without_steps_is_damaged(steps, tmp_path):
    facts = {key: value for key, value in check._open(tmp_path, CPU, True).items() if key != "steps"}
    (tmp_path / "gpu.json").write_text(json.dumps({**facts, "steps": steps}), encoding="utf-8")
    with pytest.raises(UserError, match="holds no record of a check"):
        check.gpu_check(tmp_path, device=CPU, smoke=True)
