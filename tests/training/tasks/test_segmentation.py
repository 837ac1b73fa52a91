"""Segmentation tasks: whose voxels are counted, what a perfect model scores, and what the windows do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task
from medattn_lite.training.tasks.overlap import mean_dice, overlap_scores
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
    own = replace_images(task, [torch.cat([image, mask.half()]) for image, mask in
                                zip(task.images, task.masks, strict=True)])  # fmt: skip
    return own, Told(len(task.regions))


def replace_images(task, images):
    import copy

    own = copy.copy(task)
    own.images = images
    return own


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
    own = task.for_variant(variant, task.settings, task.splits()[0])
    batch = own.batch([0, 1], [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    truth = batch["mask"].float()
    logits = 80 * truth - 40
    right = torch.cat([-logits, logits], 1) if name == "lesions" else logits
    assert own.loss(right, batch) < 0.05 < own.loss(-right, batch)


def test_the_loss_is_the_mean_over_the_rows(tasks) -> None:
    for task in tasks.values():
        own = task.for_variant(task.recipe.variants[0], task.settings, task.splits()[0])
        batch = own.batch([0, 1], [torch.Generator().manual_seed(seed) for seed in (0, 1)])
        channels = 2 if task is tasks["lesions"] else 3
        logits = torch.randn(2, channels, *task.settings.size, generator=torch.Generator().manual_seed(2))
        parts = [own.loss(logits[[row]], {"mask": batch["mask"][[row]]}) for row in (0, 1)]
        assert torch.allclose(own.loss(logits, batch), torch.stack(parts).mean(), rtol=1e-5)


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
        found = len(split.train), len(split.valid), len(split.test)
        assert found == sizes or (name == "fusion" and found[2] == 57 and found[0] + found[1] == 228)


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
        own = task.for_variant(variant, with_changes(task.settings, variant.settings), task.splits()[0])
        weights[name] = own.cross_entropy.weight.tolist()
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
    with pytest.raises(UserError, match="size=3,3,3: give whole numbers from 8"):
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
