"""Slices: patients stay whole, pictures are whose they say, flips move pictures only, and weights say what loaded."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from PIL import Image

from medattn_lite.errors import UserError
from medattn_lite.networks.registry import build
from medattn_lite.training.pretrained import read_weights, start_from
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task
from medattn_lite.training.tasks.slice_features import slice_features
from medattn_lite.training.tasks.slices import Slices, _kinds


@pytest.fixture(scope="module")
def task() -> Slices:
    recipe = find_recipe("presence")
    return open_task(recipe, recipe.at("smoke"), progress=False)


@pytest.fixture(scope="module")
def leaky() -> Slices:
    recipe = find_recipe("presence-leak")
    return open_task(recipe, recipe.at("smoke"), progress=False)


def fitted(task: Slices, number: int, split):
    variant = task.recipe.variants[number]
    return task.for_variant(variant, with_changes(task.settings, variant.settings), split)


def test_no_patient_is_trained_on_and_tested_and_every_slice_is_tested_once(task: Slices) -> None:
    tested = []
    for split in task.splits():
        train, test = task.rows(split, "train"), task.rows(split, "test")
        assert not {task.subjects[row] for row in train} & {task.subjects[row] for row in test}
        assert sorted([*train, *test]) == list(range(len(task.images)))
        tested += test.tolist()
    assert sorted(tested) == list(range(len(task.images)))


def test_a_slice_is_mirrored_half_of_the_time_and_otherwise_untouched(task: Slices) -> None:
    rows = [3] * 400
    images = task.batch(rows, [torch.Generator().manual_seed(seed) for seed in range(400)])["image"]
    plain = task.images[3].float()
    mirrored = [bool(torch.equal(image, plain.flip(-1))) for image in images]
    assert all(m or torch.equal(image, plain) for m, image in zip(mirrored, images, strict=True))
    assert 150 < sum(mirrored) < 250
    assert not torch.equal(plain, plain.flip(-1))


def test_a_network_given_the_truth_scores_1_and_one_that_calls_nothing_has_no_precision(task: Slices) -> None:
    rows = range(len(task.images))
    truth = [{"subject": task.subjects[row], "row": row, "label": task.strata[row],
              "probability": float(task.strata[row])} for row in rows]  # fmt: skip
    assert {score.value for score in task.score(truth, draws=20).values()} == {1.0}
    nothing = [{**row, "probability": 0.0} for row in truth]
    scores = task.score(nothing, draws=20)
    assert np.isnan(scores["precision"].value) and scores["specificity"].value == 1
    assert np.isnan(task.compare(truth, nothing)["precision"].value)


def test_two_networks_are_compared_slice_by_slice_whatever_the_order(task: Slices) -> None:
    generator = np.random.default_rng(0)
    first = [{"subject": task.subjects[row], "row": row, "label": task.strata[row],
              "probability": float(generator.random())} for row in range(len(task.images))]  # fmt: skip
    difference = task.compare(first, first[::-1])
    assert all(interval.value == 0 and not interval.is_given and 0 in interval for interval in difference.values())


def test_a_rare_kind_of_patient_is_dealt_with_its_nearest() -> None:
    subjects = ["a", "a", "b", "b", "c", "d", "e", "f"]
    labels = [0, 1, 0, 1, 1, 0, 0, 0]
    kinds = _kinds(subjects, labels, folds=2)
    assert kinds["c"] == (0, 1) and kinds["d"] == (0,)
    assert _kinds(["a", "b"], [0, 1], folds=2) == {"a": (0,), "b": (1,)}


def test_only_the_variant_called_leaky_leaks(leaky: Slices) -> None:
    for split in leaky.splits():
        for number, variant in enumerate(leaky.recipe.variants):
            variant_task = fitted(leaky, number, split)
            sides = [
                {variant_task.subjects[row] for row in variant_task.rows(split, side)} for side in ("train", "test")
            ]
            assert bool(sides[0] & sides[1]) == ("LEAKY" in variant.name)
            assert sorted([*variant_task.rows(split, "train"), *variant_task.rows(split, "test")]) == list(
                range(len(variant_task.images))
            )
    shares = leaky.about()["tested_slices_whose_patient_was_trained_on"]
    assert shares["folds by patient"] == 0 and shares["LEAKY folds by slice"] > 0.5


def test_no_other_recipe_can_split_slices(task: Slices) -> None:
    split = task.splits()[0]
    settings = with_changes(task.settings, {"options": {"split_by": "slice"}})
    by_slice = task.for_variant(task.recipe.variants[0], settings, split)
    assert np.array_equal(by_slice.rows(split, "train"), task.rows(split, "train"))
    for name in ("presence", "source"):
        recipe = find_recipe(name)
        assert not any("split_by" in settings.options for settings in recipe.scales.values())


def test_gliomas_do_not_say_where_they_came_from(tmp_path) -> None:
    recipe = find_recipe("source")
    with pytest.raises(UserError, match="does not say where"):
        open_task(recipe, recipe.at("smoke"), data="lgg", root=tmp_path, progress=False)
    changed = with_changes(recipe.at("smoke"), {"options": {"label": "idh"}})
    with pytest.raises(UserError, match="use --data lgg"):
        open_task(recipe, changed, progress=False)


def test_pictures_must_say_whose_they_are(tmp_path) -> None:
    generator = np.random.default_rng(0)
    for name in ("no", "yes"):
        (tmp_path / name).mkdir()
        for patient in range(3):
            for number in range(2):
                pixels = generator.integers(60, 255, (24, 20), dtype=np.uint8)
                pixels[:2] = pixels[-2:] = 0
                Image.fromarray(pixels).save(tmp_path / name / f"{name}{patient}-{number}.png")
    recipe = find_recipe("presence")
    settings = recipe.at("smoke")
    with pytest.raises(UserError, match="would leak"):
        open_task(recipe, settings, data="images", root=tmp_path, progress=False)
    named = with_changes(settings, {"options": {"patient": r"^(\w+)-"}})
    task = open_task(recipe, named, data="images", root=tmp_path, progress=False)
    assert len(task.images) == 12 and len(set(task.subjects)) == 6
    assert task.about()["classes"] == {"no tumour": 6, "tumour": 6} and task.channels == ("grey",)


def test_weights_of_resnest_start_resnesat_and_say_what_did_not_load(tmp_path, task: Slices) -> None:
    small = {**task.settings.network_options("resnest50"), "in_channels": 4}
    torch.manual_seed(5)
    imagenet = build("resnest50", num_classes=1000, **small).state_dict()
    torch.save({"state_dict": {f"module.{name}": value for name, value in imagenet.items()}}, tmp_path / "w.pth")
    changed = with_changes(task.settings, {"options": {"weights": str(tmp_path / "w.pth")}})
    variant_task = task.for_variant(task.recipe.variants[1], changed, task.splits()[0])
    network = variant_task.build(task.recipe.variants[1], {}).state_dict()
    assert torch.equal(network["layer2.0.conv1.weight"], imagenet["layer2.0.conv1.weight"])
    report = variant_task.about()["weights"]
    assert "other shape: fc.weight, fc.bias" in report["ResNeSt"] and "missing" not in report["ResNeSt"]
    assert "layer1.0.sa.convolution.weight" in report["ResNeSAt"] and len(report["sha256"]) == 64
    json.dumps(report)
    with pytest.raises(UserError, match="published size"):
        start_from(build("resnest50", **{**small, "width": 24}), tmp_path / "w.pth", dict)


def test_a_file_that_could_run_code_is_refused(tmp_path) -> None:
    class Code:
        def __reduce__(self):
            return print, ("ran",)

    torch.save({"state_dict": Code()}, tmp_path / "bad.pth")
    for name, words in (("bad.pth", "cannot read weights"), ("gone.pth", "no file of weights")):
        with pytest.raises(UserError, match=words):
            read_weights(tmp_path / name)
    (tmp_path / "cut.safetensors").write_bytes(b"\x08")
    with pytest.raises(UserError, match="cannot read weights"):
        read_weights(tmp_path / "cut.safetensors")


def _with(task: Slices, **options) -> Slices:
    changed = copy.copy(task)
    changed.settings = with_changes(task.settings, {"options": options})
    return changed


def test_pictures_are_turned_scaled_and_changed_only_where_the_options_ask(task: Slices) -> None:
    def batch(task: Slices) -> torch.Tensor:
        return task.batch([3] * 12, [torch.Generator().manual_seed(seed) for seed in range(12)])["image"]

    plain = batch(task)
    assert torch.equal(batch(_with(task, turn_degrees=0.0, zoom=0.0, intensity_change=0.0)), plain)
    for options in ({"turn_degrees": 20.0}, {"zoom": 0.3}, {"intensity_change": 0.2}):
        changed = batch(_with(task, **options))
        assert changed.shape == plain.shape and not torch.allclose(changed, plain), options
        assert torch.equal(changed, batch(_with(task, **options)))


def test_the_mean_over_mirror_images_is_the_same_for_both_sides(task: Slices) -> None:
    torch.manual_seed(0)
    model = task.build(task.recipe.variant("ResNeSAt"), {}).eval()
    mirroring, other = _with(task, mirror_test=True), _with(task, mirror_test=True)
    other.images = task.images.flip(-1)
    with torch.no_grad():
        one, mirrored, alone = (that.predict(model, 3, torch.device("cpu"))["probability"]
                                for that in (mirroring, other, task))  # fmt: skip
    assert one == pytest.approx(mirrored, abs=1e-6) and one != alone


def test_slice_features_are_moments_of_the_head_and_how_unlike_its_sides_are() -> None:
    image = torch.full((1, 6, 8), -4.0)
    image[0, 1:5, 2:6] = torch.tensor([1.0, 2.0, 2.0, 3.0])
    mean, spread, low, high, apart = slice_features(image).tolist()
    assert (mean, high, low) == (2.0, 3.0, 1.0) and spread == pytest.approx(0.5**0.5)
    assert apart == pytest.approx((2 + 0 + 0 + 2) / 4 * 4 / 6)  # four of six rows hold the head
    image[0, 1:5, 2:6] = 2.0
    assert slice_features(image)[[1, 4]].tolist() == [0.0, 0.0]
    assert not slice_features(torch.zeros(2, 6, 8)).any()


def test_the_control_of_slices_finds_bright_slices_without_a_network(task: Slices) -> None:
    bright = copy.copy(task)
    bright.images = task.images.clone()
    for row, label in enumerate(task.strata):
        bright.images[row, 0, 8:24, 8:24] += 2.0 * label
    model = bright.build(bright.recipe.variant("slice features"), {})
    bright.fit_without_gradients(model, np.arange(len(bright.images)), None)
    predictions = [bright.predict(model, row, torch.device("cpu")) for row in range(len(bright.images))]
    assert bright.score(predictions, draws=0)["AUC"].value > 0.95
