"""What notebook 06 uses around its subject: a small task, a training that is watched, Dice by patient and by head."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.course import dice_per_head, dice_per_patient, open_lesion_task, train_on_windows
from medattn_lite.training.recipes import find_recipe

SMALL = {"spacing_mm": 16.0, "subjects": 4, "size": (4, 4, 4), "iterations": 5}


def test_a_lesion_task_has_the_notebooks_numbers_and_small_heads() -> None:
    task = open_lesion_task(SMALL, scale="smoke", data="phantom", root=None, seed=0)
    assert task.settings.iterations == 5 and task.settings.size == (4, 4, 4) and len(task.subjects) == 4
    assert task.channels == ("t1", "t2", "flair") and task.regions == ("lesion",)
    assert task.settings.phantom["shape"] == (10, 12, 10) and set(task.spacings) == {(16.0,) * 3}
    assert task.settings.options["swapped"], "what is not named stays as in the recipe"


def test_without_numbers_of_its_own_a_lesion_task_is_the_recipes(monkeypatch) -> None:
    opened = {}
    monkeypatch.setattr("medattn_lite.training.tasks.open_task",
                        lambda *task, **options: opened.update(task=task, **options))  # fmt: skip
    open_lesion_task({}, scale="laptop", data="lgg", root="patients", seed=3)
    assert opened["task"][1] == find_recipe("lesions").at("laptop")
    assert (opened["data"], opened["root"], opened["seed"]) == ("lgg", "patients", 3)


@dataclass
class _Windows:
    """Images of ones, whose mask is the row's number; remembers which rows were asked for."""

    settings: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(
        batch_size=3, learning_rate=0.1, weight_decay=0.0))  # fmt: skip
    asked: list[list[int]] = field(default_factory=list)

    def batch(self, rows: list[int], generators: list[torch.Generator]) -> dict[str, torch.Tensor]:
        assert len(rows) == len(generators) == 3
        self.asked.append(rows)
        mask = torch.tensor(rows, dtype=torch.float32).reshape(3, 1, 1, 1, 1)
        return {"image": torch.ones(3, 1, 1, 1, 1), "mask": mask}


def test_a_training_on_windows_learns_keeps_its_loss_and_is_watched() -> None:
    seen = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        task, network = _Windows(), nn.Conv3d(1, 1, 1)
        history, watched = train_on_windows(
            network, task, [5, 7], loss=lambda logits, mask: (logits - mask).square().mean(),
            watch=lambda logits, mask: [logits.requires_grad, mask.mean().item()], iterations=200, seed=seed,
        )  # fmt: skip
        seen.append(task.asked)
        assert not network.training and history.steps == [*range(1, 201)] and watched.shape == (200, 2)
        assert not watched[:, 0].any(), "what is watched does not hold the graph"
        assert np.allclose(watched[:, 1], np.mean(task.asked, axis=1)) and {*sum(task.asked, [])} == {5, 7}
        assert history.loss[0] > 20 and np.mean(history.loss[-20:]) < 2, "the rows' mean is learned"
    assert seen[0] == seen[1] != seen[2]


def test_dice_of_each_patient_is_that_of_the_answers() -> None:
    task = open_lesion_task(SMALL, scale="smoke", data="phantom", root=None, seed=0)
    truth = {row: task.masks[row].bool() for row in range(4)}
    assert all(mask.any() for mask in truth.values())
    assert dice_per_patient(task, lambda row: truth[row], [0, 2]).tolist() == [1.0, 1.0]
    assert dice_per_patient(task, lambda row: ~truth[row], [0, 1, 2]).tolist() == [0.0] * 3
    everywhere = dice_per_patient(task, lambda row: torch.ones_like(truth[row]), [1])
    share = truth[1].float().mean().item()
    assert everywhere == pytest.approx([2 * share / (1 + share)])


def test_dice_of_a_head_counts_inside_its_box_at_one_half() -> None:
    head, lesion = torch.zeros(8, 8, 8, dtype=torch.bool), torch.zeros(8, 8, 8, dtype=torch.bool)
    head[2:6, 2:6, 2:6], lesion[2:4, 3, 3] = True, True
    image = torch.full((1, 1, 8, 8, 8), 9.0)  # bright outside the head, which must not count
    image[..., 2:6, 2:6, 2:6] = -9.0
    image[0, 0, 3:5, 3, 3] = 9.0  # one of two voxels found, one too many
    trained = SimpleNamespace(network=lambda part: torch.cat([torch.zeros_like(part), part], 1), size=(4, 4, 4))
    case = SimpleNamespace(image=image, head=head, signal=lesion)
    assert dice_per_head(trained, [case, case]) == pytest.approx([0.5, 0.5])
