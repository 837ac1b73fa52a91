"""Crops, padding, voxel size and intensity: every voxel keeps its place in the world."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medattn_lite.data.intensity import centre_and_scale, coarse
from medattn_lite.data.transforms import crop_around, crop_or_pad, foreground, normalise, resample
from medattn_lite.errors import UserError
from tests.data.makers import brain

AFFINE = np.array([[0, 0, 1.0, -4], [0, 1.5, 0, -5], [3.0, 0, 0, -6], [0, 0, 0, 1]])


def make(shape: tuple[int, int, int], place: tuple[int, int, int], seed: int = 0) -> dict:
    """A sample whose only tumour voxel is at `place`."""
    image = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, *shape)).astype(np.float32))
    mask = torch.zeros((1, *shape), dtype=torch.uint8)
    mask[(0, *place)] = 4
    return {
        "image": image,
        "mask": mask,
        "signal": mask > 0,
        "affine": AFFINE,
        "grid": "the file's",
        "meta": {"voxel_size_mm": (3.0, 1.5, 1.0)},
        "label": 1,
    }


def world(sample: dict, index: np.ndarray) -> np.ndarray:
    return (sample["affine"] @ [*index, 1])[:3]


sizes = st.tuples(*[st.integers(1, 9)] * 3)


@st.composite
def samples(draw):
    shape = draw(sizes)
    place = tuple(draw(st.integers(0, size - 1)) for size in shape)
    return make(shape, place, draw(st.integers(0, 50))), np.array(place)


@settings(max_examples=150, deadline=None)
@given(made=samples(), window=sizes)
def test_a_window_around_a_tumour_at_any_border_holds_it_in_its_middle(made, window):
    sample, place = made
    result = crop_around(sample, window)
    assert result["image"].shape == (2, *window)
    here = torch.nonzero(result["mask"][0])[0].numpy()
    assert here.tolist() == [size // 2 for size in window]
    np.testing.assert_allclose(world(result, here), world(sample, place))
    assert torch.equal(result["image"][(slice(None), *here)], sample["image"][(slice(None), *place)])
    assert torch.equal(result["signal"], result["mask"] > 0)


@settings(max_examples=150, deadline=None)
@given(made=samples(), window=sizes)
def test_cropping_and_padding_keep_every_shared_voxel_in_its_place(made, window):
    sample, _ = made
    result = crop_or_pad(sample, window)
    shift = np.linalg.solve(AFFINE, result["affine"])[:3, 3].round().astype(int)
    low = sample["image"].flatten(1).min(dim=1).values
    for index in np.ndindex(*window):
        source = np.array(index) + shift
        inside = (source >= 0).all() and (source < sample["image"].shape[1:]).all()
        expected = sample["image"][(slice(None), *source)] if inside else low
        assert torch.equal(result["image"][(slice(None), *index)], expected)


@settings(max_examples=80, deadline=None)
@given(made=samples(), margin=st.tuples(*[st.integers(0, 4)] * 3))
def test_padding_and_cropping_back_changes_nothing(made, margin):
    sample, _ = made
    shape = sample["image"].shape[1:]
    larger = crop_or_pad(sample, [size + 2 * extra for size, extra in zip(shape, margin, strict=True)])
    back = crop_or_pad(larger, shape)
    assert torch.equal(back["image"], sample["image"]) and torch.equal(back["mask"], sample["mask"])
    np.testing.assert_allclose(back["affine"], sample["affine"])


def test_transforms_leave_their_input_alone():
    sample = make((5, 6, 7), (0, 0, 0))
    before = sample["image"].clone(), sample["affine"].copy()
    crop_around(sample, (4, 4, 4))
    crop_or_pad(sample, (9, 9, 9))
    assert torch.equal(sample["image"], before[0]) and np.array_equal(sample["affine"], before[1])
    assert sample["grid"] == "the file's"


def test_a_crop_forgets_the_file_grid_but_not_the_rest():
    result = crop_or_pad(make((5, 6, 7), (0, 0, 0)), (3, 3, 3))
    assert result["grid"] is None and result["label"] == 1


def test_a_sample_without_a_tumour_is_cut_around_its_middle():
    sample = make((6, 6, 6), (0, 0, 0))
    sample["mask"] = torch.zeros_like(sample["mask"])
    assert torch.equal(crop_around(sample, (4, 4, 4))["image"], sample["image"][:, 1:5, 1:5, 1:5])


def test_pictures_are_cropped_too():
    sample = {"image": torch.arange(30.0).reshape(1, 5, 6), "affine": AFFINE, "meta": {}}
    result = crop_or_pad(sample, (3, 4))
    assert torch.equal(result["image"], sample["image"][:, 1:4, 1:5])
    np.testing.assert_allclose(world(result, np.array([0, 0, 0])), world(sample, np.array([0, 1, 1])))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 4), (0, 4, 4)])
def test_a_shape_of_other_dimensions_is_refused(shape):
    with pytest.raises(UserError, match="3 positive numbers"):
        crop_or_pad(make((5, 6, 7), (0, 0, 0)), shape)


def test_resampling_reaches_the_voxel_size_and_keeps_the_head_in_place():
    image = torch.from_numpy(brain((20, 24, 16)))[None]
    mask = (image > 0).to(torch.uint8)
    sample = {"image": image, "mask": mask, "affine": AFFINE, "grid": None, "meta": {"voxel_size_mm": (3.0, 1.5, 1.0)}}
    result = resample(sample, 2.0)
    assert result["meta"]["voxel_size_mm"] == pytest.approx((2.0, 2.0, 2.0), abs=1e-6)
    assert set(result["mask"].unique().tolist()) <= {0, 1} and result["mask"].dtype == torch.uint8

    def centre(of: dict) -> np.ndarray:
        return world(of, torch.nonzero(of["mask"][0]).double().mean(dim=0).numpy())

    np.testing.assert_allclose(centre(result), centre(sample), atol=0.5)
    volume = float(mask.sum()) * 3 * 1.5 * 1
    assert float(result["mask"].sum()) * 8 == pytest.approx(volume, rel=0.08)


def test_resampling_to_the_same_size_changes_nothing():
    sample = make((5, 6, 7), (1, 2, 3))
    result = resample(sample, (3.0, 1.5, 1.0))
    torch.testing.assert_close(result["image"], sample["image"], atol=1e-5, rtol=0)
    assert torch.equal(result["mask"], sample["mask"])


@pytest.mark.parametrize("spacing", [2.5, 3.0])
def test_coarsening_does_not_alias_stripes_into_bands(spacing: float):
    """Stripes of 2 mm at a voxel size that their period does not divide: each sample falls on another phase."""
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    stripes, affine = torch.zeros(1, 4, 4, 64), np.diag([1.0, 1, 1, 1])[[2, 1, 0, 3]]
    stripes[..., ::2] = 1.0
    result = resample({"image": stripes, "affine": affine, "meta": {}}, (1.0, 1.0, spacing))["image"][0, 2, 2, 2:-2]
    assert float(result.std()) < 0.02
    tensor = MetaTensor(stripes, affine=torch.from_numpy(affine))
    plain = Spacing(pixdim=(1.0, 1.0, spacing), mode="bilinear", padding_mode="border")(tensor)[0, 2, 2, 2:-2]
    assert float(plain.std()) > 0.3  # without smoothing the stripes become bands


@pytest.mark.parametrize(
    ("change", "spacing", "words"),
    [
        ({"meta": {"voxel_size_mm": None}}, 1.0, "unknown"),
        ({}, -1.0, "positive"),
        ({"image": torch.zeros(1, 4, 4)}, 1.0, "single picture"),
        ({"image": torch.zeros(1, 4, 4)}, (1.0, 1.0, 1.0), "single picture"),
        ({}, (1.0, 1.0), "one or three"),
        ({}, float("nan"), "one or three"),
    ],
)
def test_resampling_what_cannot_be_is_refused(change, spacing, words):
    with pytest.raises(UserError, match=words):
        resample({**make((5, 6, 7), (0, 0, 0)), **change}, spacing)


def test_foreground_of_a_stripped_brain_is_all_that_is_not_background():
    image = torch.from_numpy(brain())[None]
    assert torch.equal(foreground(image), image != 0)
    scored = torch.where(image > 0, image - 100, -7.0)  # z-scored brains are negative in part, background is constant
    assert torch.equal(foreground(scored), image != 0)


def test_foreground_of_a_head_in_noise_is_the_head():
    generator = np.random.default_rng(0)
    clean = brain((20, 24, 16))
    noisy = np.abs(clean + generator.normal(0, 4, clean.shape))
    mask = foreground(torch.from_numpy(noisy.astype(np.float32))[None])[0].numpy()
    assert (mask == (clean > 0)).mean() > 0.97


def two_tissues(white: float = 0.6, seed: int = 0) -> torch.Tensor:
    """(2, D, H, W): a ball of two tissues, `white` of its voxels around 100 and 60, the others 70 and 90; air 0."""
    generator = np.random.default_rng(seed)
    place = np.stack(np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij"))
    inside = (place**2).sum(0) < 0.8
    is_white = generator.random(inside.shape) < white
    channels = [np.where(is_white, one, other) * generator.normal(1, 0.03, inside.shape) for one, other in
                ((100, 70), (60, 90))]  # fmt: skip
    return torch.from_numpy(np.where(inside, np.stack(channels), 0).astype(np.float32))


def test_normalising_puts_the_most_frequent_tissue_at_0_and_the_background_at_minus_4():
    image = two_tissues()
    result, inside = normalise(image), image[0] > 0
    assert torch.equal(result[:, ~inside].unique(), torch.tensor([-4.0]))
    white = inside & (image[0] > 85)
    for channel in result:
        assert abs(float(channel[white].median())) < 0.05
    assert float(result[0][inside & ~white].median()) == pytest.approx(4 * (70 / 100 - 1), abs=0.1)
    torch.testing.assert_close(normalise(image * torch.tensor([3.5, 0.01]).reshape(2, 1, 1, 1)), result)


def test_a_lesion_does_not_move_the_intensities_of_other_tissue():
    image = two_tissues()
    for value in (40.0, 250.0):  # a tenth of the head, dark or enhancing
        sick = image.clone()
        sick[:, 6:13, 6:13, 6:13] = value
        untouched = (image[0] > 0) & (sick == image).all(0)
        moved = (normalise(sick) - normalise(image))[:, untouched].abs().max()
        z_score = [(one - one[image > 0].mean()) / one[image > 0].std() for one in (sick, image)]
        assert moved < 0.05
        assert (z_score[0] - z_score[1])[:, untouched].abs().max() > 2 * moved


def test_a_channel_by_itself_is_normalised_as_with_the_others():
    generator = torch.Generator().manual_seed(0)
    image = torch.nn.functional.interpolate(two_tissues()[None], size=(100, 90, 24))[0]
    image = image * (1 + 0.01 * torch.rand(image.shape, generator=generator))
    inside = image[:1] > 0
    levels = centre_and_scale(coarse(image), coarse(inside)[0])
    parts = [normalise(image[k:k + 1], inside, levels=tuple(x[k:k + 1] for x in levels)) for k in range(2)]
    assert torch.equal(torch.cat(parts), normalise(image, inside))


def test_an_image_that_is_standardised_already_keeps_its_contrast():
    image = two_tissues()
    inside = image[0] > 0
    scored = torch.where(inside, (image - 80) / 15, torch.tensor(0.0))  # the background lies amid the tissue
    result = normalise(scored, inside[None])
    assert 0.5 < float(result[0][inside].std()) < 3
    assert torch.equal(result[:, ~inside], result[:, :1, 0, 0].expand(-1, int((~inside).sum())))
    assert float(result[0][~inside].max()) < float(result[0][inside].median())


def test_a_few_extreme_voxels_do_not_move_the_rest():
    image = torch.from_numpy(brain())[None]
    bright = image.clone()
    bright[0, 10, 12, 8] = 1e6
    inside = (image > 0) & (bright == image)
    torch.testing.assert_close(normalise(bright)[inside], normalise(image)[inside], atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("image", "words"),
    [(torch.full((1, 4, 4, 4), float("nan")), "NaN"), (torch.ones(1, 4, 4, 4), "foreground")],
)
def test_images_that_cannot_be_normalised_are_refused(image, words):
    with pytest.raises(UserError, match=words):
        normalise(image)


def test_a_channel_that_is_constant_inside_the_head_is_refused():
    image = torch.from_numpy(np.stack([brain(), (brain() > 0).astype(np.float32)]))
    with pytest.raises(UserError, match="channel 1: it is constant"):
        normalise(image)


def test_a_channel_with_bright_air_does_not_make_the_air_foreground():
    zz, yy, xx = np.mgrid[-1:1:24j, -1:1:40j, -1:1:40j]
    head = (zz**2 + yy**2 + xx**2) < 0.5
    noise = np.random.default_rng(0)
    plain = np.where(head, 100.0, 1.0) + noise.random(head.shape)
    offset = np.where(head, noise.normal(90, 25, head.shape), 76.0 + noise.random(head.shape))
    mask = foreground(torch.from_numpy(np.stack([offset, plain, plain])).float())[0].numpy()
    assert (mask == head).mean() > 0.99
    both = torch.from_numpy(np.stack([offset, offset])).float()  # nothing else to go by: both are asked
    assert torch.equal(foreground(both), foreground(both[:1])) and foreground(both).float().mean() > 0.9
