"""The learning curve: the same tested patients for every row, sets that hold one another, trainings that stay."""

from __future__ import annotations

import json

import pytest
import torch
from accelerate import Accelerator

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.training.learning_curve import ARMS, PHANTOMS, RANDOM, WRONG, CurvePlan, LearningCurve, mirrored_masks

VARIANT = "nnU-Net-like with batch norm"


@pytest.fixture
def study(tmp_path):
    plan = CurvePlan("smoke", "phantom", None, VARIANT, (1, 2), 1, 2, progress=False)
    return LearningCurve(plan, tmp_path, Accelerator(cpu=True))


def _watched(study, monkeypatch):
    trained = []

    def train(task, model, rows, seed):
        weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        trained.append((task, {task.subjects[row] for row in rows}, weights))
        with torch.no_grad():
            next(iter(model.parameters())).add_(1.0)
        return 0.0

    monkeypatch.setattr(study, "_train", train)
    return trained


def test_no_tested_patient_is_trained_on_and_larger_sets_hold_the_smaller(study, monkeypatch):
    trained = _watched(study, monkeypatch)
    rows = [study.row(RANDOM, size, seed) for seed in range(4) for size in (1, 2)]
    for row in rows:
        assert set(row["dice"]) == set(study.split.test)
    for small, large in zip(trained[::2], trained[1::2], strict=True):
        assert small[1] < large[1] and len(large[1]) == 2 and not large[1] & set(study.split.test)
    assert len({frozenset(subjects) for _, subjects, _ in trained[::2]}) > 1


def test_only_the_starting_weights_differ(study, monkeypatch):
    trained = _watched(study, monkeypatch)
    for arm in ARMS:
        study.row(arm, 2, 0)
    (_, patients, random), (phantoms, _, before), (task, others, pretrained) = trained[:3]
    assert patients == others and task is study.task
    assert phantoms is not study.task and len(phantoms.subjects) == 2
    assert all(torch.equal(random[name], before[name]) for name in random)
    first = next(iter(random))
    assert torch.allclose(pretrained[first], random[first] + 1.0)


def test_the_control_has_the_same_images_and_masks_in_the_other_half(study):
    wrong = mirrored_masks(study.task)
    assert wrong.images is study.task.images
    for right, mirrored in zip(study.task.masks, wrong.masks, strict=True):
        assert torch.equal(right, mirrored.flip(-1)) and right.sum() == mirrored.sum()
    assert any(not torch.equal(right, mirrored) for right, mirrored in zip(study.task.masks, wrong.masks, strict=True))


def test_trainings_stay_and_the_page_says_what_was_done(tmp_path, monkeypatch, capsys):
    words = ["study", "learning-curve", "--scale", "smoke", "--sizes", "1", "--seeds", "3", "--iterations", "1",
             "--phantoms", "2", "--quiet", "--rows", str(tmp_path / "rows"),
             "--out", str(tmp_path / "page.md")]  # fmt: skip
    assert main(words) == 0
    kept = {path: path.read_bytes() for path in (tmp_path / "rows").rglob("*.json")}
    assert len(kept) == 3 * 3 + 2 * 3
    monkeypatch.setattr("medattn_lite.training.trainer.Trainer.fit", lambda *arguments: pytest.fail("trained again"))
    assert main(words) == 0
    assert kept == {path: path.read_bytes() for path in (tmp_path / "rows").rglob("*.json")}
    page = (tmp_path / "page.md").read_text()
    assert (tmp_path / "page.png").stat().st_size > 5000
    assert all(name in page for name in ARMS) and "1 steps on 2 phantoms of gliomas" in page
    row = json.loads(next(path for path in kept if path.name.startswith(f"{PHANTOMS}-0-0")).read_text())
    assert row["arm"] == PHANTOMS and row["seconds"] == 0
    assert f"| {WRONG} − {RANDOM} |" in page
    assert main([*words, "--sizes", "99"]) == 2
    assert "--sizes 99: the first fold trains on" in capsys.readouterr().err


def test_phantoms_have_the_patients_channels_in_their_order(study):
    assert study.plan.gliomas(("pre", "flair", "post")).channels == ("t1", "flair", "t1ce")
    with pytest.raises(UserError, match="phantoms have no channel adc"):
        study.plan.gliomas(("adc",))


def test_numbers_below_one_are_refused(tmp_path):
    with pytest.raises(UserError, match="1 or more"):
        from medattn_lite.training.learning_curve import main as command

        command(["--scale", "smoke", "--seeds", "0", "--rows", str(tmp_path)])
