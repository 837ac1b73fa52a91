"""Two and four processes train as one: with batch norm and dropout, the same losses and the same final weights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from medattn_lite.training.log import read_log
from medattn_lite.training.processes import one_batch

CHECKOUT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from accelerate import Accelerator
from torch import nn
from tests.training.toy import settings, toy_task
from medattn_lite.training.trainer import Trainer
own = settings(iterations=12, optimiser="sgd", momentum=0.9, learning_rate=0.05, sharpness=0.05)
torch.manual_seed(3)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.3), nn.Conv2d(4, 8, 3, 2),
                      nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(8 * 16, 2))
trainer = Trainer(toy_task(own), own, Path(sys.argv[1]), Accelerator(cpu=True), seed=3, save_every=100, progress=False)
assert trainer.accelerator.num_processes == int(sys.argv[2])
trainer.fit(model, range(16))
"""


def launch(processes: int) -> list[str]:
    """The words that start a program in one or several processes on this computer."""
    if processes == 1:
        return [sys.executable]
    # `--cpu` would need an MPI; `--multi_gpu` starts the processes by torch, and the program stays on the CPU.
    return [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes),
            "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port",
            "0"]  # fmt: skip


def run(words: list[str], processes: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch(processes), *words], env=environment, cwd=CHECKOUT, capture_output=True, text=True,
                          timeout=900)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    (folder / "script.py").write_text(SCRIPT)
    run([str(folder / "script.py"), str(folder / "1"), "1"], 1)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_end_with_the_losses_and_the_weights_of_one(alone, processes):
    run([str(alone / "script.py"), str(alone / str(processes)), str(processes)], processes)
    one, many = (read_log(alone / name / "log.csv") for name in ("1", str(processes)))
    assert len(one) == len(many) == 12
    assert [row[2] for row in many] == pytest.approx([row[2] for row in one], rel=1e-4)
    one, many = (load_file(alone / name / "last.safetensors") for name in ("1", str(processes)))
    assert one.keys() == many.keys() and any("running_var" in name for name in one)
    for name, values in one.items():
        torch.testing.assert_close(many[name], values, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: name + text)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.mark.slow
def test_two_machines_on_the_loopback_end_as_one_process(alone):
    # The page on clusters gives these words; here both machines are this computer, with one process each.
    port, folder = str(free_port()), str(alone / "machines")
    machines = []
    for rank in (0, 1):
        words = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2",
                 "--num_processes", "2", "--machine_rank", str(rank), "--main_process_ip", "127.0.0.1",
                 "--main_process_port", port, "--mixed_precision", "no", "--dynamo_backend", "no"]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
        machines.append(subprocess.Popen([*words, str(alone / "script.py"), folder, "2"], env=environment, cwd=CHECKOUT,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))  # fmt: skip
    try:
        for machine in machines:
            output, _ = machine.communicate(timeout=600)
            assert machine.returncode == 0, output[-3000:]
    finally:
        for machine in machines:
            machine.kill()
    one, many = (read_log(alone / name / "log.csv") for name in ("1", "machines"))
    assert [row[2] for row in many] == pytest.approx([row[2] for row in one], rel=1e-4)


@pytest.mark.slow
def test_the_command_on_two_processes_predicts_as_on_one(tmp_path):
    # P3D + IAM has batch norm in each block and dropout before its last layer.
    words = ["-m", "medattn_lite.cli", "train", "grading", "--variants", "P3D + IAM", "--first-folds", "1", "--device",
             "cpu", "--quiet", "--set", "optimiser=sgd", "--set", "epochs=3"]  # fmt: skip
    results = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        run([*words, "--out", str(folder)], processes)
        fold = folder / "P3D + IAM" / "fold-0"
        rows = json.loads((fold / "predictions.json").read_text())["predictions"]
        results.append(([row[2] for row in read_log(fold / "log.csv")], [row["probability"] for row in rows]))
    assert json.loads((tmp_path / "2" / "environment.json").read_text())["processes"] == 2
    assert len(results[0][0]) > 1 and results[1][0] == pytest.approx(results[0][0], rel=1e-4)
    assert results[1][1] == pytest.approx(results[0][1], abs=1e-4)


def test_one_process_leaves_a_network_as_it_is():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    with one_batch(network, processes=1, process=0):
        assert [type(module) for module in network] == [nn.Conv2d, nn.BatchNorm2d, nn.Dropout]


def test_layers_are_themselves_again_after_the_step_also_after_an_error():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5))
    before = list(network.state_dict())
    with pytest.raises(KeyError), one_batch(network, processes=2, process=1):
        assert isinstance(network[0], nn.BatchNorm2d) and type(network[0]) is not nn.BatchNorm2d
        assert list(network.state_dict()) == before
        raise KeyError
    assert [type(module) for module in network] == [nn.BatchNorm2d, nn.Dropout] and "share" not in vars(network[1])


def test_each_process_takes_its_own_part_of_one_dropout():
    whole = nn.Dropout(0.5)
    torch.manual_seed(1)
    wanted = whole(torch.ones(6, 5))
    parts = []
    for process in range(3):
        torch.manual_seed(1)
        with one_batch(whole, processes=3, process=process):
            parts.append(whole(torch.ones(2, 5)))
    torch.testing.assert_close(torch.cat(parts), wanted)
