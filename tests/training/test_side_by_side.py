"""Networks trained side by side see the same windows, and what is frozen stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.training import train_side_by_side
from tests.training.toy import TOY, ToyTask, settings


def _task() -> ToyTask:
    return ToyTask(TOY, settings(), data="phantom", root=None, seed=0, progress=False)


def _twins(count: int = 2) -> dict[str, nn.Module]:
    parts = {str(number): nn.Sequential(nn.Flatten(), nn.Linear(144, 2)) for number in range(count)}
    for part in parts.values():
        part.load_state_dict(parts["0"].state_dict())
    return parts


def test_twins_stay_twins_and_their_loss_falls() -> None:
    parts = _twins()
    histories = train_side_by_side(_task(), parts, list(range(12)), steps=60, learning_rate=1e-2)
    assert histories["0"].loss == histories["1"].loss
    assert sum(histories["0"].loss[-10:]) < 0.5 * sum(histories["0"].loss[:10])
    assert histories["0"].steps == list(range(1, 61))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        parts = _twins(1)
        train_side_by_side(_task(), parts, list(range(12)), steps=5, learning_rate=1e-2, seed=seed)
        weights.append(parts["0"][1].weight.detach())
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_parts_get_the_maps_that_inputs_makes_for_them() -> None:
    seen = []

    class Listens(nn.Linear):
        def forward(self, x):
            seen.append(float(x.abs().max()))
            return super().forward(x.flatten(1))

    parts = {"silent": Listens(144, 2), "loud": Listens(144, 2)}
    train_side_by_side(_task(), parts, [0, 1], steps=1, learning_rate=1e-2,
                       inputs=lambda images: {"silent": (images * 0,), "loud": (images,)})  # fmt: skip
    assert seen[0] == 0 < seen[1]


def test_nobody_to_train_on_is_said() -> None:
    with pytest.raises(UserError, match="no patient is left"):
        train_side_by_side(_task(), _twins(), [], steps=1, learning_rate=1e-2)
