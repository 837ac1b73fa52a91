"""Controls of the phantom: the declared signal tells the label, single facts do not, and blur is no tumour."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.training import phantom_controls as module
from medattn_lite.training.phantom_controls import ALONE, phantom_controls
from medattn_lite.training.sharpness_control import sharpness_control


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.SCALES, "smoke", (4, 24, 1, (24, 28, 24), 200))


@pytest.mark.parametrize("task", ["grade", "source"])
def test_the_declared_signal_tells_the_label_and_is_scored_beside_every_other_fact(tiny: None, task: str) -> None:
    result = phantom_controls("smoke", task=task, progress=False)
    assert result["auc_true_signal"]["value"] > 0.8
    assert {f"auc_{name}_alone" for name in ALONE[task]} <= set(result)
    assert result["task"] == task and result["realism"] == "matched" and result["test_subjects"] == 24


def test_clinical_cohorts_give_the_grade_away_by_what_is_no_signal(tiny: None) -> None:
    matched, clinical = (phantom_controls("smoke", realism=kind, progress=False) for kind in ("matched", "clinical"))
    assert clinical["auc_mass_effect_alone"]["value"] > 0.85
    assert clinical["auc_mass_effect_alone"]["value"] > matched["auc_mass_effect_alone"]["value"]


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(UserError, match="task='ms': choose from grade, presence, source"):
        phantom_controls(task="ms")


def test_the_network_that_ships_calls_no_more_blurred_healthy_slices_tumour_than_sharp_ones() -> None:
    result = sharpness_control(subjects=6, progress=False)
    assert result["slices"] > 30
    assert result["called_tumour_blurred"] <= result["called_tumour_sharp"] + 0.08


def test_a_network_that_looks_at_sharpness_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from medattn_lite.networks.trained import load_trained

    class Rough(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
            rough = (x - torch.nn.functional.avg_pool2d(x, 3, 1, 1)).flatten(1).std(1)  # (B,)
            return torch.stack([rough, 0.45 * torch.ones_like(rough)], 1) * 50

    import dataclasses

    real = load_trained("presence_resnesat")
    monkeypatch.setattr("medattn_lite.training.sharpness_control.load_trained",
                        lambda _: dataclasses.replace(real, network=Rough()))  # fmt: skip
    result = sharpness_control(subjects=4, blur=1.5, progress=False)
    assert result["auc_blurred_against_sharp"] > 0.8
