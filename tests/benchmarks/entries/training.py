"""The trainer beside the bare loop: same network, same batches, same optimiser."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from medattn_lite.training.optimisers import learning_rate, make_optimiser
from medattn_lite.training.recipes.recipe import Settings
from medattn_lite.training.trainer import Trainer
from tests.benchmarks.measuring import Case, Entry
from tests.training.toy import TOY, ToyTask, settings

STEPS = 20


class Task(ToyTask):
    """The toy recipe with a network and images of a laptop's size."""

    def load(self) -> None:
        """Random images (2, 24, 32, 24)."""
        self.strata = [index % 2 for index in range(self.settings.subjects)]
        self.subjects = [f"toy-{index}" for index in range(self.settings.subjects)]
        self.channels = ("one", "two")
        self.images = torch.randn(len(self.subjects), 2, 24, 32, 24, generator=torch.Generator().manual_seed(0))

    def build(self, variant: object, trained: object) -> nn.Module:
        """Three convolutions and a linear layer."""
        layers: list[nn.Module] = []
        for before, after in ((2, 16), (16, 32), (32, 32)):
            layers += [nn.Conv3d(before, after, 3, stride=2 if before > 2 else 1, padding=1),
                       nn.GroupNorm(4, after), nn.ReLU()]  # fmt: skip
        return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(32, 2))

    def batch(self, rows: list[int], generators: object) -> dict[str, Tensor]:
        """The images as they are."""
        return {"image": self.images[rows], "label": torch.tensor([self.strata[row] for row in rows])}


def cases() -> Iterator[Case]:
    """Without validation, and with it every ten steps; states are saved as in a run."""
    from accelerate import Accelerator

    chosen = settings(iterations=STEPS, subjects=24, batch_size=4, optimiser="adamw", learning_rate=1e-3, valid_every=2)
    task = Task(TOY, chosen, seed=0)
    accelerator = Accelerator(cpu=True)

    def trained(valid: tuple[int, ...] = ()) -> Tensor:
        model = _network(task)
        with tempfile.TemporaryDirectory() as folder:
            Trainer(task, chosen, Path(folder), accelerator, progress=False).fit(model, range(20), valid)
        return torch.cat([one.detach().flatten() for one in model.parameters()])

    yield Case(f"trainer, {STEPS} steps", "the bare loop", trained, lambda: bare(task, chosen), close=1e-5, most=3,
               memory="")  # fmt: skip
    yield Case(f"trainer, {STEPS} steps, validated every 10 on 4 patients", "the bare loop, without validation",
               lambda: trained((20, 21, 22, 23)), lambda: bare(task, chosen), is_equal=False, most=3,
               memory="")  # fmt: skip


def bare(task: Task, chosen: Settings) -> Tensor:
    """Batch, forward, backward, step, as a script would have it."""
    import numpy as np

    model = _network(task)
    optimiser = make_optimiser(model, chosen)
    model.train()
    for iteration in range(STEPS):
        epoch, place = divmod(iteration, 5)
        order = np.random.default_rng([0, epoch]).permutation(20)
        batch = task.batch(order[4 * place : 4 * place + 4].tolist(), None)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(chosen, iteration, 5, STEPS)
        optimiser.zero_grad(set_to_none=True)
        task.loss(model(batch["image"]), batch).backward()
        optimiser.step()
    return torch.cat([one.detach().flatten() for one in model.parameters()])


def _network(task: Task) -> nn.Module:
    torch.manual_seed(0)
    return task.build(None, None)


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room; none on a GPU."""
    if device == "cpu":
        yield Entry("trainer", "The trainer", ("trainer",), cases)
