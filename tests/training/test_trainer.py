"""The trainer: exact after a stop, the same on two processes, its log complete, its best state kept."""

from __future__ import annotations

import copy
import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.log import read_log
from medattn_lite.training.trainer import Trainer, predict_rows
from tests.training.toy import TOY, settings, toy_task

CHECKOUT = Path(__file__).resolve().parents[2]


class Stop(Exception):
    pass


def train(folder, options, *, seed=3, stop_at=None, valid=(), save_every=5):
    task = toy_task(options)
    if stop_at is not None:
        calls, batch = iter(range(10**6)), task.batch

        def stopping(rows, generators):
            if next(calls) == stop_at:
                raise Stop
            return batch(rows, generators)

        task.batch = stopping
    torch.manual_seed(seed)
    model = task.build(TOY.variants[0], {})
    trainer = Trainer(task, options, folder, Accelerator(cpu=True), seed=seed, save_every=save_every, progress=False)
    return model, trainer.fit(model, range(16), valid)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


OPTIONS = [
    {"optimiser": "adam"},
    {"optimiser": "sgd", "momentum": 0.9, "weight_decay": 1e-3, "schedule": "cosine"},
    {"optimiser": "adamw", "sharpness": 0.05},
    {"schedule": "steps", "milestones": (2, 4)},
    {"optimiser": "adamw", "schedule": "one-cycle", "channels_last": True},
]


def test_the_end_of_a_fold_collects_what_the_fold_made_and_leaves_the_rest_alone(tmp_path) -> None:
    looked_at = []

    def note(phase: str, info: dict) -> None:
        if phase == "start" and info["generation"] == 2:
            looked_at.append(len(gc.get_objects()) / before)

    train(tmp_path / "first", settings(iterations=1))  # imports what a training needs, which stays
    before, frozen = len(gc.get_objects()), gc.get_freeze_count()
    gc.callbacks.append(note)
    try:
        train(tmp_path / "run", settings())
    finally:
        gc.callbacks.remove(note)
    assert looked_at and looked_at[-1] < 0.2
    assert gc.get_freeze_count() == frozen == 0


