"""The loop learns, repeats itself, and says what is wrong with its input."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medattn_lite import cli_train
from medattn_lite.errors import UserError
from medattn_lite.training import choose, fit, pick_device, predict_probabilities
from medattn_lite.training import device as devices


def toy(count: int = 64, spatial: tuple[int, ...] = (9, 7), seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise images; class 1 is brighter in the middle."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    images = torch.randn(count, 2, *spatial, generator=generator)
    images[labels == 1, 0] += 1.5
    return images, labels


def network(dims: int = 2) -> nn.Module:
    torch.manual_seed(0)
    conv, pool = (nn.Conv2d, nn.AdaptiveAvgPool2d) if dims == 2 else (nn.Conv3d, nn.AdaptiveAvgPool3d)
    return nn.Sequential(conv(2, 8, 3, padding=1), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(8, 2))


@pytest.mark.parametrize("spatial", [(9, 7), (5, 9, 7)])
def test_fit_learns_a_brightness_rule_and_scores_held_out_images(spatial: tuple[int, ...]) -> None:
    model = network(len(spatial))
    held_out = toy(40, spatial, seed=1)
    history = fit(model, *toy(64, spatial), iterations=60, learning_rate=1e-2, valid=held_out, progress=False)
    assert history.valid_auc[-1] > 0.95
    assert len(history.loss) == 60 and history.valid_steps[-1] == 60
    assert predict_probabilities(model, held_out[0]).sum(dim=1).allclose(torch.ones(40))


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    runs = []
    for seed in (0, 0, 1):
        model = network()
        fit(model, *toy(), iterations=5, seed=seed, progress=False)
        runs.append(torch.cat([p.flatten() for p in model.parameters()]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_scoring_leaves_the_model_in_the_mode_it_was_in() -> None:
    model = network().train()
    predict_probabilities(model, toy(4)[0])
    assert model.training


@pytest.mark.parametrize(
    ("change", "words"),
    [({"labels": torch.zeros(64, dtype=torch.long)}, "both classes"), ({"labels": torch.zeros(3)}, "as many images")],
)
def test_bad_training_sets_are_refused_in_one_line(change: dict, words: str) -> None:
    images, _ = toy()
    with pytest.raises(UserError, match=words):
        fit(network(), images, change["labels"], iterations=1, progress=False)


def test_impossible_budget_is_refused() -> None:
    with pytest.raises(UserError, match="iterations"):
        fit(network(), *toy(), iterations=0, progress=False)


def test_a_cpu_trains_in_fp32_and_says_so(capsys) -> None:
    speed = devices.bf16_speed("cpu", repeats=1)
    assert speed is None or speed > 0
    assert choose("cpu").precision == "fp32"
    assert cli_train._accelerator("cpu", "auto").mixed_precision == "no"
    assert capsys.readouterr().err.splitlines() == ["device cpu, fp32: cpu was asked for; fp32"]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_cpu_is_refused_what_it_cannot_compute_right(precision: str) -> None:
    with pytest.raises(UserError, match=f"{precision} needs a GPU: use --precision fp32"):
        cli_train._accelerator("cpu", precision)


def test_unknown_and_absent_devices_are_refused_with_a_remedy() -> None:
    assert pick_device("cpu").type == "cpu"
    assert choose("auto").why
    with pytest.raises(UserError, match="use auto"):
        pick_device("gpu please")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="auto or cpu"):
            pick_device("cuda")
