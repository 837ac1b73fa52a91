"""Segmentation tasks: whose voxels are counted, what a perfect model scores, and what the windows do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.networks.coarse import CoarseInPlane
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task
from medattn_lite.training.tasks.overlap import dice_by_patient, mean_dice, overlap_scores
from medattn_lite.training.tasks.segmentation import head_box, shrink_slices
from medattn_lite.training.tasks.windows import MOST_WINDOWS, count_windows, slide

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tasks() -> dict:
    return {name: _open(name) for name in ("lesions", "fusion")}


def _open(name: str, **changes):
    recipe = find_recipe(name)
    return open_task(recipe, with_changes(recipe.at("smoke"), changes), progress=False)


class Told(nn.Module):
    """Says what the last channels of the image hold: with the truth in there, a perfect model."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        truth = 20 * x[:, -self.classes :] - 10
        return torch.cat([-truth, truth], dim=1) if self.classes == 1 else truth


def _with_truth(task):
    changed = replace_images(task, [torch.cat([image, mask.half()]) for image, mask in
                                    zip(task.images, task.masks, strict=True)])  # fmt: skip
    return changed, Told(len(task.regions))


def replace_images(task, images):
    import copy

    changed = copy.copy(task)
    changed.images = images
    return changed


def test_validation_scores_the_mean_over_all_regions_and_patients() -> None:
    counts = {"WT": {"tp": 2, "fp": 0, "fn": 0, "hd95": 0.0}, "ET": {"tp": 1, "fp": 1, "fn": 1, "hd95": None}}
    other = {"WT": {"tp": 0, "fp": 1, "fn": 0, "hd95": None}, "ET": {"tp": 0, "fp": 0, "fn": 0, "hd95": 0.0}}
    rows = [{"subject": "a", "regions": counts}, {"subject": "b", "regions": other}]
    assert mean_dice(rows) == pytest.approx((1.0 + 0.5 + 0.0 + 1.0) / 4)


@pytest.mark.parametrize("name", ["lesions", "fusion"])
def test_a_model_that_is_given_the_truth_scores_one(tasks, name: str) -> None:
    task, model = _with_truth(tasks[name])
    rows = [task.predict(model, row, CPU) for row in range(len(task.subjects))]
    for score, interval in task.score(rows).items():
        best = 0 if "HD95" in score else 1
        assert interval.value == best and interval.low != interval.high, score  # no certainty
    assert task.quick_score([task.quick_predict(model, 0, CPU)]) == 1


