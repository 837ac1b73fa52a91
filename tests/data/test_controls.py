"""Positive controls: half of the candidates are lesions, a seed gives the same images, and the cue is far away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import find_objects
from scipy.ndimage import label as islands

from medattn_lite.data.controls import CONTROLS, LESION, LOOK_ALIKE, Control, Drawn, find_control
from medattn_lite.errors import UserError

EACH = pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
IMAGES = 24


def candidates(drawn: Drawn) -> list[tuple[int, int]]:
    numbers = [(index, number) for index in range(len(drawn)) for number in drawn.numbers[index].unique().tolist()]
    return [(index, number) for index, number in numbers if number]


def label(drawn: Drawn, index: int, number: int) -> int:
    labels = drawn.objects[index][drawn.numbers[index] == number].unique().tolist()
    assert len(labels) == 1, "a candidate has one label"
    return labels[0]


@EACH
def test_shapes_and_kinds_are_as_declared(control: Control) -> None:
    drawn = control.draw(3, seed=5)
    assert drawn.images.shape == (3, control.channels, *control.size) and drawn.images.dtype == torch.float32
    assert drawn.objects.shape == drawn.cue.shape == drawn.numbers.shape == (3, *control.size)
    assert drawn.cue.dtype == torch.bool and torch.isfinite(drawn.images).all()
    assert len(control.size) == control.spatial_dims and len(drawn) == 3


@EACH
def test_every_image_has_as_many_lesions_as_look_alikes(control: Control) -> None:
    drawn = control.draw(IMAGES, seed=3)
    for index in range(IMAGES):
        labels = [label(drawn, *one) for one in candidates(drawn) if one[0] == index]
        assert labels.count(LESION) == labels.count(LOOK_ALIKE) > 0
    assert ((drawn.numbers > 0) == (drawn.objects > 0)).all()


@EACH
def test_a_seed_gives_the_same_images_and_another_gives_others(control: Control) -> None:
    first, again, other = control.draw(2, seed=8), control.draw(2, seed=8), control.draw(2, seed=9)
    assert torch.equal(first.images, again.images) and torch.equal(first.objects, again.objects)
    assert not torch.equal(first.images, other.images)


def test_controls_differ_in_their_random_numbers() -> None:
    assert len({control.number for control in CONTROLS.values()}) == len(CONTROLS)


@EACH
def test_a_cue_that_is_left_out_changes_the_image_at_the_cue_and_nowhere_else(control: Control) -> None:
    drawn, erased = control.draw(IMAGES, seed=4), control.draw(IMAGES, seed=4, cue=False)
    changed = (drawn.images != erased.images).any(dim=1)
    assert changed.flatten(1).any(dim=1).any()
    assert not (changed & ~drawn.cue).any()
    assert torch.equal(drawn.objects, erased.objects)


@EACH
def test_the_cue_of_a_candidate_lies_outside_the_declared_field(control: Control) -> None:
    drawn = control.draw(IMAGES, seed=6)
    for index, number in candidates(drawn):
        cue = drawn.cue[index] & ((drawn.cue_numbers[index] == number) | (drawn.cue_numbers[index] == 0))
        if not cue.any():
            raise AssertionError("a candidate without a cue")
        pixels = [torch.nonzero(mask)[:, -2:].float() for mask in (drawn.numbers[index] == number, cue)]
        assert torch.cdist(*pixels, p=float("inf")).min() > (control.field - 1) / 2


def patches(image: torch.Tensor, mask: torch.Tensor, *, half: int = 2) -> list[np.ndarray]:
    """The middle 5 × 5 pixels of each island of a mask, as unit vectors without their mean."""
    scaled = []
    for rows, columns in find_objects(islands(mask.numpy())[0]):
        row, column = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
        patch = image[row - half : row + half + 1, column - half : column + half + 1].double().flatten().numpy()
        scaled.append((patch - patch.mean()) / np.linalg.norm(patch - patch.mean()))
    return scaled


def resemblance(channel: int) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], float]:
    def read(image: torch.Tensor, candidate_mask: torch.Tensor, cue: torch.Tensor) -> float:
        (candidate,) = patches(image[0], candidate_mask)
        return float(np.mean([candidate @ other for other in patches(image[channel], cue)]))

    return read


def zoomed(image: torch.Tensor, candidate: torch.Tensor, cue: torch.Tensor) -> float:
    long = float(image[0][cue].mean()) - 4 / 3  # 2 where the whole bar is bright, 2/3 where a third of it is
    return long if candidate.sum() < 10 else -long


# What a reader who knows the rule finds: of an image (C, *S), pixels of a candidate and of its cue, a number that is
# larger for a lesion. Written from the stories, not from the code.
READERS: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor], float]] = {
    "sequence": lambda image, candidate, cue: float(image[0][cue].mean() * image[0][candidate].mean()),
    "central-vein": lambda image, candidate, cue: -float(image[0][cue].mean()),
    "zoom": zoomed,
    "slice-above": lambda image, candidate, cue: -float(image[0][cue].mean()),
    "reference": resemblance(0),
    "mirror": lambda image, candidate, cue: -float(image[0][cue].mean()),
    "two-scans": resemblance(1),
    "reading-order": lambda image, candidate, cue: float(image[0][cue].mean()),
}


def reader_auc(control: Control, drawn: Drawn) -> float:
    by_label: dict[int, list[float]] = {LESION: [], LOOK_ALIKE: []}
    for index, number in candidates(drawn):
        cue = drawn.cue[index] & ((drawn.cue_numbers[index] == number) | (drawn.cue_numbers[index] == 0))
        score = READERS[control.name](drawn.images[index], drawn.numbers[index] == number, cue)
        by_label[label(drawn, index, number)].append(score)
    lesions, others = np.array(by_label[LESION])[:, None], np.array(by_label[LOOK_ALIKE])
    return float(((lesions > others) + 0.5 * (lesions == others)).mean())


@EACH
def test_who_reads_the_cue_tells_lesions_and_without_the_cue_nobody_does(control: Control) -> None:
    assert reader_auc(control, control.draw(IMAGES, seed=2)) > 0.95
    assert abs(reader_auc(control, control.draw(IMAGES, seed=2, cue=False)) - 0.5) < 0.15


def test_the_state_says_which_spots_are_lesions() -> None:
    drawn = CONTROLS["sequence"].draw(IMAGES, seed=1)
    smooth = torch.nn.functional.avg_pool2d(drawn.images, 3, stride=1, padding=1)[:, 0]
    for index, number in candidates(drawn):
        bright = bool(smooth[index][drawn.numbers[index] == number].max() > smooth[index].median())
        assert (label(drawn, index, number) == LESION) == (bright == bool(drawn.state[index]))


def test_the_own_slice_says_nothing_about_the_slice_above() -> None:
    drawn = CONTROLS["slice-above"].draw(IMAGES, seed=1)
    levels = [(index, int(torch.nonzero(drawn.numbers[index] == number)[0, 0])) for index, number in candidates(drawn)]
    above = [bool(drawn.state[index, level]) for index, level in levels]
    states = [bool(drawn.state[index, level + 1]) for index, level in levels if level + 1 < drawn.state.shape[1]]
    assert sum(above) == len(above) / 2
    both = [(up, down) for up, down in zip(above, states, strict=False)]
    assert len(states) >= IMAGES and len(set(both)) == 4


def test_mistakes_are_answered_in_one_line() -> None:
    with pytest.raises(UserError, match="no control called 'vein': use one of sequence, central-vein"):
        find_control("vein")
    with pytest.raises(UserError, match="n=0 images cannot be drawn"):
        CONTROLS["zoom"].draw(0)
    with pytest.raises(UserError, match="seed=-1: use a whole number"):
        CONTROLS["zoom"].draw(1, seed=-1)
