"""Presence and source, run whole at smoke scale, their published numbers, and the two in sequence on a new image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medattn_lite.cli import main
from medattn_lite.training.optimisers import learning_rate
from medattn_lite.training.recipes import find_recipe

SCORES = {"AUC", "accuracy", "recall", "specificity", "precision", "F1"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Finished smoke runs of the two recipes, by the command."""
    place = tmp_path_factory.mktemp("runs")
    for name in ("presence", "source"):
        assert main(["train", name, "--out", str(place / name), "--device", "cpu"]) == 0
    return {name: place / name for name in ("presence", "source")}


@pytest.mark.parametrize("name", ["presence", "source"])
def test_a_run_scores_both_networks_and_their_difference(runs, name: str) -> None:
    results = json.loads((runs[name] / "metrics.json").read_text())
    assert set(results["variants"]) == {"ResNeSt", "ResNeSAt", "ResNet-50", "slice features"}
    for variant in results["variants"].values():
        assert set(variant["pooled"]) == SCORES
        interval = variant["pooled"]["AUC"]
        assert (
            interval["missing"] if interval["low"] is None else interval["low"] <= interval["value"] <= interval["high"]
        )
        slices = sum(sum(row.values()) for row in variant["confusion"].values())
        assert slices == results["data_facts"]["rows"] > results["data_facts"]["patients"]
    pair = results["comparisons"][0]
    others = {(pair["first"], pair["second"]) for pair in results["comparisons"][1:]}
    assert others == {("ResNeSAt", "ResNet-50"), ("ResNeSAt", "slice features")}
    assert (pair["first"], pair["second"]) == ("ResNeSAt", "ResNeSt") and set(pair["difference"]) == SCORES
    assert results["published"]["ResNeSAt"]["accuracy"] == {"presence": "0.9918", "source": "0.8338"}[name]


def test_the_leak_is_reported_beside_the_honest_folds(tmp_path, capsys) -> None:
    out = tmp_path / "leak"
    assert main(["train", "presence-leak", "--out", str(out), "--device", "cpu"]) == 0
    assert "LEAK" in capsys.readouterr().err
    results = json.loads((out / "metrics.json").read_text())
    honest, leaky = results["variants"]
    assert "LEAKY" in leaky and "LEAKY" not in honest
    assert results["comparisons"][0]["first"] == leaky and "AUC" in results["comparisons"][0]["difference"]
    split = json.loads((out / leaky / "fold-0" / "predictions.json").read_text())["split"]
    assert set(split["train"]) & set(split["test"])


def test_the_command_cannot_make_presence_leak(tmp_path, capsys) -> None:
    assert main(["train", "presence", "--set", "split_by=slice", "--out", str(tmp_path / "run")]) == 2
    assert "--set split_by=slice" in capsys.readouterr().err


def test_published_numbers() -> None:
    for name, rate in (("presence", 1e-3), ("source", 1e-4)):
        settings = find_recipe(name).at("paper")
        assert (settings.size, settings.batch_size, settings.epochs, settings.folds) == ((256, 256), 16, 100, 10)
        assert (settings.optimiser, settings.learning_rate, dict(settings.network)) == ("sgd", rate, {})
        # α = ½ (1 + cos(e π / N_e)) α₀, e whole epochs
        assert learning_rate(settings, 0, 7, 700) == rate
        assert learning_rate(settings, 50 * 7 + 6, 7, 700) == pytest.approx(rate / 2)
        assert learning_rate(settings, 699, 7, 700) == pytest.approx(rate * 2.467e-4, rel=1e-3)
