"""Lesions and fusion run whole at smoke scale; their published numbers; and a run of phantoms on real patients."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.data import open_dataset
from medattn_lite.errors import UserError
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.experiment import build_variant
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import open_task
from medattn_lite.training.transfer import THRESHOLDS, threshold_dice, transfer
from medattn_lite.training.transfer import main as transfer_main

LESION_SCORES = {f"{what}, {how} average" for what in ("Dice", "IoU") for how in ("sample", "voxel")}
FUSION_SCORES = {f"{region} {what}" for region in ("WT", "TC", "ET") for what in ("Dice", "HD95 (mm)")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Finished smoke runs of the two recipes, by the command."""
    place = tmp_path_factory.mktemp("runs")
    for name in ("lesions", "fusion"):
        assert main(["train", name, "--out", str(place / name), "--device", "cpu"]) == 0
    return {name: place / name for name in ("lesions", "fusion")}


@pytest.mark.parametrize(("name", "scores"), [("lesions", LESION_SCORES), ("fusion", FUSION_SCORES)])
def test_a_run_has_every_variant_and_comparison_with_intervals(runs, name: str, scores: set[str]) -> None:
    results, recipe = json.loads((runs[name] / "metrics.json").read_text()), find_recipe(name)
    assert list(results["variants"]) == [variant.name for variant in recipe.variants]
    assert [(pair["first"], pair["second"]) for pair in results["comparisons"]] == list(recipe.comparisons)
    for intervals in (*(variant["pooled"] for variant in results["variants"].values()),
                      *(pair["difference"] for pair in results["comparisons"])):  # fmt: skip
        assert set(intervals) == scores
        for interval in intervals.values():
            assert (
                interval["missing"]
                if interval["low"] is None
                else interval["low"] <= interval["value"] <= interval["high"]
            )
    assert {row for scores_by_row in results["published"].values() for row in scores_by_row} <= scores
    for variant in results["variants"].values():
        assert all(0 <= dice <= 1 for by_region in variant["dice_by_patient"].values() for dice in by_region.values())


@pytest.mark.parametrize("name", ["lesions", "fusion"])
def test_all_variants_are_tested_on_the_same_patients_never_trained_on(runs, name: str) -> None:
    splits = [json.loads(path.read_text())["split"] for path in sorted(runs[name].glob("*/fold-*/predictions.json"))]
    assert len(splits) == len(find_recipe(name).variants) and all(split == splits[0] for split in splits)
    sides = [set(splits[0][side]) for side in ("train", "valid", "test")]
    assert not (sides[0] & sides[2] or sides[1] & sides[2] or sides[0] & sides[1])


def test_fused_networks_hold_the_trained_ones_unchanged(runs) -> None:
    run = Run(runs["fusion"])
    plan, recipe, settings = run.plan, run.recipe, run.settings
    task = open_task(recipe, settings, seed=plan.seed, progress=False)
    alone = {role: build_variant(plan, recipe, task, recipe.variant(name), 0)
             for role, name in (("first", "DynUNet"), ("second", "SegResNet"))}  # fmt: skip
    for role, name in (("first", "DynUNet"), ("second", "SegResNet")):
        load_weights(alone[role], runs["fusion"] / name / "fold-0" / "best.safetensors")
    joined = build_variant(plan, recipe, task, recipe.variant("Dual fusion"), 0)
    before = {name: tensor.clone() for name, tensor in joined.state_dict().items()}
    load_weights(joined, runs["fusion"] / "Dual fusion" / "fold-0" / "last.safetensors")  # after training
    for role, network in alone.items():
        for name, tensor in network.state_dict().items():
            assert torch.equal(getattr(joined, role).state_dict()[name], tensor)
    heads = [name for name in before if name.startswith("head.")]
    assert any(not torch.equal(before[name], joined.state_dict()[name]) for name in heads)
    late = build_variant(plan, recipe, task, recipe.variant("Late fusion"), 0).eval()
    image = task.batch([0], [torch.Generator().manual_seed(0)])["image"]
    with torch.no_grad():
        mean = sum(network.eval()(image).sigmoid() for network in alone.values()) / 2
        assert torch.allclose(late(image).sigmoid(), mean, atol=1e-5)


@pytest.mark.parametrize("name", ["Early fusion", "Dual fusion"])
def test_a_joining_head_starts_undecided_and_can_learn(runs, name: str) -> None:
    run = Run(runs["fusion"])
    plan, recipe, settings = run.plan, run.recipe, run.settings
    task = open_task(recipe, settings, seed=plan.seed, progress=False)
    joined = build_variant(plan, recipe, task, recipe.variant(name), 0)
    batch = task.batch([0, 1], [torch.Generator().manual_seed(k) for k in range(2)])
    output = joined(batch["image"])
    assert (output.sigmoid() == 0.5).all()
    task.loss(output, batch).backward()
    assert joined.head.head.weight.grad.abs().max() > 0


def test_paper_scale_has_the_published_numbers() -> None:
    lesions, fusion = find_recipe("lesions"), find_recipe("fusion")
    paper = lesions.at("paper")
    assert (paper.optimiser, paper.learning_rate, paper.weight_decay) == ("adam", 1e-3, 1e-5)
    assert (paper.batch_size, paper.iterations, paper.folds, paper.subjects) == (4, 800, 5, 43)
    assert not paper.network and paper.options["swapped"]
    paper = fusion.at("paper")
    assert (paper.size, paper.epochs, paper.patience, paper.optimiser) == ((128,) * 3, 100, 6, "adam")
    assert paper.learning_rate == 3e-4 and paper.options["train_share"] == 0.8 and not paper.network
    assert lesions.published["RSA-101"]["Dice, voxel average"] == "71.589 %"
    assert fusion.published["Dual fusion"] == {"WT Dice": "0.90267", "TC Dice": "0.84107", "ET Dice": "0.77842"}


