"""Presence and source, run whole at smoke scale, their published numbers, and the two in sequence on a new image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from medattn_lite.cli import main
from medattn_lite.data import open_dataset
from medattn_lite.errors import UserError
from medattn_lite.training.optimisers import learning_rate
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.sequence import MeanOfNetworks, open_pair, open_trained, presence_then_source, slices_of

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
        own = variant["pooled"]["AUC"]
        assert own["missing"] if own["low"] is None else own["low"] <= own["value"] <= own["high"]
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
    with pytest.raises(UserError, match="is a run of presence-leak"):
        open_trained(out, "presence", honest)


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


class Says(nn.Module):
    """Probability of class 1: the image's first pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        self.asked += len(x)
        first = x[:, 0, 0, 0].clamp(1e-6, 1 - 1e-6)
        return torch.stack([(1 - first).log(), first.log()], dim=1)


def test_source_is_asked_only_where_a_tumour_is_seen() -> None:
    images = torch.zeros(5, 1, 4, 4)
    images[:, 0, 0, 0] = torch.tensor([0.1, 0.9, 0.49, 0.51, 0.7])
    presence, source = Says(), Says()
    findings = presence_then_source(presence, source, images, batch_size=2)
    assert [finding.source is not None for finding in findings] == [False, True, False, True, True]
    assert source.asked == 3
    assert [finding.presence for finding in findings] == pytest.approx([0.1, 0.9, 0.49, 0.51, 0.7], abs=1e-5)
    assert findings[4].source == pytest.approx(0.7, abs=1e-5)
    assert all(finding.source is None for finding in presence_then_source(presence, source, images, threshold=0.95))
    assert presence_then_source(presence, source, images[:0]) == []
    with pytest.raises(UserError, match="probability"):
        presence_then_source(presence, source, images, threshold=50)


def test_the_mean_of_networks_is_the_mean_of_their_probabilities() -> None:
    images = torch.zeros(2, 1, 4, 4)
    images[:, 0, 0, 0] = torch.tensor([0.2, 0.8])

    class Half(nn.Module):
        def forward(self, x):
            return torch.zeros(len(x), 2)

    assert MeanOfNetworks([Says(), Half()])(images).softmax(1)[:, 1].tolist() == pytest.approx([0.35, 0.65])


def test_two_runs_in_sequence_on_a_new_scan(runs) -> None:
    presence, source = open_pair(runs["presence"], runs["source"])
    assert presence.class_names == ("no tumour", "tumour") and source.class_names == ("primary", "metastasis")
    options = dict(find_recipe("presence").at("smoke").phantom)
    scan = open_dataset("phantom", n=2, task="presence", seed=99, **options)[1]
    images, depths = slices_of(scan, presence)
    assert images.shape[1:] == (4, 32, 32) and len(depths) == len(images) > 3
    masked = {**scan, "mask": torch.zeros_like(scan["mask"])}
    assert torch.equal(slices_of(masked, presence)[0], images)  # the mask is not looked at
    findings = presence_then_source(presence.network, source.network, images, threshold=0.0)
    with torch.no_grad():
        direct = [[float(net(images)[0].softmax(0)[1]) for net in own.network.networks] for own in (presence, source)]
    assert findings[0].presence == pytest.approx(sum(direct[0]) / len(direct[0]), abs=1e-5)
    assert findings[0].source == pytest.approx(sum(direct[1]) / len(direct[1]), abs=1e-5)
    with pytest.raises(UserError, match="trained on t1"):
        slices_of({**scan, "channels": ("flair",)}, presence)


def test_runs_that_do_not_belong_together_are_refused(runs, tmp_path) -> None:
    with pytest.raises(UserError, match="is a run of source"):
        open_pair(runs["source"], runs["source"])
    with pytest.raises(UserError, match="no variant"):
        open_pair(runs["presence"], runs["source"], "ResNet")
    with pytest.raises(UserError, match="name the folder of a finished run"):
        open_pair(tmp_path, runs["source"])


def test_real_patients_are_cut_and_dealt(real_data, tmp_path) -> None:
    out = tmp_path / "lgg"
    few = tmp_path / "kaggle_3m"
    few.mkdir()
    for case in sorted((real_data / "kaggle_3m").glob("TCGA*"))[:6]:
        (few / case.name).symlink_to(case)
    words = ["train", "presence", "--data", "lgg", "--root", str(few), "--variants", "ResNeSAt", "--device", "cpu"]
    assert main([*words, "--out", str(out)]) == 0
    results = json.loads((out / "metrics.json").read_text())
    assert results["data_facts"]["channels"] == ["pre", "flair", "post"] and results["data_facts"]["patients"] == 6


def test_resnesat_stands_beside_common_cnns_on_one_split_of_80_to_20(tmp_path):
    out = tmp_path / "run"
    assert main(["train", "presence-cnns", "--out", str(out), "--device", "cpu", "--quiet"]) == 0
    results = json.loads((out / "metrics.json").read_text())
    names = ["ResNet-50", "DenseNet-121", "SE-ResNeXt-50", "ResNeSt", "ResNeSAt"]
    assert list(results["variants"]) == names and results["folds"] == 1
    pairs = [(pair["first"], pair["second"]) for pair in results["comparisons"]]
    assert pairs == [("ResNeSAt", own) for own in names[:4]]
    sides = json.loads((out / "ResNet-50" / "fold-0" / "predictions.json").read_text())["split"]
    assert not set(sides["train"]) & set(sides["test"])
    assert len(sides["test"]) / (len(sides["train"]) + len(sides["test"])) == pytest.approx(0.2, abs=0.06)
    assert len({own["parameters"] for own in results["variants"].values()}) == 5


def test_at_paper_scale_the_common_cnns_have_their_published_sizes():
    settings = find_recipe("presence-cnns").at("paper")
    assert settings.network == {} and settings.folds == 1 and settings.size == (256, 256)