@pytest.mark.parametrize("changes", OPTIONS, ids=lambda changed: "-".join(map(str, changed.values())))
@pytest.mark.parametrize("stop_at", [3, 5, 17])
def test_a_run_that_was_stopped_ends_with_the_weights_it_would_have_had(tmp_path, changes, stop_at):
    options = settings(**changes)
    whole, one = train(tmp_path / "whole", options, valid=range(16, 24))
    with pytest.raises(Stop):
        train(tmp_path / "twice", options, stop_at=stop_at, valid=range(16, 24))
    again, two = train(tmp_path / "twice", options, valid=range(16, 24))
    assert torch.equal(weights(whole), weights(again))
    assert one.log == two.log and len(two.log) == 30 and one.best == two.best
    for name in ("last.safetensors", "best.safetensors", "log.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def test_training_learns_and_the_log_holds_every_step(tmp_path):
    options = settings(iterations=60)
    model, done = train(tmp_path, options, valid=range(16, 24))
    log = read_log(tmp_path / "log.csv")
    assert [row[0] for row in log] == list(range(1, 61)) and log == done.log
    assert sum(row[2] for row in log[-10:]) < 0.5 * sum(row[2] for row in log[:10])
    assert done.best > 0.9 and log[done.best_iteration - 1][4] == done.best


def test_the_best_state_by_validation_is_what_remains(tmp_path):
    options = settings(iterations=40, learning_rate=0.5)  # too fast: the last state is not the best
    model, done = train(tmp_path, options, valid=range(16, 24))
    best = toy_task(options).build(TOY.variants[0], {})
    facts = load_weights(best, tmp_path / "best.safetensors")
    assert torch.equal(weights(best), weights(model))
    assert facts == {"iteration": done.best_iteration, "score": done.best}


class Trembling(torch.nn.Module):
    """A classifier whose training mode gives other answers: half of it is dropped, the rest is scaled by the batch."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.head = torch.nn.BatchNorm2d(1), torch.nn.Dropout(0.5), torch.nn.Linear(144, 2)

    def forward(self, x):
        return self.head(self.drop(self.norm(x).flatten(1)))


def test_validation_is_done_in_eval_mode_and_learns_nothing_of_its_patients(tmp_path):
    task = toy_task()
    torch.manual_seed(1)
    model = Trembling()
    model(task.images)  # batch-norm statistics that are not those of the start
    before = {name: value.clone() for name, value in model.named_buffers()}
    expected = copy.deepcopy(model).eval()(task.images[16:]).softmax(1)[:, 1].tolist()
    assert model.training
    predictions = predict_rows(task, model, range(16, 24), Accelerator(cpu=True))
    assert [row["probability"] for row in predictions] == pytest.approx(expected, abs=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert all(module.training for module in model.modules())
    # the score that chooses the best state is the one of these predictions
    options = settings(iterations=4)
    task = toy_task(options)
    task.build = lambda variant, trained: Trembling()
    trainer = Trainer(task, options, tmp_path, Accelerator(cpu=True), seed=3, progress=False)
    done = trainer.fit(model, range(16), range(16, 24))
    load_weights(model, tmp_path / "best.safetensors")
    chosen = model.eval()(task.images[16:]).softmax(1)[:, 1].tolist()
    rows = [{**predictions[row - 16], "probability": p} for row, p in zip(range(16, 24), chosen, strict=True)]
    assert done.best == pytest.approx(task.quick_score(rows), abs=1e-6)


def test_channels_last_gives_the_same_training_but_for_rounding(tmp_path):
    plain, one = train(tmp_path / "plain", settings())
    other, two = train(tmp_path / "last", settings(channels_last=True))
    assert next(other.parameters()).is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(weights(plain), weights(other), atol=1e-4)
    again = toy_task(settings()).build(TOY.variants[0], {})
    load_weights(again, tmp_path / "last" / "last.safetensors")
    assert torch.equal(weights(again), weights(other))


def test_the_untrained_state_is_one_to_choose_from_where_the_task_says_so(tmp_path, monkeypatch):
    options = settings(iterations=8, learning_rate=1e-30)
    _, done = train(tmp_path / "without", options, valid=range(16, 24))
    assert done.best_iteration > 0
    monkeypatch.setattr("tests.training.toy.ToyTask.validates_start", True, raising=False)
    _, done = train(tmp_path / "with", options, valid=range(16, 24))
    assert done.best_iteration == 0 and all(row[0] > 0 for row in done.log)


def test_patience_ends_training(tmp_path):
    _, done = train(tmp_path, settings(iterations=400, patience=2), valid=range(16, 24))
    scores = [row[4] for row in done.log if row[4] is not None]
    assert len(scores) >= 3 and max(scores[-2:]) <= max(scores[:-2]) and done.iteration < 400


def test_a_run_that_had_stopped_early_does_not_train_on_when_started_again(tmp_path):
    options = settings(iterations=400, patience=2)
    first, one = train(tmp_path, options, valid=range(16, 24))
    assert (tmp_path / "state.safetensors").exists()  # as when it is killed before its predictions are written
    again, two = train(tmp_path, options, valid=range(16, 24))
    assert one.iteration == two.iteration < 400 and one.log == two.log and torch.equal(weights(first), weights(again))


def test_another_seed_gives_another_run_and_the_same_seed_the_same(tmp_path):
    runs = [weights(train(tmp_path / name, settings(), seed=seed)[0]) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert torch.equal(runs[0], runs[1]) and not torch.allclose(runs[0], runs[2])


class NotedDropout(torch.nn.Dropout):
    """Dropout that keeps its masks, and the seed that torch's numbers came from."""

    def __init__(self):
        super().__init__(0.5)
        self.masks, self.seeds = [], []

    def forward(self, x):
        mask = super().forward(torch.ones_like(x))
        if self.training:
            self.masks.append(mask > 0)
            self.seeds.append(torch.initial_seed())
        return x * mask


def test_every_step_drops_other_units_and_changes_every_image_by_numbers_of_its_own(tmp_path):
    masks_by_name = {}
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        options, drop, seeds = settings(), NotedDropout(), []
        task = toy_task(options)
        batch = task.batch

        def noting(rows, generators, batch=batch, seeds=seeds):
            seeds += [generator.initial_seed() for generator in generators]
            return batch(rows, generators)

        task.batch = noting
        model = torch.nn.Sequential(torch.nn.Flatten(), drop, torch.nn.Linear(144, 2))
        Trainer(task, options, tmp_path / name, Accelerator(cpu=True), seed=seed, progress=False).fit(model, range(16))
        masks_by_name[name] = torch.stack(drop.masks), drop.seeds, seeds
    masks, dropped_by, changed_by = masks_by_name["first"]
    assert masks.shape == (30, 4, 144)  # a mask per step, image and unit
    correlation = torch.corrcoef(masks.flatten(1).float()).fill_diagonal_(0)
    assert correlation.abs().max() < 0.25, "two steps drop alike"
    kept = masks.float().mean((0, 1))
    assert kept.min() > 0.25 and kept.max() < 0.75, "a unit is nearly always dropped, or nearly never"
    assert len({*dropped_by, *changed_by}) == 30 + 30 * 4, "two draws come from one seed"
    assert torch.equal(masks, masks_by_name["again"][0]) and changed_by == masks_by_name["again"][2]
    assert not {*dropped_by, *changed_by} & {*masks_by_name["other"][1], *masks_by_name["other"][2]}


def test_every_image_is_seen_once_an_epoch(tmp_path):
    options = settings(iterations=4)
    trainer = Trainer(toy_task(options), options, tmp_path, Accelerator(cpu=True), progress=False)
    import numpy as np

    seen = np.concatenate([trainer._rows(np.arange(16), iteration, 4) for iteration in range(4)])
    following = np.concatenate([trainer._rows(np.arange(16), iteration, 4) for iteration in range(4, 8)])
    assert sorted(seen) == list(range(16)) == sorted(following) and seen.tolist() != following.tolist()


def test_a_loss_that_is_no_number_stops_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match="lower the learning rate"):
        train(tmp_path, settings(learning_rate=1e38, optimiser="sgd"))


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from accelerate import Accelerator
from tests.training.toy import TOY, settings, toy_task
from medattn_lite.training.trainer import Trainer, predict_rows
own = settings(iterations=int(sys.argv[2]), options={"dropout": 0.0})
task = toy_task(own)
torch.manual_seed(3)
model = task.build(TOY.variants[0], {})
trainer = Trainer(task, own, Path(sys.argv[1]), Accelerator(cpu=True), seed=3, save_every=10, progress=False)
assert trainer.accelerator.num_processes == int(sys.argv[3])
trainer.fit(model, range(16))
"""


# `--cpu` would need an MPI; `--multi_gpu` starts the processes by torch, and the program says that it stays on the CPU.
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines",
          "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]  # fmt: skip


def run_script(folder: Path, iterations: int, *, processes: int = 1) -> subprocess.Popen:
    script = folder.parent / "script.py"
    script.write_text(SCRIPT)
    launch = [*(LAUNCH if processes == 2 else [sys.executable]), str(script)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*launch, str(folder), str(iterations), str(processes)], env=environment, cwd=CHECKOUT,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip


def test_a_killed_process_started_again_ends_with_the_same_weights(tmp_path):
    whole = run_script(tmp_path / "whole", 3000)
    killed = run_script(tmp_path / "killed", 3000)
    state = tmp_path / "killed" / "state.safetensors"
    deadline = time.monotonic() + 120
    while not state.exists() and time.monotonic() < deadline and killed.poll() is None:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert state.exists() and not (tmp_path / "killed" / "last.safetensors").exists(), "it was not killed in the middle"
    again = run_script(tmp_path / "killed", 3000)
    for process in (whole, again):
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    for name in ("last.safetensors", "log.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    processes = [run_script(tmp_path / name, 40, processes=n) for name, n in (("one", 1), ("two", 2))]
    for process in processes:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
    one, two = (read_log(tmp_path / name / "log.csv") for name in ("one", "two"))
    assert len(one) == len(two) == 40
    assert [row[2] for row in two] == pytest.approx([row[2] for row in one], rel=1e-4)


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path):
    accelerator = Accelerator(cpu=True)

    class Three:
        num_processes, is_main_process = 3, True

    assert accelerator.num_processes == 1
    with pytest.raises(UserError, match="number of processes that divides it"):
        Trainer(toy_task(), settings(), tmp_path, Three())


def test_the_command_gives_the_same_loss_curve_under_accelerate_launch_on_two_processes(tmp_path):
    # DynUNet has no dropout and no batch norm: nothing in it depends on how a batch is shared.
    words = ["train", "fusion", "--scale", "smoke", "--variants", "DynUNet", "--first-folds", "1", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    logs = []
    for name, start in (("one", [sys.executable, "-m"]), ("two", [*LAUNCH, "-m"])):
        done = subprocess.run([*start, "medattn_lite.cli", *words, "--out", str(tmp_path / name)], env=environment,
                              cwd=CHECKOUT, capture_output=True, text=True, timeout=400)  # fmt: skip
        assert done.returncode == 0, done.stderr
        logs.append(read_log(tmp_path / name / "DynUNet" / "fold-0" / "log.csv"))
    assert json.loads((tmp_path / "two" / "environment.json").read_text())["processes"] == 2
    assert len(logs[0]) == len(logs[1]) > 1
    assert [row[2] for row in logs[1]] == pytest.approx([row[2] for row in logs[0]], rel=1e-3)
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text())["variants"] for name in ("one", "two"))
    assert one["DynUNet"]["pooled"].keys() == two["DynUNet"]["pooled"].keys()