def _as_open_ms(place: Path, count: int = 2) -> tuple[Path, list[torch.Tensor]]:
    """Phantoms written like the real patients' files: 1-mm-like voxels, left-anterior-superior on the disk."""
    options = find_recipe("lesions").at("smoke").phantom
    cohort = open_dataset("phantom", n=count, task="ms", seed=7, **options)
    masks = []
    for number in range(count):
        sample = cohort[number]
        folder = place / "MNI" / f"patient{number:02}"
        folder.mkdir(parents=True)
        # (D, H, W) = (S, A, R) to the file's (L, A, S)
        affine = sample["affine"][:, [2, 1, 0, 3]] @ np.diag([-1.0, 1, 1, 1])
        affine[:3, 3] += (sample["image"].shape[-1] - 1) * sample["affine"][:3, 2]
        files = dict(zip(("T1", "T2", "FLAIR"), sample["image"].numpy(), strict=True))
        files["consensus_gt"] = sample["mask"][0].numpy()
        for name, array in files.items():
            image = nib.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)[::-1]), affine)
            nib.save(image, folder / f"patient{number:02}_{name}_regtoMNI.nii.gz")
        masks.append(sample["mask"])
    return place, masks


def test_patients_in_another_orientation_score_as_the_phantoms_they_are(runs, tmp_path) -> None:
    root, masks = _as_open_ms(tmp_path / "open_ms_data")
    run = Run(runs["lesions"])
    plan, recipe, settings = run.plan, run.recipe, run.settings
    real = open_task(recipe, settings, data="open-ms", root=root, progress=False)
    same = open_task(recipe, settings.__class__(**{**vars(settings), "subjects": 2}), seed=7, progress=False)
    model = build_variant(plan, recipe, same, recipe.variant("RSA-101"), 0).eval()
    for row in range(2):
        assert torch.equal(real.masks[row], same.masks[row]) and int(real.masks[row].sum()) == int(masks[row].sum())
        assert torch.allclose(real.images[row].float(), same.images[row].float(), atol=2e-2)
        predicted = [task.segment(model, row, torch.device("cpu")).float() for task in (real, same)]
        assert (predicted[0] != predicted[1]).float().mean() < 0.01


def test_a_run_of_phantoms_is_tested_on_other_patients_one_by_one(runs, tmp_path, capsys) -> None:
    root, _ = _as_open_ms(tmp_path / "open_ms_data")
    assert transfer_main([str(runs["lesions"]), "--root", str(root), "--device", "cpu"]) == 0
    assert "patient01" in capsys.readouterr().out
    result = json.loads((runs["lesions"] / "transfer-open-ms.json").read_text())
    assert set(result["variants"]) == {variant.name for variant in find_recipe("lesions").variants}
    for by_network in (*result["variants"].values(), *result["flair_threshold"].values()):
        assert set(by_network["dice_by_patient"]) == {"patient00", "patient01"}
        assert by_network["mean_dice"] == pytest.approx(np.mean(list(by_network["dice_by_patient"].values())))
    best = result["flair_threshold"]["best_on_tested"]["mean_dice"]
    assert best >= result["flair_threshold"]["chosen_on_source"]["mean_dice"] > 0.2


def test_a_threshold_finds_what_it_says(runs) -> None:
    task = open_task(find_recipe("lesions"), find_recipe("lesions").at("smoke"), progress=False)
    scores = threshold_dice(task)
    assert scores.shape == (len(task.subjects), len(THRESHOLDS))
    level = 20
    bright = task.images[3][2].float().numpy() > THRESHOLDS[level]
    truth = task.masks[3][0].numpy() > 0
    assert scores[3, level] == pytest.approx(2 * (bright & truth).sum() / (bright.sum() + truth.sum()))


def test_transfer_says_what_is_wrong(runs, tmp_path, capsys) -> None:
    with pytest.raises(UserError, match="no finished run"):
        transfer(tmp_path, data="open-ms", root=tmp_path)
    with pytest.raises(UserError, match="another data set"):
        transfer(runs["lesions"], data="phantom", root=tmp_path)
    assert transfer_main([str(tmp_path), "--root", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_real_patients_of_the_lgg_set_run_as_slice_stacks(real_data, tmp_path) -> None:
    place = tmp_path / "lgg"
    place.mkdir()
    cases = sorted(path for path in (real_data / "kaggle_3m").iterdir() if path.is_dir())
    for case in cases[:4]:
        (place / case.name).symlink_to(case)
    words = ["--data", "lgg", "--root", str(place), "--device", "cpu"]
    assert main(["train", "lesions", *words, "--variants", "RSA-010", "--out", str(tmp_path / "a")]) == 0
    assert main(["train", "fusion", *words, "--variants", "DynUNet", "--out", str(tmp_path / "b")]) == 0
    lesions, fusion = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in "ab")
    assert set(lesions["variants"]["RSA-010"]["pooled"]) == LESION_SCORES
    assert set(fusion["variants"]["DynUNet"]["pooled"]) == {"WT Dice"}
    assert any("slice stacks" in note for note in lesions["data_facts"]["notes"])


def test_a_brats_patient_is_read_with_three_regions_and_cannot_be_split(real_data) -> None:
    recipe = find_recipe("fusion")
    task = open_task(recipe, recipe.at("smoke"), data="brats", root=real_data / "brats_layout", progress=False)
    assert task.regions == ("WT", "TC", "ET") and task.channels == ("t1", "t1ce", "t2", "flair")
    assert task.spacings[0] == pytest.approx((6.0, 6.0, 6.0))
    with pytest.raises(UserError, match="add patients"):
        task.splits()