@pytest.mark.parametrize("name", ["lesions", "fusion"])
def test_the_loss_of_the_truth_is_near_its_least(tasks, name: str) -> None:
    task = tasks[name]
    variant = task.recipe.variants[0]
    variant_task = task.for_variant(variant, task.settings, task.splits()[0])
    batch = variant_task.batch([0, 1], [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    truth = batch["mask"].float()
    logits = 80 * truth - 40
    right = torch.cat([-logits, logits], 1) if name == "lesions" else logits
    assert variant_task.loss(right, batch) < 0.05 < variant_task.loss(-right, batch)


def test_the_loss_is_the_mean_over_the_rows(tasks) -> None:
    for task in tasks.values():
        variant_task = task.for_variant(task.recipe.variants[0], task.settings, task.splits()[0])
        batch = variant_task.batch([0, 1], [torch.Generator().manual_seed(seed) for seed in (0, 1)])
        channels = 2 if task is tasks["lesions"] else 3
        logits = torch.randn(2, channels, *task.settings.size, generator=torch.Generator().manual_seed(2))
        parts = [variant_task.loss(logits[[row]], {"mask": batch["mask"][[row]]}) for row in (0, 1)]
        assert torch.allclose(variant_task.loss(logits, batch), torch.stack(parts).mean(), rtol=1e-5)


def test_no_patient_is_on_two_sides_of_a_random_split(tasks) -> None:
    for name, task in tasks.items():
        task = replace_images(task, task.images)
        task.settings = with_changes(task.settings, {"folds": 5})
        splits = task.splits()
        assert len({split.test for split in splits}) > 1
        for split in splits:
            assert set(split.train) | set(split.valid) | set(split.test) == set(task.subjects)
            assert bool(split.valid) == (name == "fusion")
        assert [split.test for split in splits] == [split.test for split in task.splits()]


def test_published_splits_have_their_published_sizes(tasks) -> None:
    for name, people, sizes in (("lesions", 43, (20, 0, 23)), ("fusion", 285, (199, 29, 57))):
        task = replace_images(tasks[name], [])
        task.subjects = [f"patient {number:03}" for number in range(people)]
        split = task.splits()[0]
        counts = len(split.train), len(split.valid), len(split.test)
        assert counts == sizes or (name == "fusion" and counts[2] == 57 and counts[0] + counts[1] == 228)


def test_one_patient_cannot_be_split(tasks) -> None:
    task = replace_images(tasks["lesions"], [])
    task.subjects = ["only"]
    with pytest.raises(UserError, match="add patients"):
        task.splits()


def test_a_lesion_counts_more_but_in_the_variant_as_printed(tasks) -> None:
    recipe, task = find_recipe("lesions"), tasks["lesions"]
    weights = {}
    for name in ("RSA-010", "RSA-010 as printed"):
        variant = recipe.variant(name)
        variant_task = task.for_variant(variant, with_changes(task.settings, variant.settings), task.splits()[0])
        weights[name] = variant_task.cross_entropy.weight.tolist()
    assert weights["RSA-010"] == pytest.approx([0.269, 0.731], abs=1e-3)  # background, lesion
    assert weights["RSA-010 as printed"] == pytest.approx([0.731, 0.269], abs=1e-3)


def test_one_window_is_the_network_itself_and_many_agree_where_it_looks_at_one_voxel() -> None:
    image = torch.randn(1, 2, 9, 10, 11, generator=torch.Generator().manual_seed(0))
    blur = nn.Conv3d(2, 1, 3, padding=1)
    point = nn.Conv3d(2, 1, 1)
    with torch.no_grad():
        assert torch.allclose(slide(blur, image, (9, 10, 11)), blur(image), atol=1e-5)
        for overlap in (0.0, 0.25, 0.5):
            assert torch.allclose(slide(point, image, (4, 5, 6), overlap=overlap), point(image), atol=1e-5)


@pytest.mark.parametrize(("shape", "size", "overlap"), [
    ((9, 10, 11), (9, 10, 11), 0.5), ((9, 10, 11), (4, 5, 6), 0.0), ((9, 10, 11), (3, 3, 3), 0.5),
    ((9, 9, 9), (2, 9, 4), 0.9), ((7, 8, 9), (1, 8, 1), 0.0), ((12, 5, 9), (4, 5, 4), 0.25),
])  # fmt: skip
def test_windows_are_counted_as_they_are_cut(shape, size, overlap) -> None:
    seen = 0

    def predict(windows: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += len(windows)
        return windows

    slide(predict, torch.rand(1, 1, *shape), size, overlap=overlap)
    assert seen == count_windows(shape, size, overlap=overlap)


@pytest.mark.parametrize(("name", "changes"), [
    ("fusion", {"size": (8, 8, 8), "options": {"overlap": 0.95}}),
    ("lesions", {"size": (9, 8, 8), "options": {"overlap": 0.9}}),
])  # fmt: skip
def test_settings_that_would_cut_an_image_into_thousands_of_windows_are_refused(name, changes) -> None:
    with pytest.raises(UserError, match=r"windows of \d.*take a larger size or less overlap"):
        _open(name, **changes)


def test_the_recipes_stay_below_the_limit_of_windows_for_a_head_at_1_mm() -> None:
    for name in ("lesions", "fusion"):
        for settings in find_recipe(name).scales.values():
            spacing, pixels = settings.options["spacing_mm"] or 1, settings.options.get("slice_pixels")
            shape = (182, pixels, pixels) if pixels else [round(side / spacing) for side in (182, 218, 182)]
            assert count_windows(shape, settings.size, overlap=settings.options["overlap"]) <= MOST_WINDOWS / 4


@pytest.mark.parametrize("name", ["lesions", "fusion", "grading", "survival", "mechanisms"])
def test_a_size_of_a_few_voxels_is_refused(name) -> None:
    with pytest.raises(UserError, match="size=3,3,3: give whole numbers from 4"):
        with_changes(find_recipe(name).at("smoke"), {"size": (3, 3, 3)})


def test_an_image_smaller_than_the_window_is_segmented_in_its_own_size(tasks) -> None:
    task, model = _with_truth(tasks["lesions"])
    task.settings = with_changes(task.settings, {"size": (64, 16, 16)})
    assert task.segment(model, 0, CPU).shape == task.masks[0].shape
    assert torch.equal(task.segment(model, 0, CPU), task.masks[0].bool())


def test_hausdorff_distances_know_the_voxel_size_and_the_whole_image(tasks) -> None:
    task = tasks["fusion"]
    shifted = torch.roll(task.masks[0].bool(), 1, dims=-1)
    distance = task.measured(shifted, 0, distances=True)["regions"]["WT"]["hd95"]
    assert distance == pytest.approx(task.spacings[0][2])  # moved by a voxel
    nothing = task.measured(torch.zeros_like(shifted), 0, distances=True)["regions"]["WT"]["hd95"]
    whole = np.linalg.norm(np.multiply(task.settings.phantom["shape"], task.settings.phantom["spacing_mm"]))
    assert nothing == pytest.approx(whole) and task.images[0].shape[1:] != task.settings.phantom["shape"]


def test_a_head_box_keeps_head_and_mask() -> None:
    image = torch.full((2, 8, 9, 10), -3.0)
    image[:, 2:5, 3:6, 4:7] = 1.0
    mask = torch.zeros(1, 8, 9, 10, dtype=torch.uint8)
    assert image[head_box(image, mask)].shape == (2, 3, 3, 3)
    mask[:, 7, 8, 9] = 1
    assert mask[head_box(image, mask)].sum() == 1


def test_shrunk_slices_keep_place_and_depth() -> None:
    mask = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    mask[:, :, 4:8, 8:16] = 1
    image, small = shrink_slices(mask.float() * 2, mask, 8)
    assert small.shape == (1, 3, 8, 8) and torch.equal(small.float() * 2, image)
    assert small[0, 0].nonzero().amin(0).tolist() == [2, 4]
    assert shrink_slices(image, small, 8)[0] is image and shrink_slices(image, small, None)[0] is image


def test_a_patient_tested_twice_counts_once() -> None:
    def row(subject: str, right: int) -> dict:
        return {"subject": subject, "regions": {"lesion": {"tp": right, "fp": 0, "fn": 10 - right, "hd95": None}}}

    measures = {"Dice": ("lesion", "Dice, sample average")}
    rows = [row("a", 10), row("a", 10), row("b", 0), row("b", 0)]
    interval = overlap_scores(rows, measures)["Dice"]
    assert interval.units == 2 and interval.value == 0.5 and interval.missing == "too few for an interval"
    many = [row(f"p{number}", number % 9) for number in range(30)]
    once, twice = (overlap_scores(rows, measures)["Dice"] for rows in (many, many * 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high)) and once.low < once.value < once.high


def test_dice_of_a_patient_tested_twice_is_the_mean_of_its_tests_by_region() -> None:
    def row(subject: str, **right: int) -> dict:
        return {"subject": subject, "regions": {name: {"tp": count, "fp": 0, "fn": 2 * (8 - count), "hd95": None}
                                                for name, count in right.items()}}  # fmt: skip

    # Dice = 2 tp / (2 tp + fn) = tp / 8
    tests = [row("b", WT=6, ET=0), row("a", WT=8, ET=4), row("b", WT=2, ET=8), row("b", WT=1, ET=1)]
    wanted = {"a": {"WT": 1.0, "ET": 0.5}, "b": {"WT": 3 / 8, "ET": 3 / 8}}
    for order in (tests, tests[::-1], [tests[2], *tests[:2], tests[3]]):
        by_patient = dice_by_patient(order)
        assert list(by_patient) == ["a", "b"] and by_patient == {
            name: pytest.approx(value) for name, value in wanted.items()
        }


def test_settings_of_all_scales_are_the_recipes(tasks) -> None:
    # The networks' classes do not change with the scale: only settings do.
    for task in tasks.values():
        for scale, settings in task.recipe.scales.items():
            assert replace(settings) == task.recipe.at(scale)
            assert settings.options["train_share"] in (20 / 43, 0.8)


def test_lgg_is_one_region_without_distances(real_data) -> None:
    recipe = find_recipe("fusion")
    settings = recipe.at("smoke")
    few = real_data / "kaggle_3m"
    task = open_task(recipe, settings, data="lgg", root=_few(few), progress=False)
    assert task.regions == ("WT",) and set(task.measures) == {"WT Dice"}
    assert any("left out" in note for note in task.about()["notes"])
    assert task.images[0].shape[-1] <= settings.options["slice_pixels"]


def _few(root, count: int = 4):
    import tempfile
    from pathlib import Path

    place = Path(tempfile.mkdtemp())
    for case in sorted(path for path in root.iterdir() if path.is_dir())[:count]:
        (place / case.name).symlink_to(case)
    return place


def test_real_ms_lesions_are_bright_in_flair_where_their_masks_are(real_data) -> None:
    recipe = find_recipe("lesions")
    settings = with_changes(recipe.at("smoke"), {"options": {"spacing_mm": 3.0}})
    task = open_task(recipe, settings, data="open-ms", root=real_data / "open_ms_data", progress=False)
    assert task.channels == ("t1", "t2", "flair")
    for image, mask in zip(task.images, task.masks, strict=True):
        flair, lesion = image[2].float(), mask[0].bool()
        assert flair[lesion].mean() > 0.5  # in standard deviations of the head, whose mean is 0
        for axis in range(3):  # upside down, back to front, left for right
            assert flair[lesion].mean() > flair[lesion.flip(axis)].mean() + 0.2


def _changed(task, **options):
    changed = replace_images(task, task.images)
    changed.settings = with_changes(task.settings, {"options": options})
    return changed


def test_cross_validation_tests_every_patient_once(tasks) -> None:
    for name, task in tasks.items():
        crossed = _changed(task, cross_validation=True)
        crossed.settings = with_changes(crossed.settings, {"folds": 3})
        splits = crossed.splits()
        assert sorted(patient for split in splits for patient in split.test) == sorted(task.subjects)
        for split in splits:
            sides = [set(split.train), set(split.valid), set(split.test)]
            assert sum(map(len, sides)) == len(set.union(*sides)) == len(task.subjects)
            assert bool(split.valid) == (name == "fusion")
        crossed.settings = with_changes(crossed.settings, {"folds": 99})
        with pytest.raises(UserError, match="cross-validation in 99 folds of"):
            crossed.splits()


def test_windows_are_changed_as_the_options_say_and_else_not(tasks) -> None:
    task, seeds = tasks["lesions"], range(16)

    def windows(task):
        return torch.stack([task.window(0, torch.Generator().manual_seed(seed))[0] for seed in seeds])

    plain = windows(task)
    assert torch.equal(windows(_changed(task, turn_degrees=0.0, zoom=0.0, intensity_change=0.0, mirror_axes=())), plain)
    for options in ({"turn_degrees": 20.0}, {"zoom": 0.3}, {"intensity_change": 0.2}, {"blur": 1.0},
                    {"lesion_fade": 0.6}):  # fmt: skip
        assert not torch.allclose(windows(_changed(task, **options)), plain), options
    mirrored = windows(_changed(task, mirror_axes=(2,)))
    kept = [torch.equal(one, other) for one, other in zip(mirrored, plain, strict=True)]
    back = [torch.equal(one.flip(-1), other) for one, other in zip(mirrored, plain, strict=True)]
    assert any(kept) and any(back) and all(one or other for one, other in zip(kept, back, strict=True))


def test_prediction_over_mirrors_does_not_depend_on_the_side(tasks) -> None:
    both_sides = _changed(tasks["lesions"], mirror_axes=(2,), mirror_test=True)
    image = both_sides.images[0]
    other = replace_images(both_sides, [image.flip(-1)])
    torch.manual_seed(0)
    model = both_sides.build(both_sides.recipe.variant("U-Net"), {}).eval()
    with torch.no_grad():
        one, mirrored = both_sides.segment(model, 0, CPU), other.segment(model, 0, CPU).flip(-1)
        alone = _changed(both_sides, mirror_test=False).segment(model, 0, CPU)
    assert (one == mirrored).float().mean() > 0.99 and not torch.equal(one, alone)


def test_the_dice_loss_is_added_and_the_weights_may_go(tasks) -> None:
    task = tasks["lesions"]
    split, variant = task.splits()[0], task.recipe.variant("U-Net")
    output = torch.randn(2, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    mask = (torch.rand(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.3).to(torch.uint8)
    plain, both, equal = (task.for_variant(variant, with_changes(task.settings, {"options": options}), split)
                          .loss(output, {"mask": mask})
                          for options in ({}, {"dice_weight": 2.0}, {"weighted": False}))  # fmt: skip
    chance, truth = output.softmax(1)[:, 1:].flatten(1), mask.flatten(1).float()
    dice = 1 - (2 * (chance * truth).sum(1) + 1e-5) / (chance.sum(1) + truth.sum(1) + 1e-5)
    assert float(both - plain) == pytest.approx(2 * float(dice.mean()), rel=1e-4)
    assert float(equal) == pytest.approx(float(nn.functional.cross_entropy(output, mask[:, 0].long())))
    options = {"dice_weight": 1.0, "batch_dice": True}
    variant_task = task.for_variant(variant, with_changes(task.settings, {"options": options}), split)
    together = 1 - (2 * (chance * truth).sum() + 1e-5) / (chance.sum() + truth.sum() + 1e-5)
    assert float(variant_task.loss(output, {"mask": mask}) - plain) == pytest.approx(float(together), rel=1e-4)
    assert float(together) != pytest.approx(float(dice.mean()), rel=1e-4)
    with pytest.raises(UserError, match="weighted=7: write true or false"):
        with_changes(task.settings, {"options": {"weighted": 7}})


def test_the_threshold_is_the_one_with_the_best_mean_dice_of_the_training_patients(tasks) -> None:
    task = tasks["lesions"]
    variant, split = task.recipe.variant("threshold"), task.splits()[0]
    variant_task = task.for_variant(variant, task.settings, split)
    model, rows = variant_task.build(variant, {}), variant_task.rows(split, "train").tolist()
    variant_task.fit_without_gradients(model, rows, None)
    channel = variant_task.channels.index("flair")

    def mean_dice(value: float) -> float:
        masks = [(variant_task.images[row][channel].float() > value, variant_task.masks[row][0].bool()) for row in rows]
        return float(np.mean([2 * float((a & b).sum()) / float(a.sum() + b.sum()) for a, b in masks]))

    best = max(mean_dice(float(value)) for value in torch.linspace(-3, 9, 61))
    assert mean_dice(float(model.threshold)) == pytest.approx(best) and best > mean_dice(0.0)
    predicted = variant_task.segment(model, rows[0], CPU)
    assert torch.equal(predicted[0], variant_task.images[rows[0]][channel].float() > model.threshold)


def test_a_data_set_takes_its_own_settings_and_phantoms_those_of_the_scale() -> None:
    recipe = find_recipe("lesions")
    assert recipe.at("laptop") == recipe.scales["laptop"] and recipe.at("paper", "lgg") == recipe.scales["paper"]
    assert recipe.at("smoke", "lgg") == recipe.scales["smoke"]
    settings = recipe.at("laptop", "lgg")
    assert settings.options["cross_validation"] and settings.schedule == "one-cycle" and settings != recipe.at("laptop")


def test_a_network_on_coarse_slices_is_scored_on_the_masks_as_they_are(tasks) -> None:
    coarse_task, variant = _changed(tasks["lesions"], coarse_pixels=2), tasks["lesions"].recipe.variant("U-Net")
    torch.manual_seed(0)
    coarse = coarse_task.build(variant, {}).eval()
    torch.manual_seed(0)
    plain = tasks["lesions"].build(variant, {}).eval()
    assert coarse.network.state_dict().keys() == plain.state_dict().keys() and isinstance(coarse, CoarseInPlane)
    assert coarse_task.segment(coarse, 0, CPU).shape == coarse_task.masks[0].shape
    batch = coarse_task.batch([0, 1], [torch.Generator().manual_seed(seed) for seed in range(2)])
    coarse_task.for_variant(variant, coarse_task.settings, coarse_task.splits()[0]).loss(
        coarse(batch["image"]), batch
    ).backward()
    assert all(p.grad is not None for p in coarse.parameters())
    with pytest.raises(UserError, match="coarse_pixels=0"):
        with_changes(coarse_task.settings, {"options": {"coarse_pixels": 0}})


def test_windows_of_single_slices_train_and_predict_the_whole_volume(tasks) -> None:
    task, variant = _changed(tasks["lesions"], window_slices=1, overlap=0.5), tasks["lesions"].recipe.variant("RSA-010")
    assert task.window_size == (1, *task.settings.size[1:]) and tasks["lesions"].window_size == task.settings.size
    batch = task.batch([0, 1], [torch.Generator().manual_seed(seed) for seed in range(2)])
    assert batch["image"].shape[2:] == batch["mask"].shape[2:] == task.window_size
    model = task.build(variant, {}).eval()
    assert task.segment(model, 0, CPU).shape == task.masks[0].shape
    with pytest.raises(UserError, match="window_slices=0"):
        with_changes(task.settings, {"options": {"window_slices": 0}})
