"""What each network of a task costs, and how long a training step takes relative to the plain one.

Steps are timed in turn, one of each network per round, in one process, so that a busy computer slows all alike. Time on
the CPU is time of the process, over all its threads; on a GPU it is the clock's, after the device is done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.mechanism_comparison.cell import batches, frame_of, loss_of
from medattn_lite.mechanism_comparison.cohort import Cohort
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.mechanism_comparison.small_networks import make_network
from medattn_lite.mechanism_comparison.store import Row
from medattn_lite.networks.costs import cost_of

ROUNDS = 7


def measure_costs(
    plan: TaskPlan, cohort: Cohort, rows: Sequence[Row], *, device: torch.device | str = "cpu", rounds: int = ROUNDS
) -> dict[str, dict[str, Any]]:
    """The costs of each row.

    Args:
        plan: the task.
        cohort: its images.
        rows: the first is what the others are relative to.
        device: where to measure.
        rounds: training steps of each network; one more before them is not counted.

    Returns:
        Row's name → `parameters`; `multiplications` and `kept_bytes` of one training image; `time`, `time_low` and
        `time_high`: median and range over rounds of its time for a step divided by the first row's.
    """
    networks = {
        row.name: make_network(frame_of(plan, cohort.spatial_dims), row.mechanism, spatial_dims=cohort.spatial_dims,
                               in_channels=cohort.in_channels, width=row.width).to(device)
        for row in rows
    }  # fmt: skip
    image, target = (part.to(device) for part in next(batches(plan, cohort, 0)))
    costs: dict[str, dict[str, Any]] = {}
    for name, network in networks.items():
        cost = cost_of(network.train(), image[:1].repeat(2, *[1] * (image.dim() - 1)))  # two: a batch norm needs them
        costs[name] = {"parameters": cost.parameters, "multiplications": cost.multiplications // 2,
                       "kept_bytes": cost.kept_bytes // 2}  # fmt: skip
    seconds = np.array([[_step(network, image, target) for network in networks.values()] for _ in range(rounds + 1)])
    ratios = seconds[1:] / seconds[1:, :1]
    for name, cost in zip(networks, ratios.T, strict=True):
        middle, low, high = float(np.median(cost)), float(cost.min()), float(cost.max())
        costs[name] |= {"time": middle, "time_low": low, "time_high": high, "device": torch.device(device).type}
    return costs


def _step(network: nn.Module, image: Tensor, target: Tensor) -> float:
    """Seconds of a pass, its gradients, and nothing else."""
    on_gpu = image.device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    if on_gpu:
        torch.cuda.synchronize()
    began = clock()
    network.zero_grad()
    loss_of(network(image), target).backward()
    if on_gpu:
        torch.cuda.synchronize()
    return max(clock() - began, 1e-9)
