"""Mechanisms: one task for all, labels that were shuffled, and a mark that gives the label away."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch

from medattn_lite.attention import names
from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.mechanisms import WIDER
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task, recall_task

RECIPE = find_recipe("mechanisms")


@pytest.fixture(scope="module")
def task():
    return open_task(RECIPE, with_changes(RECIPE.at("smoke"), {"subjects": 20}), progress=False)


def for_variant(task, name):
    variant = RECIPE.variant(name)
    return task.for_variant(variant, with_changes(task.settings, variant.settings), task.splits()[0])


def test_the_mark_is_beside_the_head_and_nowhere_else(task):
    for plain, marked in zip(task.images, task.marked_images, strict=True):
        background = plain == plain[:, :1, :1, :1]
        changed = (marked - marked[:, :1, :1, :1]).abs() > 0.05
        assert (changed & background).any(), "something is where nothing was"
        assert torch.corrcoef(torch.stack([plain[~background], marked[~background]]).float())[0, 1] > 0.999


def test_a_marked_variant_sees_the_mark_on_high_grades_alone_and_never_when_tested(task):
    variant_task = for_variant(task, "P3D + IAM, scanner mark")
    for row, label in enumerate(task.strata):
        image = variant_task.batch([row], [torch.Generator().manual_seed(0)])["image"][0]
        expected = (task.marked_images if label else task.images)[row].float()
        assert torch.equal(image, expected) or torch.equal(image.flip(-1), expected)

    class Brightest(torch.nn.Module):
        def forward(self, x):  # (1, C, D, H, W): the corner where the mark is, to logits
            corner = x[:, 0, :, -4:, -4:].amax((1, 2, 3)) - x[:, 0, 0, 0, 0]
            return torch.stack([torch.zeros_like(corner), 0.1 * corner], dim=1)

    rows = [variant_task.predict(Brightest(), row, torch.device("cpu")) for row in range(len(task.subjects))]
    assert variant_task.details(rows)["auc_by_mark"]["on high grades"] > 0.99
    assert variant_task.details(rows)["auc_by_mark"]["on low grades"] < 0.01


SHUFFLED = "P3D + IAM, shuffled labels"


def test_shuffled_labels_are_dealt_in_training_and_validation_and_tests_keep_the_truth(task):
    variant_task, split = for_variant(task, SHUFFLED), task.splits()[0]
    taught, truth = np.array(variant_task.training_labels), np.array(task.strata)
    for side in ("train", "valid"):
        rows = variant_task.rows(split, side)
        assert sorted(taught[rows]) == sorted(truth[rows])
    watched = np.concatenate([variant_task.rows(split, side) for side in ("train", "valid")])
    assert (taught[watched] != truth[watched]).any()
    test = variant_task.rows(split, "test")
    assert (taught[test] == truth[test]).all()
    assert for_variant(task, "P3D").training_labels == task.strata
    assert for_variant(task.at_start(1), SHUFFLED).training_labels != variant_task.training_labels, (
        "each seed deals anew"
    )


class Brightness(torch.nn.Module):
    """Some score of each image, which is all that a choice of a checkpoint can be made of."""

    def forward(self, x):  # (1, C, D, H, W) to logits
        value = x.mean((1, 2, 3, 4))  # not so large that the softmax is 0 or 1
        return torch.stack([torch.zeros_like(value), value], dim=1)


def choice(variant_task, rows):
    """What the trainer chooses a checkpoint by."""
    return variant_task.quick_score(
        [variant_task.quick_predict(Brightness(), row, torch.device("cpu")) for row in rows]
    )


def test_the_choice_of_the_shuffled_variant_does_not_depend_on_true_labels_of_watched_patients(task):
    split = task.splits()[0]
    exchanged = copy.copy(task)
    exchanged.strata = list(task.strata)
    for side in ("train", "valid"):
        rows = task.rows(split, side)
        for row, other in zip(rows, np.roll(rows, 1), strict=True):
            exchanged.strata[row] = task.strata[other]
    valid = task.rows(split, "valid")
    assert [task.strata[row] for row in valid] != [exchanged.strata[row] for row in valid]

    def fitted(one, name):
        variant = RECIPE.variant(name)
        return one.for_variant(variant, with_changes(one.settings, variant.settings), split)

    before, after = fitted(task, SHUFFLED), fitted(exchanged, SHUFFLED)
    rows = [*task.rows(split, "train"), *valid]
    assert [before.training_labels[row] for row in rows] == [after.training_labels[row] for row in rows]
    assert choice(before, rows) == choice(after, rows)
    assert choice(fitted(task, "P3D"), rows) != choice(fitted(exchanged, "P3D"), rows), "true labels would show"
    labels = [before.predict(Brightness(), row, torch.device("cpu"))["label"] for row in range(len(task.subjects))]
    assert labels == task.strata, "scores are of the true labels"


def test_the_smoke_run_trains_every_mechanism(tmp_path):
    out = tmp_path / "run"
    assert main(["train", "mechanisms", "--first-folds", "1", "--out", str(out), "--device", "cpu"]) == 0
    results = json.loads((out / "metrics.json").read_text())
    assert list(results["variants"]) == [variant.name for variant in RECIPE.variants]
    assert set(results["variants"]["P3D + IAM, scanner mark"]["auc_by_mark"]) == {
        "on high grades", "on low grades", "on none"}  # fmt: skip
    assert "AUC" in results["variants"]["P3D"]["validation_mean_over_folds"]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_all_mechanisms_stand_in_one_frame_beside_a_plain_one_that_is_not_smaller(scale):
    facts = {"channels": ["t1", "t1ce", "t2", "flair"]}
    recipe_task = recall_task(RECIPE, RECIPE.at(scale), data="phantom", facts=facts)
    with torch.device("meta"):
        networks = {variant.name: recipe_task.build(variant, {}) for variant in RECIPE.variants}
    compared = {name for pair in RECIPE.comparisons for name in pair}
    assert {name for name in networks if name.startswith("P3D") or name == WIDER} == compared
    sizes = {name: sum(parameter.numel() for parameter in networks[name].parameters()) for name in compared}
    assert max(sizes, key=sizes.get) == WIDER
    assert all(type(networks[name]) is type(networks["P3D"]) for name in compared)
    shared = networks["P3D"].state_dict()
    for name in compared - {WIDER}:
        state = networks[name].state_dict()
        assert all(state[key].shape == value.shape for key, value in shared.items())


def test_every_mechanism_of_the_registry_is_compared():
    mechanisms = {part.partition("+")[2] for variant in RECIPE.variants for part in [variant.network] if "+" in part}
    assert mechanisms | {"none", "iam"} == set(names(3))


def test_patients_are_refused(tmp_path):
    with pytest.raises(UserError, match="mechanisms is about"):
        open_task(RECIPE, RECIPE.at("smoke"), data="lgg", root=tmp_path, progress=False)
