"""Glioma grading at smoke scale, on phantoms and on real patients, and what its batches hold."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task
from tests.data.makers import brain, save, tumour

RECIPE = find_recipe("grading")


@pytest.fixture(scope="module")
def task():
    return open_task(RECIPE, RECIPE.at("smoke"), progress=False)


def generators(count, seed=0):
    return [torch.Generator().manual_seed(seed + place) for place in range(count)]


def test_the_published_numbers_stand_at_paper_scale():
    settings = RECIPE.at("paper")
    assert (settings.size, settings.batch_size, settings.epochs, settings.milestones) == (
        (128, 128, 128),
        4,
        100,
        (20, 50),
    )
    assert settings.learning_rate == 3e-4 and settings.folds == 5 and settings.network == {}


def test_sides_are_sixty_twenty_twenty_and_every_class_is_on_each(task):
    for split in task.splits():
        assert [len(side) for side in (split.train, split.valid, split.test)] == [6, 2, 2]
        for side in ("train", "valid", "test"):
            assert {task.strata[row] for row in task.rows(split, side)} == {0, 1}


def test_only_low_grade_is_mirrored_left_to_right(task):
    seen = {0: set(), 1: set()}
    for row, label in enumerate(task.strata):
        for seed in range(12):
            image = task.batch([row], generators(1, seed))["image"][0]
            original = task.images[row].float()
            assert torch.equal(image, original) or torch.equal(image, original.flip(-1))
            seen[label].add(torch.equal(image, original))
    assert seen == {0: {True, False}, 1: {True}}


def test_a_perfect_reader_scores_one_and_a_coin_does_not(task):
    truth = zip(task.subjects, task.strata, strict=True)
    perfect = [{"subject": subject, "label": label, "probability": float(label)} for subject, label in truth]
    coin = [{**row, "probability": 0.5} for row in perfect]
    scores = task.score(perfect)
    assert all(interval.value == 1 for interval in scores.values())
    assert task.score(coin)["AUC"].value == 0.5
    assert task.compare(perfect, coin)["AUC"].value == 0.5
    assert task.details(perfect)["confusion"] == {"low grade": {"low grade": 5, "high grade": 0},
                                                  "high grade": {"low grade": 0, "high grade": 5}}  # fmt: skip
    with pytest.raises(UserError, match="other patients"):
        task.compare(perfect, coin[::-1])


def test_the_smoke_run_writes_every_variant_and_comparison(tmp_path, capsys):
    assert main(["train", "grading", "--folds", "3", "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    results = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(results["variants"]) == [
        "P3D", "P3D + IAM", "ResNet-50 3-D", "tumour features", "P3D + IAM + tumour features"]  # fmt: skip
    assert [(pair["first"], pair["second"]) for pair in results["comparisons"]] == list(RECIPE.comparisons)
    assert results["data_facts"]["patients"] == 10 and results["data"] == "phantom"
    printed = capsys.readouterr().out
    assert "P3D + IAM minus P3D: AUC" in printed and "10 patients, 3 folds" in printed


@pytest.mark.parametrize("label", ["grade", "idh"])
def test_real_patients_are_graded(real_data, label):
    settings = with_changes(RECIPE.at("smoke"), {"options": {"label": label}})
    task = open_task(RECIPE, settings, data="lgg", root=real_data / "kaggle_3m", progress=False)
    expected = {"grade": {"low grade": 37, "high grade": 43}, "idh": {"IDH wild type": 11, "IDH mutant": 64}}
    assert task.about()["classes"] == expected[label]
    batch = task.batch([0, 1], generators(2))
    assert batch["image"].shape == (2, 3, *settings.size) and torch.isfinite(batch["image"]).all()


def test_data_without_two_classes_are_refused(real_data):
    with pytest.raises(UserError, match="grading needs the two classes"):
        open_task(RECIPE, RECIPE.at("smoke"), data="brats", root=real_data / "brats_layout", progress=False)


@pytest.mark.parametrize(("labels", "says"), [
    ([1, 2] * 3, "are: 1, 2; write them as 0 and 1 in the column label"), ([0] * 6, "are: 0; write them"),
    ([0, 1, 2] * 2, "are: 0, 1, 2; write them"), (None, "are: none; give the table in .* a column label, 0 or 1"),
])  # fmt: skip
def test_labels_other_than_0_and_1_are_refused_before_anything_is_written(labels, says, tmp_path, monkeypatch, capsys):
    rows = ["image,mask" + (",label" if labels else "")]
    for number in range(6):
        save(brain(seed=number), tmp_path / "data" / f"p{number}" / "t1.nii.gz")
        save(tumour(labels=(1,)), tmp_path / "data" / f"p{number}" / "mask.nii.gz")
        rows.append(f"p{number}/t1.nii.gz,p{number}/mask.nii.gz" + (f",{labels[number]}" if labels else ""))
    (tmp_path / "data" / "cases.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    words = ["train", "grading", "--data", "nifti", "--root", "data", "--folds", "2", "--device", "cpu", "--out", "run"]
    assert main([*words, "--variants", "tumour features"]) == 2
    assert re.search(says, capsys.readouterr().err) and not (tmp_path / "run").exists()


def test_a_wrong_word_is_answered_in_one_line(tmp_path, capsys):
    wrong = ("nope", "grading --scale huge", "grading --variants X", "grading --set folds", "grading --folds 9",
             "grading --data lgg", "grading --precision fp7", "grading --label idh")  # fmt: skip
    for words in wrong:
        assert main(["train", *words.split(), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 2, words
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("medattn: ")]
    assert len(lines) == 8


def test_validation_scores_are_kept_by_fold_and_the_paper_prints_its_own(tmp_path):
    out = tmp_path / "run"
    command = ["train", "grading", "--variants", "P3D", "--first-folds", "2", "--out", str(out), "--device", "cpu"]
    assert main(command) == 0
    variant = json.loads((out / "metrics.json").read_text())["variants"]["P3D"]
    for number, scores in enumerate(variant["validation_folds"]):
        record = json.loads((out / "P3D" / f"fold-{number}" / "predictions.json").read_text())
        assert {row["subject"] for row in record["validation"]} == set(record["split"]["valid"])
        right = [(row["probability"] >= 0.5) == row["label"] for row in record["validation"]]
        assert scores["accuracy"] == pytest.approx(sum(right) / len(right))
    mean = sum(scores["accuracy"] for scores in variant["validation_folds"]) / 2
    assert variant["validation_mean_over_folds"]["accuracy"]["mean"] == pytest.approx(mean)
    assert RECIPE.published["P3D"]["validation accuracy"] == "87.72 %"
    assert RECIPE.published["P3D + IAM"]["validation AUC"] == "91.52 %"


def test_beside_the_features_the_untrained_state_is_the_features_alone_and_may_be_chosen(tmp_path):
    out = tmp_path / "run"
    words = ["--variants", "tumour features", "P3D + IAM + tumour features", "--folds", "3", "--first-folds", "1",
             "--set", "learning_rate=1e-30"]  # fmt: skip
    assert main(["train", "grading", "--out", str(out), "--device", "cpu", "--quiet", *words]) == 0
    alone, with_features = (json.loads((out / name / "fold-0" / "predictions.json").read_text())
                            for name in ("tumour features", "P3D + IAM + tumour features"))  # fmt: skip
    assert with_features["chosen_step"] == 0 and with_features["iterations"] > 0
    for one, other in zip(alone["predictions"], with_features["predictions"], strict=True):
        assert one["subject"] == other["subject"] and one["probability"] == pytest.approx(other["probability"])
    from medattn_lite.training.run import Run
    from medattn_lite.training.tasks import open_task as opened

    run = Run(out)
    task = opened(run.recipe, run.settings, seed=run.plan.seed, progress=False)
    split = task.splits()[0]
    fold_task, network = run.trained_on(task, run.recipe.variant("P3D + IAM + tumour features"), 0, split)
    row = int(fold_task.rows(split, "test")[0])
    assert fold_task.predict(network, row, torch.device("cpu"))["probability"] == pytest.approx(
        with_features["predictions"][0]["probability"])  # fmt: skip
    zeros, notes = fold_task.extra_inputs(network)
    assert zeros[0].shape == (1, fold_task.features.shape[1]) and "mean" in notes[0]


def test_a_state_beside_the_features_is_chosen_by_likelihood(task):
    variant = RECIPE.variant("P3D + IAM + tumour features")
    variant_task = task.for_variant(variant, with_changes(task.settings, variant.settings), task.splits()[0])
    sure = [{"subject": str(k), "label": k % 2, "probability": 0.9 if k % 2 else 0.1} for k in range(4)]
    unsure = [{**row, "probability": 0.5 + 0.01 * (2 * row["label"] - 1)} for row in sure]
    assert variant_task.quick_score(sure) == pytest.approx(float(np.log(0.9)))
    assert variant_task.quick_score(sure) > variant_task.quick_score(unsure)
    assert task.quick_score(sure) == task.quick_score(unsure) == 1.0
