"""Image and masks move together, and every change is a function of its generator."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator

from medattn_lite.training.augmentation import (
    mirrored_mean,
    pad_to,
    random_blur,
    random_flip,
    random_intensity,
    random_lesion_fade,
    random_mirror,
    random_rotation,
    random_turn_in_plane,
    random_window,
    rotate,
)


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def pair(shape: tuple[int, int, int] = (9, 11, 13)) -> tuple[torch.Tensor, torch.Tensor]:
    """An image that is bright where the mask is, and dark elsewhere."""
    mask = (torch.rand(1, *shape, generator=seeded(3)) < 0.1).to(torch.uint8)
    return mask.float().repeat(2, 1, 1, 1) * 5 - 2, mask


@pytest.mark.parametrize("seed", range(8))
def test_windows_and_flips_move_image_and_mask_together(seed: int) -> None:
    image, mask = pair()
    image, mask = random_window(image, mask, (6, 12, 7), seeded(seed))
    image, mask = random_flip(image, mask, seeded(seed))
    assert image.shape == (2, 6, 12, 7) and mask.shape == (1, 6, 12, 7) and mask.any()
    assert torch.equal(image[:1] > 0, mask.bool())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_quarter_turn_moves_image_and_mask_as_numpy_does(axis: int) -> None:
    image, mask = pair((8, 8, 8))
    planes = [other + 1 for other in range(3) if other != axis]
    for quarters in (1, -1, 2):  # a quarter turn one way and the other, and half a turn
        turned, moved = rotate(image, mask, axis=axis, angle=-quarters * math.pi / 2)
        assert torch.equal(moved, torch.rot90(mask, quarters, planes))
        assert torch.allclose(turned, torch.rot90(image, quarters, planes), atol=1e-4)
    assert not torch.equal(torch.rot90(mask, 1, planes), torch.rot90(mask, -1, planes))


def test_a_small_turn_keeps_the_mask_on_the_bright_place_in_a_flat_window() -> None:
    mask = torch.zeros(1, 8, 20, 30, dtype=torch.uint8)
    mask[:, 3:6, 12:18, 20:28] = 1  # off centre, sides unlike: a wrong order of axes or of sides would part them
    for axis in range(3):
        turned, moved = rotate(mask.float() * 10, mask, axis=axis, angle=0.25)
        assert not torch.equal(moved, mask)
        bright = turned > 5
        both = (bright & moved.bool()).sum()
        assert 2 * both / (bright.sum() + moved.sum()) > 0.95


def test_rotation_turns_distances_not_shapes() -> None:
    # a line along W, turned by 90° about D in a window of unlike sides, lies along H and is as long
    mask = torch.zeros(1, 3, 21, 41, dtype=torch.uint8)
    mask[:, :, 10, 16:25] = 1
    _, moved = rotate(mask.float(), mask, axis=0, angle=math.pi / 2)
    assert moved[0, 1].any(0).sum() == 1 and moved[0, 1].any(1).sum() == 9


def test_a_window_that_must_hold_a_lesion_holds_one() -> None:
    image, mask = torch.zeros(1, 20, 20, 20), torch.zeros(1, 20, 20, 20, dtype=torch.uint8)
    mask[:, 0, 19, 10] = 1
    held = [random_window(image, mask, (4, 4, 4), seeded(seed), lesion_share=1.0)[1].sum() for seed in range(20)]
    assert all(int(count) == 1 for count in held)
    free = [random_window(image, mask, (4, 4, 4), seeded(seed), lesion_share=0.0)[1].sum() for seed in range(20)]
    assert not all(free)


def test_every_place_of_the_window_is_reached() -> None:
    image = torch.arange(7.0).reshape(1, 7, 1, 1)
    mask = torch.zeros(1, 7, 1, 1, dtype=torch.uint8)
    firsts = {int(random_window(image, mask, (4, 1, 1), seeded(seed))[0][0, 0, 0, 0]) for seed in range(60)}
    assert firsts == {0, 1, 2, 3}


def test_padding_is_the_darkest_value_of_each_channel() -> None:
    image = torch.stack([torch.full((2, 2, 2), 3.0), torch.full((2, 2, 2), -1.0)])
    padded, place = pad_to(image, (4, 2, 3), fill=image.flatten(1).amin(1))
    assert padded.shape == (2, 4, 2, 3)
    assert (padded[0] == 3).all() and (padded[1] == -1).all()
    assert torch.equal(padded[(slice(None), *place)], image)


def test_the_same_generator_gives_the_same_change() -> None:
    def change(seed: int) -> torch.Tensor:
        generator = seeded(seed)
        image, mask = random_window(*pair(), (6, 6, 6), generator)
        image, mask = random_flip(*random_rotation(image, mask, generator), generator)
        return random_intensity(image, generator)

    assert torch.equal(change(1), change(1)) and not torch.equal(change(1), change(2))


def test_intensities_change_little_and_by_channel() -> None:
    image = torch.ones(3, 2, 2, 2)
    changed = random_intensity(image, seeded(0))
    assert (changed - image).abs().max() <= 0.2 + 1e-6
    assert len({round(float(channel.mean()), 6) for channel in changed}) == 3


def test_a_turn_in_the_plane_is_the_turn_about_d_and_leaves_the_slices_apart() -> None:
    mask = torch.zeros(1, 8, 20, 30, dtype=torch.uint8)
    mask[:, 3:6, 12:18, 20:28] = 1  # off centre, sides unlike
    turned, moved = random_turn_in_plane(mask.float() * 10, mask, seeded(1), degrees=30.0)
    assert not torch.equal(moved, mask)
    assert moved[0].flatten(1).any(1).tolist() == [False] * 3 + [True] * 3 + [False] * 2
    angle = math.radians(30.0) * (2 * float(torch.rand(2, generator=seeded(1))[0]) - 1)
    same, other = (rotate(mask.float() * 10, mask, axis=0, angle=sign * angle)[0] for sign in (-1, 1))
    assert (same - turned).abs().max() < 1e-3 < (other - turned).abs().max()  # which way an angle turns is fixed


def test_zooming_changes_the_size_both_ways_and_the_middle_stays() -> None:
    mask = torch.zeros(1, 1, 40, 60, dtype=torch.uint8)
    mask[:, :, 15:25, 25:35] = 1
    turned = [random_turn_in_plane(mask.float(), mask, seeded(seed), zoom=0.5) for seed in range(12)]
    sizes = [int(moved.sum()) for _, moved in turned]
    assert min(sizes) < 100 < max(sizes) and min(sizes) >= 100 / 1.5**2 * 0.8 and max(sizes) <= 100 * 1.5**2 * 1.2
    for image, moved in turned:
        place = moved[0, 0].nonzero().float().mean(0)
        assert (place - torch.tensor([19.5, 29.5])).abs().max() < 1 and 2 * ((image > 0.5) & (moved > 0)).sum() > sum(
            int(mask.sum()) for mask in (image > 0.5, moved > 0)) * 0.9  # fmt: skip
    same, kept = random_turn_in_plane(mask.float(), mask, seeded(0))
    assert torch.equal(kept, mask) and torch.allclose(same, mask.float(), atol=1e-4)


def test_mirrors_move_only_the_axes_that_are_named() -> None:
    image, mask = pair()
    for axis in range(3):
        either = {tuple(random_mirror(image, mask, seeded(seed), axes=(axis,))[1].flatten().tolist())
                  for seed in range(12)}  # fmt: skip
        assert either == {tuple(mask.flatten().tolist()), tuple(mask.flip(axis + 1).flatten().tolist())}
    generator = seeded(5)
    assert random_mirror(image, mask, generator, axes=())[0] is image
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=seeded(5)))  # nothing was drawn


def test_the_mean_over_mirrors_makes_any_prediction_symmetric() -> None:
    image = torch.randn(2, 1, 3, 4, 5, generator=seeded(0))
    ramp = torch.arange(5.0)

    def predict(seen: torch.Tensor) -> torch.Tensor:
        return seen * ramp + seen.cumsum(3)

    both = mirrored_mean(predict, image, (1, 2))
    by_hand = sum(predict(image.flip(axes)).flip(axes) for axes in ([], [3], [4], [3, 4])) / 4
    assert torch.allclose(both, by_hand)
    assert torch.allclose(mirrored_mean(predict, image.flip(4), (1, 2)), both.flip(4), atol=1e-5)
    assert not torch.allclose(predict(image.flip(4)), predict(image).flip(4))
    assert torch.equal(mirrored_mean(predict, image, ()), predict(image))


def test_blur_keeps_the_mean_and_what_is_flat_and_draws_its_width() -> None:
    image = torch.zeros(2, 9, 9, 9)
    image[0, 4, 4, 4], image[1] = 1.0, 3.0
    peaks = []
    for seed in range(6):
        blurred = random_blur(image, seeded(seed), most=1.0)
        assert float(blurred[0].sum()) == pytest.approx(1.0, abs=1e-5)
        torch.testing.assert_close(blurred[1], image[1])
        peaks.append(float(blurred[0, 4, 4, 4]))
    assert len(set(peaks)) > 3 and min(peaks) < 0.5 and max(peaks) <= 1
    assert torch.equal(random_blur(image, seeded(1), most=1.0), random_blur(image, seeded(1), most=1.0))
    assert torch.equal(random_blur(image, seeded(1), most=0.0), image)


def test_lesions_come_nearer_to_white_matter_and_nothing_else_changes() -> None:
    image = torch.full((3, 9, 9, 9), 2.0)
    mask = torch.zeros(1, 9, 9, 9, dtype=torch.uint8)
    mask[:, 2:7, 2:7, 2:7] = 2
    kept = []
    for seed in range(10):
        changed = random_lesion_fade(image, mask, seeded(seed), most=0.6, edge=0.0)
        assert torch.equal(changed[:, mask[0] == 0], image[:, mask[0] == 0])
        inside = changed[:, mask[0] > 0] / 2
        assert torch.equal(inside, inside[:, :1].expand_as(inside))
        kept += inside[:, 0].tolist()
    assert 0.4 <= min(kept) < 0.5 and 0.9 < max(kept) <= 1  # each channel draws its own
    soft, sharp = (random_lesion_fade(image, mask, seeded(0), most=1.0, edge=edge)[0] for edge in (1.0, 0.0))
    assert float(soft[4, 4, 4]) == pytest.approx(float(sharp[4, 4, 4]), abs=0.05)
    assert float(sharp[4, 4, 2]) + 0.1 < float(soft[4, 4, 2]) < 2
    assert float(soft[0, 0, 0]) == pytest.approx(2.0, abs=1e-3)
    assert torch.equal(random_lesion_fade(image, mask, seeded(0), most=0.0), image)
